#!/bin/sh
# Slurm's Epilog: the job that prolog.sh wrote down is over. It never fails a job: it exits 0.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH
trap 'exit 0' EXIT HUP INT TERM

id="${SLURM_JOB_ID:-}"
case "$id" in '' | *[!0-9]*) exit 0 ;; esac
rm -f "${REFLEXARC_JOBS_DIR:-/run/reflexarc/jobs}/$id.json" 2>/dev/null
exit 0
