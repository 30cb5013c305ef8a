"""The layout of the fleet table: the keys and attributes of every kind of row.

| pk                   | sk                      | holds                                           |
|----------------------|-------------------------|-------------------------------------------------|
| `FLEET#<shard>`      | `<node>`                | d (state), boot, seq, at, lost, gaps, told, ttl |
|                      |                         | snd and asked: whose, and the day it was asked; |
|                      |                         | rack, gone (farewell), quiet (what was told of  |
|                      |                         | its silence), born (a boot that is looked at)   |
| `DAY#<date>#<shard>` | `<node>#<hour>#<since>` | g.<device>: one closed hour each; ttl           |
| `RACK#<rack>`        | `NODE#<node>`           | gpus, critical, since, at, ttl                  |
| `RACK#<rack>`        | `FIRED`                 | fired, at, ttl                                  |

Shards let the whole fleet, and a day of its hours, be listed by sixteen queries, without a scan.
The state is compressed so that an idle node of eight GPUs costs one write unit.
"""

import json
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import ValidationError

from reflexarc.adapters.dynamodb import rows
from reflexarc.adapters.dynamodb.fleet_heard import SHARDS
from reflexarc.gpu.fleet_rack import Heat
from reflexarc.gpu.fleet_tally import Tally
from reflexarc.gpu.readings import NodeState, RunningHour
from reflexarc.kernel.clock import from_epoch_ms
from reflexarc.kernel.errors import Unavailable

# A node that is gone for a week is no part of the fleet any more.
STATE_KEPT = timedelta(days=7)
HEAT_KEPT = timedelta(days=1)
FIRED = "FIRED"
_NODE = "NODE#"
# What most states hold, most frequent last: it spares each of them from spelling it out.
# Never change it, for states were written with it: add another one with a number of its own.
_COMMON = (
    b'"remap_pending":"thermal/near-limit","thermal/cooling","memory/","power/brake"'
    b'"sw_thermal","hw_thermal","hw_slowdown","critical","warning","lost","unknown"'
    b'"says":"no exporter named: set --dcgm"},{"name":"dcgm","status":"absent"'
    b'"scheduler":"kubernetes","namespace":"workload":"container":"nodes":"rank":"ended":true'
    b'"memory_available_mib":,"memory_total_mib":,"disk_free_mib":,"cpu_throttled":0,'
    b'"cpu_pressure":0.0,"memory_pressure":0.0,"io_pressure":0.0,"oom_kills":0,"load1":,'
    b'"uptime_s":}"sensors":[{"name":"nvml","status":"ok"},{"name":"infiniband","status":"off"}]'
    b'"ports":{"mlx5_0/1":"ACTIVE","mlx5_1/1":"ACTIVE"},"vitals":{"left":true,"spool_bytes":'
    b'"counters":{"lines":,"faults":,"samples":,"sent":,"findings":,"corroborated":},"gpus":['
    b'{"node":","boot_id":","seq":,"sent_at":"2026-,"queued_at":"2026-,"labels":{"rack":"'
    b'"cluster":"},"agent":"0.1.0","driver":"570.,"started_at":"2026-'
    b'"hours":[{"device":"0000:,"hour":"2026-T00:00:00Z","since":"2026-,"observed_s":,"idle_s":,'
    b'"allocated_idle_s":,"job":{"id":","name":","owner":","scheduler":"slurm"'
    b'},{"device":"0000:00:00","uuid":"GPU-","index":0,"name":"NVIDIA H100 80GB HBM3",'
    b'"health":"ok","temperature_c":30.0,"margin_c":55.0,"power_w":70.0,"utilization":0.0,'
    b'"memory_used_mib":0.0,"throttled":["idle"],"mig":false}'
)


def pack(state: NodeState) -> bytes:
    """Return a state as the table holds it: one byte that names the form, then the rest."""
    text = state.model_dump_json(exclude_defaults=True, exclude={"queued_at"})
    return _deflated(text)


def unpack(row: Mapping[str, Any]) -> NodeState:
    """Return the state of a row; raises Unavailable where this version cannot read it."""
    try:
        document = json.loads(_inflated(row["d"]["B"]))
        document["queued_at"] = from_epoch_ms(int(row["at"]["N"]))
        return NodeState.model_validate(document)
    except (KeyError, ValueError, zlib.error, ValidationError) as error:
        raise Unavailable(f"the state of {row.get('sk')} is unreadable: {error}") from error


def tally_of(row: Mapping[str, Any]) -> Tally:
    """Return which messages of a node were counted."""
    return Tally(
        boot_id=row["boot"]["S"],
        seq=int(row["seq"]["N"]),
        queued_ms=int(row["at"]["N"]),
        lost=int(row["lost"]["N"]),
        gaps=frozenset(int(each) for each in row.get("gaps", {}).get("NS", ())),
    )


def told_of(row: Mapping[str, Any]) -> str:
    """Return what a node's rack was last told of it."""
    return str(row.get("told", {}).get("S", ""))


def boot_of(row: Mapping[str, Any]) -> tuple[int | None, NodeState | None]:
    """Return when a boot began whose GPUs were not found well yet, and the state that was kept."""
    if "born" not in row:
        return None, None
    try:
        return int(row["born"]["N"]), unpack(row)
    except Unavailable:
        return int(row["born"]["N"]), None


def day_key(day: str, shard: int) -> str:
    """Return the partition of one shard of a day's hours."""
    return f"DAY#{day}#{shard}"


def hours_key(node: str, hour: datetime, since: datetime) -> rows.Key:
    """Return the key of what one run of an agent counted in one hour."""
    utc = hour.astimezone(UTC)
    began = since.astimezone(UTC)
    return rows.key(
        day_key(f"{utc:%Y-%m-%d}", rows.shard(node, SHARDS)),
        f"{node}#{utc:%H}#{began:%Y%m%dT%H%M%S%f}",
    )


def pack_hour(hour: RunningHour) -> bytes:
    """Return one GPU's hour as its row holds it."""
    return _deflated(hour.model_dump_json(exclude_defaults=True))


def unpack_hour(packed: bytes) -> RunningHour:
    """Return the hour that a row holds."""
    return RunningHour.model_validate_json(_inflated(packed))


def heat_key(rack: str, node: str) -> rows.Key:
    """Return the key of how hot one node of a rack is."""
    return rows.key(f"RACK#{rack}", f"{_NODE}{node}")


def fired_key(rack: str) -> rows.Key:
    """Return the key of whether a rack's signal stands."""
    return rows.key(f"RACK#{rack}", FIRED)


def heat_of(row: Mapping[str, Any]) -> Heat:
    """Return how hot a row's node is."""
    return Heat(
        node=row["sk"]["S"].removeprefix(_NODE),
        gpus=int(row["gpus"]["N"]),
        critical=bool(row["critical"]["BOOL"]),
        since_ms=int(row["since"]["N"]),
        queued_ms=int(row["at"]["N"]),
    )


def _deflated(text: str) -> bytes:
    packer = zlib.compressobj(level=6, wbits=-15, zdict=_COMMON)
    return b"1" + packer.compress(text.encode()) + packer.flush()


def _inflated(packed: bytes) -> bytes:
    """Return the text; the first byte says with which dictionary it was packed."""
    dictionary = {b"1": _COMMON}[bytes(packed[:1])]
    return zlib.decompressobj(wbits=-15, zdict=dictionary).decompress(packed[1:])
