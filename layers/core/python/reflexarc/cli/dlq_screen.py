"""How dead letters look on a terminal, and as JSON."""

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from reflexarc.notify.hostile_text import one_line

if TYPE_CHECKING:
    from reflexarc.runtime.dead_letters import DeadLetterQueue, Depth, Letter

NO_REASON = "(none: it crashed, or what it needs was down)"
REASON_SHOWN = 90
LINE_MAX = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a look at one queue found."""

    queue: "DeadLetterQueue"
    depth: "Depth"
    letters: Sequence["Letter"]
    reasons: Counter[str]

    @property
    def oldest(self) -> datetime | None:
        """Return when the oldest message that was read was sent."""
        return min((letter.sent_at for letter in self.letters), default=None)


def facts_of_queue(look: Look) -> dict[str, object]:
    """Return one queue for machines."""
    return {
        "queue": look.queue.name,
        "depth": look.depth.visible,
        "in_flight": look.depth.in_flight,
        "oldest_at": look.oldest.isoformat() if look.oldest else None,
        "reasons": dict(look.reasons),
        "messages": [facts_of(letter) for letter in look.letters],
    }


def facts_of(letter: "Letter") -> dict[str, object]:
    """Return one message for machines, less its original."""
    rejected = letter.rejected
    return {
        "id": letter.message_id,
        "queue": letter.queue.name,
        "sent_at": letter.sent_at.isoformat(),
        "schema": schema_of(letter.original),
        "reason": letter.reason or None,
        "original_id": rejected.message_id if rejected else letter.message_id,
        "sender": (rejected.sender if rejected else letter.sender) or None,
        "truncated": bool(rejected and rejected.truncated),
    }


def listed(looks: Sequence[Look], now: datetime) -> Group:
    """Return the queues, and below them the messages that were read."""
    queues = _table("QUEUE", "DEPTH", "OLDEST", "WHY")
    for look in looks:
        depth = f"{look.depth.visible:,}"
        if look.depth.in_flight:
            depth += f" (+{look.depth.in_flight:,} being read)"
        queues.add_row(
            look.queue.name,
            Text(depth, style="bold red" if look.depth.visible else "dim"),
            _age(now - look.oldest) if look.oldest else "",
            _reasons(look),
        )
    letters = [letter for look in looks for letter in look.letters]
    if not letters:
        return Group(queues)
    messages = _table("ID", "QUEUE", "AGE", "WHAT", "WHY")
    for letter in letters:
        messages.add_row(
            letter.message_id,
            letter.queue.name,
            _age(now - letter.sent_at),
            escape(schema_of(letter.original) or "?"),
            escape(_reason(letter.reason)),
        )
    unread = [look for look in looks if look.depth.visible > len(look.letters)]
    notes = [
        f"{look.queue.name}: {len(look.letters):,} of {look.depth.visible:,} shown (--limit)"
        for look in unread
    ]
    return Group(queues, "", messages, *notes)


def shown(letter: "Letter", now: datetime) -> Group:
    """Return one message in full."""
    facts = Table(box=None, show_header=False, pad_edge=False)
    facts.add_column(style="dim")
    facts.add_column(overflow="fold")
    rejected = letter.rejected
    sender = rejected.sender if rejected else letter.sender
    rows = {
        "id": letter.message_id,
        "queue": letter.queue.name,
        "sent": f"{letter.sent_at:%Y-%m-%d %H:%M:%S} UTC, {_age(now - letter.sent_at)} ago",
        "why": one_line(letter.reason, LINE_MAX) or NO_REASON,
        "what": schema_of(letter.original) or "",
        "original id": rejected.message_id if rejected else "",
        "refused": f"{rejected.rejected_at:%Y-%m-%d %H:%M:%S} UTC" if rejected else "",
        "sender": one_line(sender, LINE_MAX),
        "cut": "only its beginning was kept" if rejected and rejected.truncated else "",
    }
    for name, value in rows.items():
        if value:
            facts.add_row(name, escape(value))
    return Group(facts, "", Text(pretty(letter.original)))


def pretty(original: str) -> str:
    """Return a message as people read it: whole, with what no terminal should obey spelled out."""
    try:
        return json.dumps(json.loads(original), indent=2)
    except (ValueError, RecursionError):
        return "".join(
            char if char.isprintable() or char == "\n" else ascii(char)[1:-1] for char in original
        )


def schema_of(original: str) -> str | None:
    """Return what a message calls itself, if it says so."""
    try:
        document = json.loads(original)
    except (ValueError, RecursionError):
        return None
    said = document.get("schema") if isinstance(document, dict) else None
    return one_line(said, 40) if isinstance(said, str) else None


def is_terminal() -> bool:
    """Return whether somebody can answer a question."""
    return sys.stdin.isatty()


@contextmanager
def progress(verb: str, total: int) -> Iterator[Callable[[], None]]:
    """Show a bar on a terminal, nothing in a pipe; it goes when the work is over."""
    console = Console(stderr=True)
    with Progress(
        TextColumn(verb),
        BarColumn(),
        MofNCompleteColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal or total == 1,
    ) as bar:
        task = bar.add_task(verb, total=total)
        yield lambda: bar.advance(task)


def _reasons(look: Look) -> str:
    parts = [f"{number:,} x {_reason(reason)}" for reason, number in look.reasons.most_common(3)]
    more = len(look.reasons) - len(parts)
    return escape("\n".join([*parts, f"and {more:,} more"] if more > 0 else parts))


def _reason(reason: str) -> str:
    return one_line(reason, REASON_SHOWN) or NO_REASON


def _table(*columns: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, no_wrap=column in {"ID", "QUEUE"}, overflow="fold")
    return table


def _age(age: timedelta) -> str:
    seconds = max(0, int(age.total_seconds()))
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size:,} {unit}"
    return f"{seconds} s"
