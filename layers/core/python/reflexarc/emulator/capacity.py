"""What requests to DynamoDB cost in read and write units, counted from their own bodies.

An emulator charges nothing. The rules are those of on-demand tables: a write unit is one KB, a
read unit four, half of that where eventual consistency will do; what a transaction touches counts
twice, its condition checks too; an index counts as a table of its own.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html#GSI.ThroughputConsiderations
"""

import json
import math
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

WRITE_BYTES, READ_BYTES = 1024, 4096
TRANSACTED = 2
WRITES = {"PutItem": "Put", "UpdateItem": "Update", "DeleteItem": "Delete"}
_NUMBER_BYTES = 21

Item = Mapping[str, Any]
Place = tuple[str, str]


class Cost(NamedTuple):
    """Units of one request."""

    read: float = 0
    write: float = 0


class Index(NamedTuple):
    """A secondary index that holds whole items: its key attributes."""

    names: tuple[str, ...]


@dataclass(slots=True)
class Counts:
    """What went through: requests, refusals, items and units, each by operation."""

    requests: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    read: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    write: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    @property
    def reads(self) -> float:
        """Return all read units."""
        return sum(self.read.values())

    @property
    def writes(self) -> float:
        """Return all write units."""
        return sum(self.write.values())


@dataclass(slots=True)
class Meter:
    """Adds up units. `look` reads an item as it is now; `keys` and `indexes` are the tables'."""

    look: Callable[[str, Item], Item]
    keys: Mapping[str, tuple[str, ...]]
    indexes: Mapping[str, tuple[Index, ...]]
    counts: Counts = field(default_factory=Counts)
    _known: dict[Place, Item] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def took(self, operation: str, request: Item, answer: Item, status: int) -> None:
        """Count a request that the table answered; what was throttled costs nothing."""
        error = str(answer.get("__type", "")).rpartition("#")[2]
        cost = Cost() if _throttled(error) else self._cost(operation, request, answer, error)
        with self._lock:
            self.counts.requests[operation] += 1
            if error or status >= 400:  # noqa: PLR2004 - HTTP's own number
                self.counts.refused[error] += 1
            self.counts.read[operation] += cost.read
            self.counts.write[operation] += cost.write

    def place(self, what: Item) -> Place:
        """Return which item a write is about."""
        table = what["TableName"]
        return table, self._key(table, what.get("Key") or what["Item"])

    def _cost(self, operation: str, request: Item, answer: Item, error: str) -> Cost:
        if operation == "TransactWriteItems":
            actions = [next(iter(action.items())) for action in request["TransactItems"]]
            units = [self._written(kind, what, stored=not error) for kind, what in actions]
            return Cost(write=sum(own * TRANSACTED + index for own, index in units))
        if operation in WRITES:
            refused = error and error != "ConditionalCheckFailedException"
            own, index = self._written(WRITES[operation], request, stored=not error)
            return Cost() if refused else Cost(write=own + index)
        if operation == "BatchWriteItem":
            units = [
                self._written(_BATCHED[kind], {"TableName": table, **what}, stored=True)
                for table, writes in request["RequestItems"].items()
                for write in writes
                for kind, what in write.items()
            ]
            return Cost(write=sum(own + index for own, index in units))
        return Cost(read=sum(self._read(operation, request, answer)))

    def _written(self, kind: str, what: Item, *, stored: bool) -> tuple[float, float]:
        """Return the units of one write: the table's own, and those of its indexes."""
        table, place = what["TableName"], self.place(what)
        before = self._known.get(place, {})
        if kind == "ConditionCheck" or not stored:
            return units(max(size_of(before), size_of(what.get("Item", {}))), WRITE_BYTES), 0
        after: Item = {}
        if kind == "Put":
            after = what["Item"]
        elif kind == "Update":
            after = self.look(table, what["Key"])
        self._known[place] = after
        own = units(max(size_of(before), size_of(after)), WRITE_BYTES)
        return own, sum(_indexed(index, before, after) for index in self.indexes[table])

    def _read(self, operation: str, request: Item, answer: Item) -> Iterator[float]:
        """Yield units of reads. A projection is cut from whole items: those are what is read."""
        if operation == "GetItem":
            yield self._sized(request, [answer.get("Item", {})])
        elif operation == "BatchGetItem":
            for table, wanted in request["RequestItems"].items():
                found = {
                    self._key(table, item): item
                    for item in answer.get("Responses", {}).get(table, ())
                }
                for key in wanted["Keys"]:
                    item = found.get(self._key(table, key), {})
                    yield self._sized({"TableName": table, **wanted}, [item])
        elif operation in {"Query", "Scan"}:
            yield self._sized(request, answer.get("Items", ()))

    def _sized(self, request: Item, items: Iterable[Item]) -> float:
        table = request["TableName"]
        whole = (self._known.get((table, self._key(table, item)), item) for item in items)
        share = 1.0 if request.get("ConsistentRead") else 0.5
        return share * units(sum(size_of(item) for item in whole), READ_BYTES)

    def _key(self, table: str, item: Item) -> str:
        key = {name: item[name] for name in self.keys[table] if name in item}
        return json.dumps(key, sort_keys=True)


_BATCHED = {"PutRequest": "Put", "DeleteRequest": "Delete"}


def units(size: int, unit: int) -> int:
    """Return how many units so many bytes are: one at least."""
    return max(1, math.ceil(size / unit))


def size_of(item: Item) -> int:
    """Return an item's size: the names of its attributes and their values.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: Item) -> int:
    kind, held = next(iter(value.items()))
    return _SIZES.get(kind, _size_of_one)(held)


def _size_of_number(digits: str) -> int:
    return min(_NUMBER_BYTES, (len(digits.strip("-").replace(".", "")) + 1) // 2 + 1)


def _size_of_one(_: object) -> int:
    return 1


_SIZES: Mapping[str, Callable[[Any], int]] = {
    "S": lambda held: len(held.encode()),
    "N": _size_of_number,
    "B": lambda held: len(held) * 3 // 4,  # base64
    "L": lambda held: 3 + sum(1 + _value_size(each) for each in held),
    "M": lambda held: 3 + len(held) + size_of(held),
    "SS": lambda held: sum(len(each.encode()) for each in held),
    "NS": lambda held: sum(_size_of_number(each) for each in held),
}


def _indexed(index: Index, before: Item, after: Item) -> int:
    """Return what one write costs in an index: its entry is put, removed, replaced, or moved."""
    was, is_in = (all(name in item for name in index.names) for item in (before, after))
    if not was and not is_in:
        return 0
    if was and is_in:
        moved = any(before[name] != after[name] for name in index.names)
        if not moved:
            return units(max(size_of(before), size_of(after)), WRITE_BYTES) * (before != after)
        return units(size_of(before), WRITE_BYTES) + units(size_of(after), WRITE_BYTES)
    return units(size_of(before if was else after), WRITE_BYTES)


def _throttled(error: str) -> bool:
    return error in {"ProvisionedThroughputExceededException", "ThrottlingException"}
