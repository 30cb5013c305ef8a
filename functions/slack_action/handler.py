"""Clicks of people in Slack in, their actions on a queue out."""

from typing import Any

from reflexarc.runtime.actions_wiring import click_service
from reflexarc.runtime.function_url import always_answers
from reflexarc.runtime.slack_http import post_of, report, response_of


@always_answers
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001 - Lambda's form
    """Answer one POST of Slack's interactivity."""
    reply = click_service().answer(post_of(event))
    report(reply)
    return response_of(reply)
