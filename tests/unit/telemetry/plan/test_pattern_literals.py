"""What is said of a pattern is true of every match that RE2 finds."""

import random

import pytest

from reflexarc.telemetry.plan.pattern_literals import Texts, necessary_texts
from tests.support.otlp_conditions import pattern_for, re2_pattern
from tests.support.otlp_wire import TEXTS

# Short, so that patterns meet texts; with all that has a meaning.
MARKS = "ab|()[]{}^$*+?.\\-1,:n "


def assert_true_of(pattern: str, text: str) -> bool:
    """Check what is said of a pattern against one text; return whether there was something."""
    texts, compiled = necessary_texts(pattern), re2_pattern(pattern)
    if texts is None or compiled is None:
        return False
    match = compiled.search(text)
    if match is None:
        return False
    assert any(each in match[0] for each in texts.texts), (pattern, text, texts)
    assert all(texts.texts), (pattern, texts)
    assert not texts.whole or text in texts.texts, (pattern, text, texts)
    return True


def said(pattern: str) -> tuple[str, ...]:
    texts = necessary_texts(pattern)
    assert texts is not None
    assert not texts.whole
    return texts.texts


@pytest.mark.parametrize(
    ("pattern", "texts"),
    [
        ("healthz", ("healthz",)),
        ("^/healthz", ("/healthz",)),
        ("kube-probe/.*", ("kube-probe/",)),
        (r"GET /api/v\d+/users", ("GET /api/v",)),
        (r"a\.b\/c", ("a.b/c",)),
        ("short.+the longest of them.short", ("the longest of them",)),
        ("/(healthz|readyz)", ("/healthz", "/readyz")),
        ("(?:a|b)(c|d)", ("ac", "ad", "bc", "bd")),
        ("one|two", ("one", "two")),
        ("(a(b|c)|d)e", ("abe", "ace", "de")),
        ("colou?r", ("colo",)),
        ("ab{2}cde", ("cde",)),
        ("ab{2,}?cde", ("cde",)),
        ("ab{2,3}cde", ("cde",)),
        ("a+b*c?def", ("def",)),
        ("[a-z]def[^]x]", ("def",)),
        (r"[\]x]def", ("def",)),
        ("(a.b)cde", ("cde",)),
        ("ab$cde", ("cde",)),
        ("(^ab)cde", ("cde",)),
        ("ключ", ("ключ",)),
    ],
)
def test_texts_that_every_match_contains_are_named(pattern: str, texts: tuple[str, ...]) -> None:
    assert said(pattern) == texts


@pytest.mark.parametrize(
    ("pattern", "texts"),
    [
        ("^chat$", ("chat",)),
        ("^(chat|embeddings)$", ("chat", "embeddings")),
        ("^a$|^b$", ("a", "b")),
        (r"^/metrics\.json$", ("/metrics.json",)),
    ],
)
def test_a_pattern_from_end_to_end_names_whole_texts(pattern: str, texts: tuple[str, ...]) -> None:
    assert necessary_texts(pattern) == Texts(texts, whole=True)


@pytest.mark.parametrize("pattern", ["^chat", "chat$", "^ch.at$", "^a$|b", "^^chat$", "^chat$$"])
def test_a_pattern_that_leaves_room_names_no_whole_texts(pattern: str) -> None:
    texts = necessary_texts(pattern)

    assert texts is not None
    assert not texts.whole


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "^$",
        ".*",
        "a*",
        "(a|)",
        "chat|",
        "chat|.",
        "(?i)chat",
        "(?P<name>chat)",
        r"\bchat",
        r"\x63hat",
        r"\Qchat\E",
        r"\pNchat",
        "[[:alpha:]]chat",
        "[chat",
        "(chat",
        "chat)",
        "(a[",
        "*chat",
        "chat\\",
        "[a\\",
    ],
)
def test_nothing_is_said_of_a_pattern_that_is_not_followed(pattern: str) -> None:
    assert necessary_texts(pattern) is None


@pytest.mark.parametrize(
    ("pattern", "text"),
    [("a{[}b]cd", "a{}cd"), ("a{|}bcd", "a{"), ("ab{,2}cd", "ab{,2}cd"), ("ab{cd", "ab{cd")],
)
def test_a_brace_that_repeats_nothing_is_not_taken_for_one(pattern: str, text: str) -> None:
    compiled = re2_pattern(pattern)
    assert compiled is not None
    assert compiled.search(text)

    assert necessary_texts(pattern) is None


@pytest.mark.parametrize(
    "pattern",
    [
        "(" * 5_000 + "a" + ")" * 5_000,
        "(" * 5_000,
        "(" + "(a|b)" * 60 + ")",
        "(a|b)" * 60,
        "|".join(f"text{number}" for number in range(65)),
        "(" + "|".join(f"text{number}" for number in range(65)) + ")",
        "[" * 10_000,
        "a{" * 10_000,
    ],
    ids=["deep", "open", "wide", "product", "many", "many in a group", "classes", "braces"],
)
def test_a_pattern_of_any_size_is_given_up_quickly(pattern: str) -> None:
    assert necessary_texts(pattern) is None


@pytest.mark.parametrize("seed", range(8))
def test_what_is_said_of_random_patterns_is_true_of_random_texts(seed: int) -> None:
    rng = random.Random(seed)
    checked = 0
    for _ in range(2_000):
        pattern = "".join(rng.choices(MARKS, k=rng.randint(1, 9)))
        if necessary_texts(pattern) is None:
            continue
        for _ in range(10):
            text = "".join(
                rng.choices("ab{}|n1-, ^$", weights=[6, 6, *[1] * 10], k=rng.randint(0, 7))
            )
            checked += assert_true_of(pattern, text)

    assert checked > 100


@pytest.mark.parametrize("seed", range(6))
def test_what_is_said_of_patterns_made_for_texts_is_true_of_them(seed: int) -> None:
    rng = random.Random(seed)
    plain = [text for text in TEXTS if text]
    checked = 0
    for _ in range(400):
        text = rng.choice(plain)
        pattern = pattern_for(rng, text)
        if rng.random() < 0.3:
            pattern = f"({pattern})|({pattern_for(rng, rng.choice(plain))})"
        texts = (text, rng.choice(plain), text[1:], text + text, f"{text}/", text[: len(text) // 2])
        checked += sum(assert_true_of(pattern, each) for each in texts)

    assert checked > 300
