from reflexarc.events.gpu_faults import Job
from reflexarc.events.signal import Entity
from reflexarc.incidents.limits import (
    COUNT_MAX,
    LABELS_MAX,
    MARKS_MAX,
    TITLE_MAX,
    bounded,
    clip,
    clip_order,
    join_labels,
    join_marks,
    shown,
)
from tests.support.incidents import signal


def test_short_text_stays_as_it_is() -> None:
    assert clip("GPU fell off the bus\n\tat 3b", 100) == "GPU fell off the bus\n\tat 3b"


def test_control_characters_become_spaces() -> None:
    assert clip("a\x00b\x1b[31m\x7f", 100) == "a b [31m "


def test_long_text_is_cut_on_a_character_and_marked() -> None:
    cut = clip("é" * 100, 21)

    assert cut == "é" * 9 + "…"
    assert len(cut.encode()) == 21


def test_labels_are_bounded_in_number_and_size_and_the_first_stay() -> None:
    many = {f"k{number:03}": "v" * 9_999 for number in range(500)}

    labels = join_labels({"kept": "1"}, many)

    assert len(labels) == LABELS_MAX
    assert labels["kept"] == "1"
    assert max(len(value.encode()) for value in labels.values()) == 200


def test_known_label_takes_the_newer_value_even_when_full() -> None:
    full = {f"k{number}": "old" for number in range(LABELS_MAX)}

    assert join_labels(full, {"k0": "new"})["k0"] == "new"


def test_marks_are_bounded_and_not_repeated() -> None:
    assert join_marks(("a",), ("b", "a", "b")) == ("a", "b")
    assert len(join_marks((), tuple(str(number) for number in range(99)))) == MARKS_MAX


def test_bounded_signal_keeps_its_identity() -> None:
    raw = signal(
        entity=Entity(kind="gpu", node="n" * 5_000),
        title="t" * 2_000,
        count=10**40,
        seq=1,
        boot="b" * 900,
        job=Job(id="j" * 9_000),
    )

    small = bounded(raw)

    assert small.entity == raw.entity
    assert len(small.title.encode()) == TITLE_MAX
    assert small.count == COUNT_MAX
    assert small.order is not None
    assert len(small.order.boot_id.encode()) == 64
    assert small.job is not None
    assert len(small.job.id.encode()) == 200
    assert len(shown(raw.entity).node.encode()) == 253


def test_absent_parts_stay_absent() -> None:
    small = bounded(signal())

    assert (small.job, clip_order(None)) == (None, None)
