"""action/1 and timer/1: what a person did to a page, and that a page's next step is due."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StringConstraints

from reflexarc.events.envelope import Ulid, Value
from reflexarc.events.incident import PageRef

# What must be quiet for longer than 30 days belongs into the configuration (docs/adr/018).
SILENCE_MAX_S = 30 * 24 * 3600
Act = Literal["ack", "silence", "resolve", "not_a_fault"]


class Person(Value):
    """Who did something: the channel's own id of them, and the name that it shows."""

    id: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    name: Annotated[str, StringConstraints(max_length=200)] = ""
    via: Literal["slack", "cli"] = "cli"


class Action(Value):
    """A person's wish about one page. Its id makes it count once."""

    schema_: Literal["action/1"] = Field(default="action/1", alias="schema")
    id: Ulid
    act: Act
    page: PageRef
    person: Person
    at: AwareDatetime
    for_s: float = Field(default=3600, gt=0, le=SILENCE_MAX_S, description="of a silence: how long")
    reason: Annotated[str, StringConstraints(max_length=500)] = ""
    reply_to: str = Field(default="", description="where the person waits for an answer")
    after: str = Field(default="", description="continues behind this member; others are done")


class Timer(Value):
    """A step of a page is due. It does nothing once the page's timer has moved on."""

    schema_: Literal["timer/1"] = Field(default="timer/1", alias="schema")
    page: PageRef
    timer: int
    due_at: AwareDatetime
