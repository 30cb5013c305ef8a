"""A condition part by part: what became of each, and what it read."""

import random

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans

from reflexarc.engines.ottl.check import check
from reflexarc.engines.ottl.compile import compile_condition
from reflexarc.engines.ottl.parser import parse
from reflexarc.engines.ottl.plain import PlainPaths
from reflexarc.engines.ottl.values import EvaluationError, Id, Records
from reflexarc.telemetry.condition_tree import Asking, Part, shown
from reflexarc.telemetry.short_form import ShortSpan, key_values

SPAN = ShortSpan(name="GET /healthz", kind="server", attributes={"n": 3, "text": "x" * 300})


def tree(text: str) -> Part:
    condition = parse(text, "span")
    check(condition, "span", text)
    resource = ResourceSpans()
    resource.resource.attributes.extend(key_values({"service.name": "shop"}))
    return Asking("span", text, (resource, ScopeSpans(), SPAN.message())).judged(condition)


def outline(part: Part) -> object:
    if not part.parts:
        return part.text, part.verdict
    return part.kind, part.verdict, [outline(each) for each in part.parts]


def test_what_stands_behind_the_part_that_decides_is_not_asked() -> None:
    assert outline(tree('name == "b" and kind == 2 or kind == 2 or attributes["n"] == 3')) == (
        "or",
        "true",
        [
            ("and", "false", [('name == "b"', "false"), ("kind == 2", "not asked")]),
            ("kind == 2", "true"),
            ('attributes["n"] == 3', "not asked"),
        ],
    )


def test_parts_that_are_not_asked_have_parts_as_well() -> None:
    text = 'name == "b" and (kind == 2 or not (kind == 3 and kind == 4))'

    assert outline(tree(text)) == (
        "and",
        "false",
        [
            ('name == "b"', "false"),
            (
                "or",
                "not asked",
                [
                    ("kind == 2", "not asked"),
                    (
                        "not",
                        "not asked",
                        [
                            (
                                "and",
                                "not asked",
                                [("kind == 3", "not asked"), ("kind == 4", "not asked")],
                            )
                        ],
                    ),
                ],
            ),
        ],
    )


def test_parts_stand_as_they_were_written() -> None:
    found = tree('not (name=="a and b" or ((kind)) == SPAN_KIND_SERVER) or true and kind == 1')

    assert found.verdict == "false"
    negated, both = found.parts
    assert negated.text == 'not (name=="a and b" or ((kind)) == SPAN_KIND_SERVER)'
    assert [part.text for part in negated.parts[0].parts] == [
        'name=="a and b"', "((kind)) == SPAN_KIND_SERVER",
    ]  # fmt: skip
    assert both.text == "true and kind == 1"


def test_each_part_tells_what_it_read() -> None:
    found = tree(
        'attributes["n"] + 1 == 4 and resource.attributes["service.name"] == Concat(["shop"], "")'
        ' and span.attributes["text"] != attributes["n"] and attributes["no"]["such"] == nil'
    )

    assert [dict(part.read or {}) for part in found.parts] == [
        {'attributes["n"]': "3"},
        {'resource.attributes["service.name"]': '"shop"'},
        {'span.attributes["text"]': '"' + "x" * 118 + "…", 'attributes["n"]': "3"},
        {'attributes["no"]["such"]': "nil"},
    ]


def test_an_error_ends_the_condition_and_says_what_it_is() -> None:
    found = tree('Len(attributes["n"]) > 1 or kind == 2')

    assert outline(found) == (
        "or", "error", [('Len(attributes["n"]) > 1', "error"), ("kind == 2", "not asked")],
    )  # fmt: skip
    assert found.parts[0].error == "int has no length"
    assert tree('not Len(attributes["n"]) > 1').verdict == "error"


def test_a_path_that_cannot_be_read_says_why() -> None:
    (read,) = (tree('attributes["n"]["x"] == 1').read or {}).values()

    assert read == "(int cannot be indexed by string)"


def test_a_path_may_stand_last() -> None:
    assert tree('3 == attributes["n"]').read == {'attributes["n"]': "3"}


def test_paths_with_keys_that_are_computed_are_not_shown() -> None:
    assert tree('attributes[Concat(["n"], "")] == 3').read == {}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "nil"),
        (Id(b"\x0a\xff"), "0aff"),
        (Id(b""), '""'),
        (Records(2), "(2 of them)"),
        (b"\x01", "0x01"),
        ({"a": [1, True]}, '{"a":[1,true]}'),
    ],
)
def test_values_are_shown_as_people_write_them(value: object, text: str) -> None:
    assert shown(value) == text


@pytest.mark.parametrize("seed", range(40))
def test_a_tree_decides_as_the_compiled_condition_does(seed: int) -> None:
    rng = random.Random(seed)
    text = _random(rng, 3)
    condition = parse(text, "span")
    messages = (ResourceSpans(), ScopeSpans(), SPAN.message())
    try:
        holds = compile_condition(condition, PlainPaths("span")).holds(*messages)
        expected = "true" if holds else "false"
    except EvaluationError:
        expected = "error"

    assert Asking("span", text, messages).judged(condition).verdict == expected


def _random(rng: random.Random, depth: int) -> str:
    if depth == 0 or rng.random() < 0.2:
        return rng.choice(
            ['name == "GET /healthz"', "kind == 1", 'attributes["n"] > 2', "kind == 2",
             'Len(attributes["n"]) > 1', 'IsMatch(name, "^GET")', 'attributes["no"] == nil']
        )  # fmt: skip
    if rng.random() < 0.2:
        return f"not ({_random(rng, depth - 1)})"
    word = rng.choice([" and ", " or "])
    return word.join(f"({_random(rng, depth - 1)})" for _ in range(rng.randint(2, 3)))
