"""Fills gpu.fleet_ports.Fleet with the fleet table: one write a node and minute while all is well.

A message that follows the one that its sender left before is written in one conditional update.
Anything else (a gap, another boot or sender, a late or repeated message) fails that condition and
is decided by `gpu.fleet_tally.merge` on the row as it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any

from reflexarc.adapters.dynamodb import fleet_heard, fleet_rows, rows
from reflexarc.adapters.dynamodb.errors import ConditionFailed, store_errors
from reflexarc.gpu.fleet_ports import Kept, Rack
from reflexarc.gpu.fleet_rack import LABEL, Heat
from reflexarc.gpu.fleet_silence import WITNESS
from reflexarc.gpu.fleet_tally import Merged, merge
from reflexarc.gpu.readings import NodeState, RunningHour
from reflexarc.kernel.clock import epoch_ms
from reflexarc.kernel.errors import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TRIES = 5
_FOLLOWS = "SET d = :d, seq = :seq, #at = :at, #ttl = :ttl, rack = :rack, gone = :gone"
_STATE = f"{_FOLLOWS}, boot = :boot, snd = :snd, asked = :asked"
_NAMES = {"#at": "at", "#ttl": "ttl"}


@dataclass(frozen=True, slots=True)
class DynamoFleet:
    """States, hours and racks; raises Unavailable when the table does not answer."""

    client: "DynamoDBClient"
    table: str
    hours_kept: timedelta

    def follow(
        self, state: NodeState, seqs: frozenset[int], sender: str, now: datetime
    ) -> Kept | None:
        """Keep a state that follows the one that this sender left before, on the same day."""
        first = min(seqs)
        if max(seqs) - first >= len(seqs):
            return None
        try:
            old = self._update(
                fleet_heard.state_key(state.node),
                _FOLLOWS,
                self._values(state, sender, now) | {":before": rows.number(first - 1)},
                "boot = :boot AND seq = :before AND snd = :snd AND asked = :asked",
            )
        except ConditionFailed:
            return None
        born, before = fleet_rows.boot_of(old)
        return Kept(newest=True, told=fleet_rows.told_of(old), born=born, before=before)

    def keep(self, state: NodeState, seqs: frozenset[int], sender: str, now: datetime) -> Kept:
        """Keep a node's newest state, of a sender that speaks for it, unless a newer is there."""
        values = self._values(state, sender, now)
        return self._decide(state, seqs, values, self._read(state.node))

    def witness(self, state: NodeState, now: datetime) -> bool:
        """Keep what telemetry says of a node that no agent speaks for; False where one does."""
        try:
            self._update(
                fleet_heard.state_key(state.node),
                f"{_STATE}, lost = :lost",
                self._values(state, WITNESS, now) | {":lost": rows.number(0)},
                "attribute_not_exists(pk) OR (snd = :snd AND #at <= :at)",
            )
        except ConditionFailed:
            return False
        return True

    def count(self, node: str, hours: Sequence[RunningHour], now: datetime) -> None:
        """Keep hours that are over; the same hour again replaces itself."""

        def run(hour: RunningHour) -> tuple[datetime, datetime]:
            return hour.hour, hour.since

        for (hour, since), group in groupby(sorted(hours, key=run), key=run):
            told = {each.device: fleet_rows.pack_hour(each) for each in group}
            names = {f"#{place}": f"g.{device}" for place, device in enumerate(told)}
            sets = ", ".join(f"#{place} = :{place}" for place in range(len(told)))
            values: rows.Key = {
                f":{place}": {"B": packed} for place, packed in enumerate(told.values())
            }
            with store_errors(f"keeping an hour of {node}"):
                self.client.update_item(
                    TableName=self.table,
                    Key=fleet_rows.hours_key(node, hour, since),
                    UpdateExpression=f"SET #ttl = :ttl, {sets}",
                    ExpressionAttributeNames=names | {"#ttl": "ttl"},
                    ExpressionAttributeValues=values | {":ttl": rows.ttl(now, self.hours_kept)},
                )

    def turn(self, rack: str, heat: Heat, now: datetime) -> Rack:
        """Keep how hot a node is unless newer is known; return its rack."""
        self._newer(
            fleet_rows.heat_key(rack, heat.node),
            "SET gpus = :gpus, critical = :critical, since = :since, #at = :at, #ttl = :ttl",
            {
                ":gpus": rows.number(heat.gpus),
                ":critical": {"BOOL": heat.critical},
                ":since": rows.number(heat.since_ms),
                ":at": rows.number(heat.queued_ms),
                ":ttl": rows.ttl(now, fleet_rows.HEAT_KEPT),
            },
        )
        found = self._rack(rack)
        fired = any(row["fired"]["BOOL"] for row in found if row["sk"]["S"] == fleet_rows.FIRED)
        heats = (fleet_rows.heat_of(row) for row in found if row["sk"]["S"] != fleet_rows.FIRED)
        return Rack(rows=tuple(heats), fired=fired)

    def tell(self, heat: Heat) -> None:
        """Remember that a node's rack was told of its heat."""
        try:
            self._update(
                fleet_heard.state_key(heat.node),
                "SET told = :told",
                {":told": rows.text(heat.told)},
                "attribute_exists(pk)",
                {},
            )
        except ConditionFailed:
            return

    def mark(self, rack: str, queued_ms: int, now: datetime, *, fired: bool) -> None:
        """Remember whether a rack's signal stands, unless newer is known."""
        self._newer(
            fleet_rows.fired_key(rack),
            "SET fired = :fired, #at = :at, #ttl = :ttl",
            {
                ":fired": {"BOOL": fired},
                ":at": rows.number(queued_ms),
                ":ttl": rows.ttl(now, fleet_rows.STATE_KEPT),
            },
        )

    def settle(self, node: str, born: int) -> None:
        """Remember that the GPUs of a boot that began then need no further look."""
        try:
            self._update(
                fleet_heard.state_key(node),
                "REMOVE born",
                {":born": rows.number(born)},
                "born = :born",
                {},
            )
        except ConditionFailed:
            return

    def _decide(
        self, state: NodeState, seqs: frozenset[int], values: rows.Key, row: Mapping[str, Any]
    ) -> Kept:
        for _ in range(TRIES):
            known = fleet_rows.tally_of(row) if row else None
            merged = merge(known, state.boot_id, seqs, epoch_ms(state.queued_at))
            told = fleet_rows.told_of(row)
            born, before = fleet_rows.boot_of(row)
            if merged is None:
                mine = known is not None and (known.boot_id, known.seq) == (
                    state.boot_id,
                    state.seq,
                )
                return Kept(newest=mine, told=told, born=born, before=before)
            try:
                self._merge(state, merged, values, row)
            except ConditionFailed as error:
                row = error.row
                continue
            return Kept(
                newest=merged.fresh,
                lost=merged.lost,
                recovered=merged.recovered,
                told=told,
                born=born,
                before=before,
            )
        raise Unavailable(f"the state of {state.node} changed {TRIES} times meanwhile")

    def _merge(
        self, state: NodeState, merged: Merged, values: rows.Key, row: Mapping[str, Any]
    ) -> None:
        """Write what was decided if the row still is what it was decided on."""
        tally = merged.tally
        written = {name: values[name] for name in (values if merged.fresh else ())}
        written[":lost"] = rows.number(tally.lost)
        expression = f"{_STATE}, lost = :lost" if merged.fresh else "SET lost = :lost"
        names = _NAMES if merged.fresh else {}
        if merged.fresh and row and row["boot"]["S"] != state.boot_id:
            expression += ", born = :born"
            written[":born"] = rows.instant(state.queued_at)
        if tally.gaps:
            expression += ", gaps = :gaps"
            written[":gaps"] = {"NS": [str(seq) for seq in sorted(tally.gaps)]}
        elif "gaps" in row:
            expression += " REMOVE gaps"
        condition = "attribute_not_exists(pk)"
        if row:
            condition = "boot = :was_boot AND seq = :was_seq AND lost = :was_lost"
            written |= {
                ":was_boot": row["boot"],
                ":was_seq": row["seq"],
                ":was_lost": row["lost"],
            }
        self._update(fleet_heard.state_key(state.node), expression, written, condition, names)

    def _values(self, state: NodeState, sender: str, now: datetime) -> rows.Key:
        return {
            ":snd": rows.text(sender),
            # A binding is asked for once a day at least, and so renewed before it expires.
            ":asked": rows.text(f"{now:%Y-%m-%d}"),
            ":d": {"B": fleet_rows.pack(state)},
            ":boot": rows.text(state.boot_id),
            ":seq": rows.number(state.seq),
            ":at": rows.instant(state.queued_at),
            ":ttl": rows.ttl(now, fleet_rows.STATE_KEPT),
            ":rack": rows.text(state.labels.get(LABEL, "")),
            ":gone": {"BOOL": state.left},
        }

    def _newer(self, key: rows.Key, expression: str, values: rows.Key) -> None:
        """Write a row unless a newer one is there."""
        try:
            self._update(key, expression, values, "attribute_not_exists(pk) OR #at <= :at")
        except ConditionFailed:
            return

    def _update(
        self,
        key: rows.Key,
        expression: str,
        values: rows.Key,
        condition: str,
        names: Mapping[str, str] = _NAMES,
    ) -> Mapping[str, Any]:
        """Update one row and return what it was; raises ConditionFailed with what it is."""
        more: dict[str, Any] = {"ExpressionAttributeNames": dict(names)} if names else {}
        with store_errors(f"writing {key['sk'].get('S')} of the fleet"):
            return self.client.update_item(
                TableName=self.table,
                Key=key,
                UpdateExpression=expression,
                ConditionExpression=condition,
                ExpressionAttributeValues=values,
                ReturnValues="ALL_OLD",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
                **more,
            ).get("Attributes", {})

    def _read(self, node: str) -> Mapping[str, Any]:
        found = self._query("pk = :pk AND sk = :sk", fleet_heard.state_key(node))
        return found[0] if found else {}

    def _rack(self, rack: str) -> list[Mapping[str, Any]]:
        return self._query("pk = :pk", {"pk": fleet_rows.fired_key(rack)["pk"]})

    def _query(self, condition: str, key: rows.Key) -> list[Mapping[str, Any]]:
        pages = self.client.get_paginator("query").paginate(
            TableName=self.table,
            KeyConditionExpression=condition,
            ExpressionAttributeValues={f":{name}": value for name, value in key.items()},
            ConsistentRead=True,
        )
        with store_errors("reading the fleet"):
            return [row for page in pages for row in page["Items"]]
