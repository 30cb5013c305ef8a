"""`reflexarc dlq`: what could not be processed, why, and once more."""

import json
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import typer

from reflexarc.cli import dlq_screen as screen
from reflexarc.cli.stack import FAILED, AsJson, EndpointUrl, StackName, readable_errors
from reflexarc.cli.terminal import console
from reflexarc.kernel.clock import system_clock
from reflexarc.kernel.errors import Rejected, Unavailable

if TYPE_CHECKING:
    from reflexarc.runtime.dead_letters import DeadLetterQueue, DeadLetters, Letter

    Letters = Generator[Letter, None, None]

dlq_app = typer.Typer(
    no_args_is_help=True, help="Dead letters: what could not be processed, why, and once more."
)
# How far `show` and `--message` look for a letter.
LOOKS_AT_MOST = 10_000
USAGE = 2
QueueName = Annotated[
    str, typer.Argument(metavar="QUEUE", help="Its name from the list, such as gpu-faults-dlq.")
]
MessageId = Annotated[
    str, typer.Option("--message", metavar="ID", help="One message, by its id or its beginning.")
]
All = Annotated[bool, typer.Option("--all", help="Every message that the queue holds.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@dataclass(slots=True)
class _Done:
    """What became of the letters that were to be redriven or dropped."""

    done: list[str] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)


@dlq_app.command("list")
def list_letters(
    *,
    limit: Annotated[
        int, typer.Option(min=1, max=LOOKS_AT_MOST, help="At most so many messages a queue.")
    ] = 100,
    stack: StackName = "reflexarc",
    endpoint: EndpointUrl = None,
    as_json: AsJson = False,
) -> None:
    """List every dead-letter queue, how old its messages are and why they are there."""
    with _dead_letters(stack, endpoint) as found:
        looks = [_look(found, queue, limit) for queue in found.queues.queues]
    now = system_clock()
    if as_json:
        for look in looks:
            typer.echo(json.dumps(screen.facts_of_queue(look)))
        return
    console().print(screen.listed(looks, now))


@dlq_app.command()
def show(
    message_id: Annotated[
        str, typer.Argument(metavar="MESSAGE_ID", help="An id from the list, or its beginning.")
    ],
    *,
    stack: StackName = "reflexarc",
    endpoint: EndpointUrl = None,
    as_json: AsJson = False,
) -> None:
    """Show one message: the whole original, where it lies, and why."""
    with _dead_letters(stack, endpoint) as found:
        letter = _only(
            message_id,
            [
                letter
                for queue in found.queues.queues
                for letter in _matching(found, queue, message_id)
            ],
        )
    if as_json:
        typer.echo(json.dumps(screen.facts_of(letter) | {"original": letter.original}))
        return
    console().print(screen.shown(letter, system_clock()))


@dlq_app.command()
def redrive(
    queue_name: QueueName,
    *,
    message: MessageId = "",
    everything: All = False,
    yes: Yes = False,
    stack: StackName = "reflexarc",
    endpoint: EndpointUrl = None,
    as_json: AsJson = False,
) -> None:
    """Send originals where they came from once more; a letter goes once that succeeded."""
    _apply("redriven", queue_name, (message, everything, yes), (stack, endpoint), as_json=as_json)


@dlq_app.command()
def drop(
    queue_name: QueueName,
    *,
    message: MessageId = "",
    everything: All = False,
    yes: Yes = False,
    stack: StackName = "reflexarc",
    endpoint: EndpointUrl = None,
    as_json: AsJson = False,
) -> None:
    """Delete messages for good: what nobody can use any more."""
    _apply("dropped", queue_name, (message, everything, yes), (stack, endpoint), as_json=as_json)


def _apply(
    verb: str,
    queue_name: str,
    asked: tuple[str, bool, bool],
    where: tuple[str, str | None],
    *,
    as_json: bool,
) -> None:
    message, everything, yes = asked
    if bool(message) == everything:
        typer.echo("reflexarc: say which: --message ID, or --all", err=True)
        raise typer.Exit(USAGE)
    with _dead_letters(*where) as found:
        queue = found.queues.named(queue_name)
        letters = _chosen(found, queue, message)
        if not yes:
            _ask(verb, queue, message)
        done = _work(found, verb, letters, total=1 if message else _size(found, queue))
    if as_json:
        typer.echo(json.dumps({"queue": queue.name, verb: done.done, "kept": done.kept}))
    else:
        for why in done.kept.values():
            typer.echo(f"reflexarc: {why}", err=True)
        typer.echo(f"{len(done.done):,} {verb}, {len(done.kept):,} kept in {queue.name}")
    if done.kept:
        raise typer.Exit(FAILED)


def _work(found: "DeadLetters", verb: str, letters: "Letters", *, total: int) -> _Done:
    """Send or delete each; what cannot be sent again stays, and a failure ends the work."""
    done = _Done()
    with closing(letters), screen.progress(verb, total) as advance:
        for letter in letters:
            try:
                if verb == "redriven":
                    found.redrive.send(letter)
                found.queues.delete(letter)
            except Rejected as error:
                done.kept[letter.message_id] = str(error)
            except Unavailable as error:
                done.kept[letter.message_id] = f"{error}; stopped here: try again"
                return done
            else:
                done.done.append(letter.message_id)
            advance()
    return done


def _chosen(found: "DeadLetters", queue: "DeadLetterQueue", message: str) -> "Letters":
    """Yield what is meant. All is what was there at the start: what is refused again comes back."""
    if not message:
        yield from found.queues.letters(queue, _size(found, queue))
        return
    letter = _only(message, list(_matching(found, queue, message)))
    # Held anew, alone: the look for it has given everything back.
    with closing(found.queues.letters(queue, LOOKS_AT_MOST)) as letters:
        for each in letters:
            if each.message_id == letter.message_id:
                yield each
                return


def _size(found: "DeadLetters", queue: "DeadLetterQueue") -> int:
    depth = found.queues.depth(queue)
    return max(depth.visible + depth.in_flight, 1)


def _matching(found: "DeadLetters", queue: "DeadLetterQueue", message: str) -> list["Letter"]:
    """Return the letters that an id or its beginning may mean; the original's id counts too."""
    with closing(found.queues.letters(queue, LOOKS_AT_MOST)) as letters:
        return [
            letter
            for letter in letters
            if letter.message_id.startswith(message)
            or (letter.rejected is not None and letter.rejected.message_id == message)
        ]


def _only(message: str, found: list["Letter"]) -> "Letter":
    if not found:
        raise Rejected(f"no dead letter's id begins with {message}: see `reflexarc dlq list`")
    if len(found) > 1:
        ids = ", ".join(letter.message_id for letter in found[:5])
        raise Rejected(f"several dead letters begin with {message}: {ids}; type more of the id")
    return found[0]


def _look(found: "DeadLetters", queue: "DeadLetterQueue", limit: int) -> screen.Look:
    depth = found.queues.depth(queue)
    letters = list(found.queues.letters(queue, limit))
    reasons = Counter(letter.reason for letter in letters)
    return screen.Look(queue=queue, depth=depth, letters=letters, reasons=reasons)


def _ask(verb: str, queue: "DeadLetterQueue", message: str) -> None:
    what = f"message {message}" if message else "every message"
    if not screen.is_terminal():
        raise Rejected(f"nobody is here to ask: add --yes to have {what} of {queue.name} {verb}")
    if not typer.confirm(f"{what} of {queue.name} is to be {verb}: go on?"):
        raise typer.Exit(FAILED)


@contextmanager
def _dead_letters(stack: str, endpoint: str | None) -> Iterator["DeadLetters"]:
    # boto3 costs half a second.
    from reflexarc.runtime.dead_letters import find_dead_letters  # noqa: PLC0415

    with readable_errors():
        yield find_dead_letters(stack, endpoint)
