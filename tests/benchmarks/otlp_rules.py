"""The rules of the benchmarks, as people would write them; `otlp_peers.py` has them by hand."""

import random
from collections.abc import Iterable
from datetime import date
from typing import Any

from reflexarc.telemetry.model import Action
from reflexarc.telemetry.rules import Rule

TODAY = date(2026, 11, 24)
_FIELDS = {"traces": "span", "metrics": "metric", "logs": "log_record"}
_KEYS = (
    "tenant",
    "user.id",
    "session.id",
    "url.path",
    "gen_ai.request.model",
    "gen_ai.conversation.id",
    "server.address",
    "gen_ai.operation.name",
)
_DURATION = "end_time_unix_nano - start_time_unix_nano"


def rule(name: str, signal: str, condition: str, action: Action = "drop", **more: Any) -> Rule:
    """Return a rule of one condition."""
    return Rule(
        name=name,
        action=action,
        filter={signal: {_FIELDS[signal]: [condition]}},
        owner="bench",
        reason="it is measured",
        expires=TODAY,
        **more,
    )


def traces(conditions: Iterable[str]) -> list[Rule]:
    """Return a dropping rule for each condition on spans."""
    return [rule(f"rule-{number}", "traces", each) for number, each in enumerate(conditions)]


# Eight rules; with the two built-in guards (errors, server errors) they are the ten.
TEN = [
    *traces(
        (
            'IsMatch(attributes["url.path"], "^/(healthz|readyz|metrics)$")',
            'IsMatch(attributes["user_agent.original"], "^kube-probe")',
            (
                'resource.attributes["deployment.environment.name"] == "staging"'
                ' and attributes["gen_ai.operation.name"] == "embeddings"'
            ),
            'name == "execute_tool mistral-large-2411"',
            f'attributes["tenant"] == "umbrella" and {_DURATION} < 50000000',
            (
                'resource.attributes["service.name"] == "embedder"'
                f" and kind == SPAN_KIND_SERVER and {_DURATION} < 200000000"
            ),
            'attributes["gen_ai.usage.output_tokens"] < 3',
        )
    ),
    rule(
        "chat-quarter",
        "traces",
        'attributes["gen_ai.operation.name"] == "chat"'
        f' and resource.attributes["service.namespace"] == "ml" and {_DURATION} < 300000000',
        "sample",
        percent=25,
    ),
]
FIVE_PERCENT = [TEN[3], TEN[4], *traces(['attributes["tenant"] == "nosuchtenant"'])]
NO_MATCH = traces(f'attributes["tenant"] == "nosuch{number}"' for number in range(8))
# What no index finds: every span is read.
NEGATIONS = [
    *TEN,
    rule(
        "negations",
        "traces",
        'attributes["tenant"] != "acme" and not IsMatch(attributes["user.id"], "^user")',
    ),
]
EVERYTHING = traces(['attributes["server.port"] != "zz"'])
METRIC_NAMES = frozenset(
    {
        "DCGM_FI_DEV_VGPU_LICENSE_STATUS",
        "DCGM_FI_DEV_RETIRED_SBE",
        "DCGM_FI_DEV_ENC_UTIL",
        "DCGM_FI_DEV_DEC_UTIL",
    }
)
METRICS = [rule(name.lower(), "metrics", f'name == "{name}"') for name in sorted(METRIC_NAMES)]
METRICS_NO_MATCH = [rule("none", "metrics", 'name == "nosuch.metric"')]
LOGS_NO_MATCH = [rule("none", "logs", 'IsMatch(body, "^no such text")')]
LOGS = [
    rule(
        "cache-misses",
        "logs",
        'severity_number == SEVERITY_NUMBER_DEBUG and IsMatch(body, "^cache miss key")',
    )
]


def literal_rules(number: int, seed: int = 5) -> list[Rule]:
    """Return the ten rules and more, to this number, of equalities that no span meets."""
    draw = random.Random(seed)
    letters = "abcdefghijklmnopqrstuvwxyz-/"
    more = (
        f'attributes["{draw.choice(_KEYS)}"] == '
        f'"{"".join(draw.choice(letters) for _ in range(draw.randint(6, 24)))}"'
        for _ in range(number - len(TEN) - 2)
    )
    return [
        *TEN,
        *(rule(f"literal-{at}", "traces", each, priority=200) for at, each in enumerate(more)),
    ]
