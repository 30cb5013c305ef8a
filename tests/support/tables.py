"""DynamoDB's tables in memory, as far as the adapters use them: quick, and answering like moto.

`tests/properties/test_handlers_chaos.py` plays what the handlers ask to moto as well, and compares
every answer.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from typing import Any

from botocore.exceptions import ClientError

Item = dict[str, Any]
Key = tuple[str, str]
Test = Callable[[Item, Mapping[str, str], Mapping[str, Any]], Any]
_TOKEN = re.compile(r"\s*([(),]|<=|>=|<>|=|<|>|[#:\w]+)")
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: bool(a == b),
    "<>": lambda a, b: bool(a != b),
    "<": lambda a, b: bool(a < b),
    "<=": lambda a, b: bool(a <= b),
    ">": lambda a, b: bool(a > b),
    ">=": lambda a, b: bool(a >= b),
}


def refusal(code: str, operation: str, **more: Any) -> ClientError:
    """Return the error of a refused request."""
    error: Any = {"Error": {"Code": code, "Message": code}, "ResponseMetadata": {}, **more}
    return ClientError(error, operation)


@dataclass
class Tables:
    """All tables of one account; each has pk and sk, and `watch` as its index."""

    items: dict[str, dict[str, dict[str, Item]]] = field(default_factory=dict)
    watchers: list[Callable[[list[Item], list[Item]], None]] = field(default_factory=list)
    """Who is told of each transaction: the rows that it wrote as they were, and as they are."""

    def call(self, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Answer one request; raises ClientError as botocore does."""
        return _OPERATIONS[operation](self, params)

    def rows(self, table: str, prefix: str = "", sort: str = "") -> list[Item]:
        """Return the rows whose keys begin so, in order."""
        parts = self.items.get(table, {})
        return [
            parts[pk][sk]
            for pk in sorted(parts)
            if pk.startswith(prefix)
            for sk in sorted(parts[pk])
            if sk.startswith(sort)
        ]

    def _row(self, table: str, key: Mapping[str, Any]) -> Item | None:
        pk, sk = _key(key)
        return self.items.get(table, {}).get(pk, {}).get(sk)

    def _set(self, table: str, key: Key, item: Item | None) -> None:
        part = self.items.setdefault(table, {}).setdefault(key[0], {})
        if item is None:
            part.pop(key[1], None)
        else:
            part[key[1]] = item

    def get(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """GetItem."""
        row = self._row(params["TableName"], params["Key"])
        return {"Item": _projected(row, params)} if row is not None else {}

    def batch_get(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """BatchGetItem."""
        answers = {}
        for table, request in params["RequestItems"].items():
            rows = [self._row(table, key) for key in request["Keys"]]
            answers[table] = [_projected(row, request) for row in rows if row is not None]
        return {"Responses": answers, "UnprocessedKeys": {}}

    def query(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Query a partition of the table or of its index."""
        index = params.get("IndexName")
        holds, sort = _condition(params["KeyConditionExpression"]), "watch_sk" if index else "sk"
        found = [
            row
            for row in self._candidates(params, by_index=bool(index))
            if holds(row, params.get("ExpressionAttributeNames", {}), _values(params))
        ]
        found.sort(key=lambda row: row[sort]["S"], reverse=not params.get("ScanIndexForward", True))
        found = found[: params.get("Limit")]
        return {"Items": [_projected(row, params) for row in found], "Count": len(found)}

    def _candidates(self, params: Mapping[str, Any], *, by_index: bool) -> Iterable[Item]:
        table = self.items.get(params["TableName"], {})
        if by_index:
            return [row for part in table.values() for row in part.values() if "watch_pk" in row]
        named = re.match(r"pk = (:\w+)", params["KeyConditionExpression"])
        assert named, params["KeyConditionExpression"]
        return list(table.get(_values(params)[named[1]]["S"], {}).values())

    def write(self, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """PutItem, UpdateItem or DeleteItem."""
        before = self._row(params["TableName"], params.get("Key") or params["Item"])
        if not _agrees(before, params):
            old = params.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" and before
            more = {"Item": _copied(before)} if old and before else {}
            raise refusal("ConditionalCheckFailedException", operation, **more)
        after = self._written(operation.removesuffix("Item"), before, params)
        wanted = {"ALL_NEW": after, "ALL_OLD": before}.get(params.get("ReturnValues", ""))
        return {"Attributes": _copied(wanted)} if wanted else {}

    def _written(self, kind: str, before: Item | None, params: Mapping[str, Any]) -> Item | None:
        key = _key(params.get("Key") or params["Item"])
        makers: Mapping[str, Callable[[], Item | None]] = {
            "Put": lambda: _copied(params["Item"]),
            "Update": lambda: _updated(before, params),
            "Delete": lambda: None,
            "ConditionCheck": lambda: before,
        }
        after = makers[kind]()
        self._set(params["TableName"], key, after)
        return after

    def transact(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """TransactWriteItems: all of it, or nothing and why."""
        writes = [next(iter(each.items())) for each in params["TransactItems"]]
        keys = [(w["TableName"], *_key(w.get("Key") or w["Item"])) for _, w in writes]
        if len(set(keys)) < len(keys) or len(keys) > 100:
            raise refusal("ValidationException", "TransactWriteItems")
        before = [self._row(w["TableName"], w.get("Key") or w["Item"]) for _, w in writes]
        agreed = [_agrees(row, w) for row, (_, w) in zip(before, writes, strict=True)]
        if not all(agreed):
            reasons = [{"Code": "None" if yes else "ConditionalCheckFailed"} for yes in agreed]
            raise refusal(
                "TransactionCanceledException", "TransactWriteItems", CancellationReasons=reasons
            )
        kept = [_copied(row) for row in before]
        after = [self._written(kind, row, w) for row, (kind, w) in zip(before, writes, strict=True)]
        for watch in self.watchers:
            watch(kept, [_copied(row) for row in after])
        return {}


_OPERATIONS: Mapping[str, Callable[[Tables, Mapping[str, Any]], dict[str, Any]]] = {
    "GetItem": Tables.get,
    "BatchGetItem": Tables.batch_get,
    "Query": Tables.query,
    "PutItem": lambda tables, params: tables.write("PutItem", params),
    "UpdateItem": lambda tables, params: tables.write("UpdateItem", params),
    "DeleteItem": lambda tables, params: tables.write("DeleteItem", params),
    "TransactWriteItems": Tables.transact,
}


def _key(item: Mapping[str, Any]) -> Key:
    return item["pk"]["S"], item["sk"]["S"]


def _copied(item: Item | None) -> Item:
    return {name: dict(value) for name, value in (item or {}).items()}


def _values(params: Mapping[str, Any]) -> Mapping[str, Any]:
    values: Mapping[str, Any] = params.get("ExpressionAttributeValues", {})
    return values


def _projected(row: Item, params: Mapping[str, Any]) -> Item:
    if "ProjectionExpression" not in params:
        return _copied(row)
    names = params.get("ExpressionAttributeNames", {})
    wanted = [
        names.get(each.strip(), each.strip()) for each in params["ProjectionExpression"].split(",")
    ]
    return {name: dict(row[name]) for name in wanted if name in row}


def _agrees(row: Item | None, params: Mapping[str, Any]) -> bool:
    expression = params.get("ConditionExpression")
    if not expression:
        return True
    names = params.get("ExpressionAttributeNames", {})
    return bool(_condition(expression)(row or {}, names, _values(params)))


def _updated(row: Item | None, params: Mapping[str, Any]) -> Item:
    names, values = params.get("ExpressionAttributeNames", {}), _values(params)
    before = row if row is not None else _copied(params["Key"])
    after = _copied(before)
    sets, removes = _update(params["UpdateExpression"])
    for name, operand in sets:
        found = operand(before, names, values)
        assert found is not None, params["UpdateExpression"]
        after[names.get(name, name)] = dict(found)
    for name in removes:
        after.pop(names.get(name, name), None)
    return after


@cache
def _condition(expression: str) -> Test:
    tokens = _Tokens(expression)
    test = _either(tokens)
    assert tokens.next() == "", expression
    return test


@cache
def _update(expression: str) -> tuple[list[tuple[str, Test]], list[str]]:
    tokens, sets, removes = _Tokens(expression), [], []
    while (word := tokens.next()) != "":
        assert word in {"SET", "REMOVE"}, expression
        while True:
            name = tokens.next()
            if word == "SET":
                assert tokens.next() == "=", expression
                sets.append((name, _operand(tokens)))
            else:
                removes.append(name)
            if tokens.peek() != ",":
                break
            tokens.next()
    return sets, removes


class _Tokens:
    def __init__(self, text: str) -> None:
        self._tokens: Iterator[str] = iter(_TOKEN.findall(text))
        self._ahead: list[str] = []

    def peek(self) -> str:
        if not self._ahead:
            self._ahead.append(next(self._tokens, ""))
        return self._ahead[0]

    def next(self) -> str:
        return self._ahead.pop() if self._ahead else next(self._tokens, "")


def _either(tokens: _Tokens) -> Test:
    tests = [_all(tokens)]
    while tokens.peek() == "OR":
        tokens.next()
        tests.append(_all(tokens))
    return lambda *row: any(test(*row) for test in tests)


def _all(tokens: _Tokens) -> Test:
    tests = [_one(tokens)]
    while tokens.peek() == "AND":
        tokens.next()
        tests.append(_one(tokens))
    return lambda *row: all(test(*row) for test in tests)


def _one(tokens: _Tokens) -> Test:
    if tokens.peek() == "NOT":
        tokens.next()
        negated = _one(tokens)
        return lambda *row: not negated(*row)
    if tokens.peek() == "(":
        tokens.next()
        inside = _either(tokens)
        assert tokens.next() == ")"
        return inside
    left = _operand(tokens)
    if tokens.peek() not in _COMPARE:
        return left
    compare, right = _COMPARE[tokens.next()], _operand(tokens)
    return lambda *row: _compared(compare, left(*row), right(*row))


def _compared(compare: Callable[[Any, Any], bool], left: Item | None, right: Item | None) -> bool:
    if left is None or right is None or left.keys() != right.keys():
        return False
    (kind, a), (_, b) = *left.items(), *right.items()
    return compare(Decimal(a), Decimal(b)) if kind == "N" else compare(a, b)


def _operand(tokens: _Tokens) -> Test:
    """Return what finds a value, a named attribute or the answer of a function."""
    word = tokens.next()
    if tokens.peek() != "(":
        if word.startswith(":"):
            return lambda _, __, values: values[word]
        return lambda row, names, _: row.get(names.get(word, word))
    tokens.next()
    arguments = [_operand(tokens)]
    while tokens.peek() == ",":
        tokens.next()
        arguments.append(_operand(tokens))
    assert tokens.next() == ")", word
    function = _FUNCTIONS[word]
    return lambda *row: function(*(argument(*row) for argument in arguments))


_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "attribute_exists": lambda found: found is not None,
    "attribute_not_exists": lambda found: found is None,
    "begins_with": lambda found, start: found is not None and found["S"].startswith(start["S"]),
    "if_not_exists": lambda found, default: default if found is None else found,
}
