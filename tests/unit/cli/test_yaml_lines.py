"""YAML as people mean it, with the line of each setting."""

import pytest

from reflexarc.cli.yaml_lines import NotYaml, read

DOCUMENT = """\
routes:
  - name: first
    hours: {start: 10:30, end: 09:00}
  - {name: second, on: no}
day: 2026-12-24
"""


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("10:30", "10:30"),
        ("2026-12-24T20:00:00Z", "2026-12-24T20:00:00Z"),
        ("no", "no"),
        ("off", "off"),
        ("true", True),
        ("12", 12),
        ("-0.5", -0.5),
        ("1e3", 1000.0),
        ("~", None),
        ("", None),
        ("0o7", "0o7"),
        ('"12"', "12"),
    ],
)
def test_plain_values_are_what_they_look_like(written: str, meant: object) -> None:
    assert read(f"a: {written}\n").content == {"a": meant}


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "---\n"])
def test_an_empty_document_says_nothing(text: str) -> None:
    assert read(text).content in ({}, None)
    assert list(read(text).twice()) == []


def test_what_is_missing_from_an_empty_document_is_at_its_beginning() -> None:
    assert read("").position(("a",)) == (1, 1)


@pytest.mark.parametrize(
    ("place", "position"),
    [
        ((), (1, 1)),
        (("routes",), (1, 1)),
        (("routes", 0, "name"), (2, 5)),
        (("routes", 0, "hours", "end"), (3, 27)),
        (("routes", 1), (4, 5)),
        (("routes", 1, "on"), (4, 20)),
        (("day",), (5, 1)),
    ],
)
def test_every_setting_has_its_line_and_column(
    place: tuple[str | int, ...], position: tuple[int, int]
) -> None:
    assert read(DOCUMENT).position(place) == position


@pytest.mark.parametrize(
    ("place", "position"),
    [
        (("routes", 1, "channels"), (4, 5)),
        (("routes", 7), (1, 1)),
        (("hours",), (1, 1)),
        (("day", "x"), (5, 1)),
    ],
)
def test_what_is_missing_is_where_it_should_have_been(
    place: tuple[str | int, ...], position: tuple[int, int]
) -> None:
    assert read(DOCUMENT).position(place) == position


def test_a_setting_that_is_written_twice_is_found_at_any_depth() -> None:
    document = read("a:\n  - {b: 1, b: 2}\nc: 1\na: 3\n")

    assert [each.place for each in document.twice()] == [("a",), ("a", 0, "b")]
    assert document.position(("a",)) == (4, 1)


def test_an_alias_is_read_and_looked_at_once() -> None:
    document = read("a: &x {b: 1, b: 1}\nc: *x\n")

    assert document.content == {"a": {"b": 1}, "c": {"b": 1}}
    assert len(list(document.twice())) == 1


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: [1\nb: 2\n", 2),
        ("a: 1\n\tb: 2\n", 2),
        ("a: *nobody\n", 1),
        ("a: !!python/object:os.system x\n", 1),
        ("a: 1\n---\nb: 2\n", 2),
        ("a: \x00\n", 1),
        ("[" * 5_000, 1),
        ("a: &x {b: *x}\n", 1),
        ("a: !!timestamp 2026-12-24\n", 1),
    ],
)
def test_what_is_no_yaml_is_refused_with_its_line(text: str, line: int) -> None:
    with pytest.raises(NotYaml) as refusal:
        read(text)

    assert refusal.value.document.position(())[0] == line
    assert "\n" not in str(refusal.value)
