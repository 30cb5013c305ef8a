from reflexarc.events.page import Entry
from reflexarc.notify import slack_history
from tests.support.notices import at, member, story
from tests.unit.notify.slack_texts import texts

ACK = Entry(number=2, at=at(30), what="acknowledged", by="alice")
RISE = Entry(number=3, at=at(40), what="severity rose from warning to critical", loud=True)
AT_30 = "<!date^1772513094^{time_secs}|2026-03-03 04:44:54 UTC>"
AT_40 = "<!date^1772513104^{time_secs}|2026-03-03 04:45:04 UTC>"


def test_lines_are_told_in_one_reply_with_their_times_and_who() -> None:
    quiet = RISE.model_copy(update={"loud": False})

    reply = slack_history.render(story(), (ACK, quiet), loud=False)

    assert texts(reply) == [
        f"{AT_30}  acknowledged (alice)\n{AT_40}  severity rose from warning to critical"
    ]
    assert reply["text"] == "severity rose from warning to critical"
    assert reply["metadata"]["event_payload"]["part"] == "history/3"
    assert "reply_broadcast" not in reply


def test_a_loud_reply_names_its_page_and_puts_the_news_first_on_a_lock_screen() -> None:
    later = ACK.model_copy(update={"number": 4})

    reply = slack_history.render(story(member(2)), (RISE, later), loud=True)

    assert reply["reply_broadcast"] is True
    assert reply["text"] == (
        "🔴 severity rose from warning to critical · "
        "XID 79: GPU has fallen off the bus · 2 GPUs of node-7"
    )
    assert texts(reply)[0].splitlines() == [
        "*🔴 XID 79: GPU has fallen off the bus · 2 GPUs of node-7*",
        f"{AT_40}  severity rose from warning to critical",
        f"{AT_30}  acknowledged (alice)",
    ]


def test_a_line_that_says_nothing_visible_still_reads() -> None:
    blank = ACK.model_copy(update={"what": "\u200b", "by": ""})

    assert texts(slack_history.render(story(), (blank,), loud=False)) == [f"{AT_30}  changed"]
