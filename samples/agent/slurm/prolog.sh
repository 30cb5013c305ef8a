#!/bin/sh
# Slurm's Prolog: writes down which job holds which GPUs, for the reflexarc agent.
# It runs as root on the node before a job. It never fails a job: whatever happens, it exits 0.
# Put it, with epilog.sh, into a folder that Prolog= and Epilog= in slurm.conf name.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH LC_ALL=C
trap 'exit 0' EXIT HUP INT TERM
umask 022

jobs="${REFLEXARC_JOBS_DIR:-/run/reflexarc/jobs}"
id="${SLURM_JOB_ID:-}"
case "$id" in '' | *[!0-9]*) exit 0 ;; esac

# A JSON string: no control characters, quotes and backslashes escaped.
quoted() {
    printf '"%s"' "$(printf '%s' "$1" | tr -d '\000-\037\177' | cut -c 1-1000 | sed 's/[\\"]/\\&/g')"
}

# "0,1" or "gpu:0,gpu:1" as a JSON list.
gpus() {
    left="${SLURM_JOB_GPUS:-${SLURM_STEP_GPUS:-}}"
    comma=''
    while [ -n "$left" ]; do
        gpu="${left%%,*}"
        case "$left" in *,*) left="${left#*,}" ;; *) left='' ;; esac
        gpu="${gpu#gpu:}"
        case "$gpu" in '' | *[!A-Za-z0-9:./-]*) continue ;; esac
        printf '%s"%s"' "$comma" "$gpu"
        comma=', '
    done
}

[ -d "$jobs" ] || mkdir -p "$jobs" 2>/dev/null || exit 0
# Written aside and renamed: the agent never sees half a file.
aside="$jobs/.$id.$$"
{
    printf '{"id": "%s", "user": ' "$id"
    quoted "${SLURM_JOB_USER:-}"
    printf ', "name": '
    quoted "${SLURM_JOB_NAME:-}"
    printf ', "account": '
    quoted "${SLURM_JOB_ACCOUNT:-}"
    printf ', "nodes": '
    quoted "${SLURM_JOB_NODELIST:-${SLURM_NODELIST:-}}"
    printf ', "gpus": [%s]}\n' "$(gpus)"
} 2>/dev/null >"$aside" && mv -f "$aside" "$jobs/$id.json" 2>/dev/null
rm -f "$aside" 2>/dev/null
exit 0
