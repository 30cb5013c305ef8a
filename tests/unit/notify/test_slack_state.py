import json
from typing import Any

from reflexarc.events.page import Mute, Page, Step
from reflexarc.notify import slack_state
from tests.support.notices import at, page

AT_59 = "<!date^1772513964^{time}|2026-03-03 04:59:24 UTC>"
ESCALATES = Step(kind="escalate", at=at(900), channels=("platform",))


def labels(about: Page) -> list[str]:
    return [
        button["text"]["text"]
        for block in slack_state.buttons(about)
        for button in block["elements"]
    ]


def lines(**fields: Any) -> list[str]:
    return slack_state.lines(page(**fields))


def test_every_button_names_its_page_and_what_it_does() -> None:
    about = page(generation=2)

    [block] = slack_state.buttons(about)

    assert [button["action_id"] for button in block["elements"]] == [
        "reflexarc_ack",
        "reflexarc_silence",
        "reflexarc_resolve",
        "reflexarc_not_a_fault",
    ]
    assert {button["value"] for button in block["elements"]} == {
        json.dumps({"scope": about.scope, "generation": 2})
    }


def test_what_ends_a_page_for_everybody_is_asked_twice() -> None:
    [block] = slack_state.buttons(page())

    asked = {
        button["action_id"]: button["confirm"]["title"]["text"]
        for button in block["elements"]
        if "confirm" in button
    }
    assert asked == {
        "reflexarc_resolve": "Resolve this page?",
        "reflexarc_not_a_fault": "Not a fault?",
    }


def test_only_buttons_that_make_sense_are_shown() -> None:
    silenced = Mute(kind="silence", name="s1", until=at(3600))

    assert labels(page(state="acked")) == ["Silence 1 h", "Resolve", "Not a fault"]
    assert labels(page(muted=silenced)) == ["Ack", "Resolve", "Not a fault"]
    assert labels(page(state="resolved")) == []


def test_who_is_told_next_and_when_is_told() -> None:
    later = Step(kind="escalate", at=at(1800), channels=("managers",))

    assert lines(steps=(later, ESCALATES)) == [
        f"⏫ *Escalates* to `platform` at {AT_59} unless acknowledged"
    ]


def test_many_channels_of_an_escalation_are_counted() -> None:
    step = ESCALATES.model_copy(update={"channels": ("a", "b", "c", "d", "e")})
    nobody = ESCALATES.model_copy(update={"channels": ()})

    assert "to `a`, `b`, `c`, 2 more at" in lines(steps=(step,))[0]
    assert "to others at" in lines(steps=(nobody,))[0]


def test_nobody_else_is_told_of_what_is_acknowledged_or_quiet() -> None:
    planned = Mute(kind="maintenance", name="rack-move", why="cables", until=at(900))

    assert not any("Escalates" in line for line in lines(state="acked", steps=(ESCALATES,)))
    [quiet] = lines(muted=planned, steps=(ESCALATES,))
    assert quiet.startswith("🔕 *Planned work* until <!date^1772513964^")
    assert quiet.endswith("|2026-03-03 04:59:24 UTC> (`rack-move`: cables)")


def test_a_mute_without_end_or_reason_is_short() -> None:
    assert lines(muted=Mute(kind="inhibition", name="fabric-down")) == [
        "🔕 *Kept quiet* (`fabric-down`)"
    ]


def test_who_acknowledged_is_named_where_it_is_known() -> None:
    [line] = lines(state="acked", acked_by="")

    assert line.startswith("👀 *Acknowledged* <!date^")


def test_flapping_says_when_it_would_be_over() -> None:
    settle = Step(kind="settle", at=at(900))

    assert lines(flapping=True) == ["🔁 *Flapping*: it comes and goes"]
    assert lines(flapping=True, steps=(settle,)) == [
        f"🔁 *Flapping*: it comes and goes; ends if it stays well until {AT_59}"
    ]


def test_a_resolved_page_needs_nobody() -> None:
    assert lines(state="resolved", acked_at=at(3), steps=(ESCALATES,)) == []
