"""What an item weighs and what a request costs, by DynamoDB's published rules."""

from typing import Any

import pytest

from reflexarc.emulator.capacity import Index, Meter, size_of, units

KEY = {"pk": {"S": "p"}, "sk": {"S": "s"}}  # 6 bytes
THROTTLED = "x#ThrottlingException"
CONDITION = "x#ConditionalCheckFailedException"


def of_size(size: int, **more: Any) -> dict[str, Any]:
    """Return an item of so many bytes, `more` included."""
    item = {**KEY, **more, "doc": {"S": ""}}
    return {**item, "doc": {"S": "x" * (size - size_of(item))}}


class Table:
    """A meter of one table with an index on `w`, and what it would read there."""

    def __init__(self) -> None:
        self.held: dict[str, Any] = {}
        self.meter = Meter(
            lambda _table, _key: self.held, {"t": ("pk", "sk")}, {"t": (Index(("w",)),)}
        )

    def write(self, operation: str, error: str = "", **request: Any) -> float:
        before = self.meter.counts.writes
        answer = {"__type": error} if error else {}
        request = {"TableName": "t", **request}
        self.meter.took(operation, request, answer, 400 if error else 200)
        return self.meter.counts.writes - before

    def put(self, item: dict[str, Any], error: str = "") -> float:
        return self.write("PutItem", error, Item=item)

    def read(self, operation: str, answer: dict[str, Any], **request: Any) -> float:
        before = self.meter.counts.reads
        self.meter.took(operation, {"TableName": "t", **request}, answer, 200)
        return self.meter.counts.reads - before


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ({"S": "né"}, 3),
        ({"N": "1795489987120"}, 8),
        ({"N": "-0.5"}, 2),
        ({"B": "AAAA"}, 3),
        ({"BOOL": True}, 1),
        ({"NULL": True}, 1),
        ({"SS": ["ab", "c"]}, 3),
        ({"L": [{"S": "ab"}]}, 6),
        ({"M": {"k": {"S": "ab"}}}, 7),
    ],
)
def test_a_value_weighs_what_the_guide_says(value: dict[str, Any], size: int) -> None:
    assert size_of({"a": value}) == 1 + size


@pytest.mark.parametrize(("size", "count"), [(0, 1), (1024, 1), (1025, 2)])
def test_units_are_begun_ones_and_one_at_least(size: int, count: int) -> None:
    assert units(size, 1024) == count


def test_a_put_costs_the_larger_of_what_was_and_what_is() -> None:
    table = Table()

    assert table.put(of_size(2049)) == 3
    assert table.put(of_size(100)) == 3
    assert table.put(of_size(100)) == 1


def test_an_update_costs_the_whole_item() -> None:
    table = Table()
    table.held = of_size(1025)

    assert table.write("UpdateItem", Key=KEY) == 2


def test_a_transaction_costs_twice_and_so_does_its_check() -> None:
    table = Table()
    other = {"pk": {"S": "p"}, "sk": {"S": "other"}}
    actions = [
        {"Put": {"TableName": "t", "Item": of_size(1025)}},
        {"ConditionCheck": {"TableName": "t", "Key": other}},
    ]

    assert table.write("TransactWriteItems", TransactItems=actions) == 2 * 2 + 2 * 1


def test_an_index_costs_what_is_put_moved_and_taken_from_it() -> None:
    table = Table()
    costs = [
        table.put(of_size(100)),
        table.put(of_size(100, w={"S": "a"})),
        table.put(of_size(100, w={"S": "a"})),
        table.put(of_size(101, w={"S": "a"})),
        table.put(of_size(101, w={"S": "b"})),
        table.write("DeleteItem", Key=KEY),
    ]

    # None, an entry is new, unchanged, changed, moved (taken and put), taken.
    assert costs == [1 + 0, 1 + 1, 1 + 0, 1 + 1, 1 + 2, 1 + 1]


def test_a_failed_condition_costs_the_table_and_changes_nothing() -> None:
    table = Table()
    table.put(of_size(1025, w={"S": "a"}))

    assert table.put(of_size(100, w={"S": "b"}), CONDITION) == 2
    assert table.put(of_size(1025, w={"S": "a"})) == 2  # its index entry is as it was


def test_what_is_throttled_costs_nothing_and_is_counted() -> None:
    table = Table()

    assert table.put(of_size(100), THROTTLED) == 0
    assert dict(table.meter.counts.refused) == {"ThrottlingException": 1}
    assert dict(table.meter.counts.requests) == {"PutItem": 1}


@pytest.mark.parametrize(("consistent", "cost"), [(True, 2.0), (False, 1.0)])
def test_a_query_adds_its_items_up_before_it_rounds(*, consistent: bool, cost: float) -> None:
    items = [of_size(3000), {**of_size(3000), "sk": {"S": "t"}}]

    assert Table().read("Query", {"Items": items}, ConsistentRead=consistent) == cost


def test_a_projection_reads_whole_items() -> None:
    table = Table()
    table.put(of_size(5000))

    assert table.read("Query", {"Items": [KEY]}, ConsistentRead=True) == 2


def test_an_item_that_is_not_there_costs_a_read() -> None:
    assert Table().read("GetItem", {}, Key=KEY) == 0.5
    batch = {"RequestItems": {"t": {"Keys": [KEY, {**KEY, "sk": {"S": "z"}}]}}}
    assert Table().read("BatchGetItem", {"Responses": {"t": [of_size(5000)]}}, **batch) == 1.5
