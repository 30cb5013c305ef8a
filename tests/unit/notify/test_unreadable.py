"""What a newer version stored waits for that version, and keeps nothing else waiting."""

from dataclasses import dataclass, replace

import pytest

from reflexarc.events.incident import PageRef
from reflexarc.events.notice import Notice
from reflexarc.events.page import Page, Story
from reflexarc.events.severity import Severity
from reflexarc.kernel.errors import Unreadable
from reflexarc.notify.model import Receipt
from tests.support.delivery import Office
from tests.support.notices import SLACK, notice, page, wake_up

GROUP = "slack/C0PAGES"


def slack_page(gpu: int) -> Page:
    return page(gpu, channels=(SLACK,))


@dataclass
class FromTheFuture:
    """What is stored about one page, or its receipt, makes no sense."""

    inner: object
    ref: PageRef

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)

    def story(self, ref: PageRef, *, shared: bool) -> Story | None:
        if ref == self.ref:
            raise Unreadable("page/2")
        return self.inner.story(ref, shared=shared)  # type: ignore[attr-defined, no-any-return]

    def receipt(self, about: Notice) -> Receipt | None:
        if about.page == self.ref:
            raise Unreadable("receipt/2")
        return self.inner.receipt(about)  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize("part", ["pages", "outbox"])
@pytest.mark.parametrize("known", [False, True])
def test_page_that_cannot_be_read_holds_up_no_other(part: str, *, known: bool) -> None:
    office = Office()
    for gpu in (1, 2):
        office.tell(slack_page(gpu))
    if known:
        office.service().handle([wake_up(GROUP, "m0")])
        for gpu in (1, 2):
            lead = slack_page(gpu).lead.model_copy(update={"severity": Severity.CRITICAL})
            update = {"severity": Severity.CRITICAL, "lead": lead, "version": 2}
            office.tell(slack_page(gpu).model_copy(update=update))
    inner = office.service()
    odd = FromTheFuture(getattr(inner, part), slack_page(1).ref)

    service = replace(inner, **{part: odd})  # type: ignore[arg-type]  # which part, a test says
    outcomes = service.handle([wake_up(GROUP, "m1")])

    assert [outcome.status for outcome in outcomes] == ["done"]
    told = {each.page for each in office.outbox.pending(GROUP)}
    unread = {slack_page(1).ref} if known or part == "pages" else set()
    assert told == unread
    assert bool([line for line in office.journal.lines if line[0] == "failing"]) == bool(unread)
    assert office.outbox.receipt(notice(SLACK, slack_page(2))) is not None
