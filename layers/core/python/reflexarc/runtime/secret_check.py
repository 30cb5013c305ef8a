"""Whether every channel of a document has what it speaks with: asked at a push, of a real stack."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from pydantic import ValidationError

from reflexarc.adapters.pagerduty import secret as pagerduty
from reflexarc.adapters.slack import secret as slack
from reflexarc.adapters.webhook import secret as webhook
from reflexarc.events.problems import Problem
from reflexarc.incidents.document import ChannelConfig
from reflexarc.kernel.errors import Unavailable


class SecretTexts(Protocol):
    """The secrets of a stack, each by the kind of channel that speaks with it."""

    def text(self, kind: str) -> str | None:
        """Return a secret's value, "" where it has none, None for a kind without a secret.

        Raises Unavailable when it may not be read.
        """

    def put_command(self, kind: str) -> str:
        """Return the beginning of the command that gives a kind's secret its value."""


def missing_secrets(channels: Sequence[ChannelConfig], secrets: SecretTexts) -> Iterator[Problem]:
    """Yield each channel that has nothing to speak with; a warning where nobody may look.

    Nothing of a secret's value is in what this says.
    """
    for number, channel in enumerate(channels):
        try:
            text = secrets.text(channel.kind)
        except Unavailable as error:
            what = f"{error}; so nobody knows whether {channel.name} can speak"
            yield Problem(place=_place(number), what=what, level="warning")
            continue
        if text is not None and (wrong := _wrong(channel, text)):
            example = f"{secrets.put_command(channel.kind)} --secret-string ..."
            what = f"{channel.name} has no secret: {wrong}. Put it right: {example}"
            yield Problem(place=_place(number), what=what)


def _place(number: int) -> tuple[str | int, ...]:
    return ("incidents", "channels", number)


def _wrong(channel: ChannelConfig, text: str) -> str:
    """Return what keeps a channel from speaking with this secret, "" for nothing."""
    if not text:
        return f"the {channel.kind} secret has no value"
    try:
        return _SPEAKS[channel.kind](text, channel)
    except ValidationError as error:
        # The error's own text would show the value.
        found = error.errors(include_url=False, include_input=False, include_context=False)
        return "; ".join(problem["msg"].removeprefix("Value error, ") for problem in found)


def _slack(text: str, channel: ChannelConfig) -> str:
    slack.SlackSecret.model_validate_json(text)
    return (
        f"the Slack secret has no entry {channel.secret}, nor any other" if channel.secret else ""
    )


def _pagerduty(text: str, channel: ChannelConfig) -> str:
    found = pagerduty.PagerDutySecret.model_validate_json(text).key(channel.secret)
    return "" if found else f"the PagerDuty secret has no key {channel.secret or 'routing_key'}"


def _webhook(text: str, channel: ChannelConfig) -> str:
    name = channel.secret or channel.name
    found = webhook.WebhookSecret.model_validate_json(text).of(name)
    return "" if found else f"the webhook secret has no key {name}"


_SPEAKS: Mapping[str, Callable[[str, ChannelConfig], str]] = {
    "slack": _slack,
    "pagerduty": _pagerduty,
    "webhook": _webhook,
}
