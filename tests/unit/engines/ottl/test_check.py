"""Which names a condition may use in which context."""

import pytest

from reflexarc.engines.ottl.check import check, check_patterns
from reflexarc.engines.ottl.contexts import FIELDS, READABLE
from reflexarc.engines.ottl.parser import parse
from reflexarc.engines.ottl.reads import Read, reads
from reflexarc.engines.ottl.syntax import OttlError
from tests.support.ottl import compiled


@pytest.mark.parametrize(
    ("context", "path"),
    [
        (context, f"{prefix}.{'.'.join(names)}")
        for context, prefixes in READABLE.items()
        for prefix, owner in prefixes.items()
        for names in FIELDS[owner]
    ],
)
def test_every_field_is_read_from_every_context_that_sees_it(context: str, path: str) -> None:
    assert compiled(f"{path} != nil", context).reads


@pytest.mark.parametrize(
    ("text", "context", "column", "reason"),
    [
        ('nonsense == "a"', "span", 1, "span has no field nonsense"),
        ('true and resource.name == "a"', "span", 10, "resource has no field name"),
        ('metric.name == "a"', "span", 1, "metric cannot be read in context span"),
        ('log.body == "a"', "resource", 1, "log cannot be read in context resource"),
        ('span.name == "a"', "metric", 1, "span cannot be read in context metric"),
        ('name["a"] == "a"', "span", 1, "span.name cannot be indexed"),
        ('attributes["a"].b == "a"', "span", 1, "span has no field attributes[...].b"),
        ("trace_state[1] == nil", "span", 1, "takes one key in quotes"),
        ('trace_state["a"]["b"] == nil', "span", 1, "takes one key in quotes"),
        ("trace_state[name] == nil", "span", 1, "takes one key in quotes"),
        ("resource.cache == nil", "span", 1, "resource has no field cache"),
        ("name == Len(nonsense)", "span", 13, "no field nonsense"),
        ("attributes[nonsense] == nil", "span", 12, "no field nonsense"),
        ("-nonsense == 1", "span", 2, "no field nonsense"),
        ("[1, nonsense] == [1]", "span", 5, "no field nonsense"),
        ('{"a": nonsense} == {}', "span", 7, "no field nonsense"),
        ("not (nonsense == 1)", "span", 6, "no field nonsense"),
        ("true or 1 + nonsense == 1", "span", 13, "no field nonsense"),
        ("true", "profile", 1, "'profile' is no context here"),
    ],
)
def test_a_name_that_is_unknown_is_refused_at_its_column(
    text: str, context: str, column: int, reason: str
) -> None:
    tree = parse(text, context)

    with pytest.raises(OttlError) as refused:
        check(tree, context, text)

    assert refused.value.column == column
    assert reason in refused.value.reason


def test_patterns_are_checked_where_nothing_else_is_known() -> None:
    for text in ('IsMatch(foo.bar, "a+")', "Int() == 1", "Test() or IsMatch(a, b)"):
        check_patterns(parse(text, ""), text)
    with pytest.raises(OttlError, match="column 12: IsMatch: pattern"):
        check_patterns(parse('IsMatch(a, "(")', ""), 'IsMatch(a, "(")')


def test_what_a_condition_reads_is_known() -> None:
    tree = parse(
        'resource.attributes["a"]["b"] == name and attributes[span_id.string] == nil'
        " and IsRootSpan() and Len(attributes) > 1",
        "span",
    )

    assert reads(tree) == {
        Read("resource", ("attributes",), "a"),
        Read("span", ("name",)),
        Read("span", ("attributes",)),
        Read("span", ("span_id", "string")),
        Read("span", ("parent_span_id",)),
    }
