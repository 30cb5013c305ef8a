"""Requests that only ask whether a service lives: by their paths, and by who asks. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from reflexarc.events.otlp_batch import OtlpSignal
from reflexarc.telemetry.suggesting.model import Suggestion
from reflexarc.telemetry.suggesting.wording import escaped, quoted

# By the names of semantic conventions, those of today first.
# https://opentelemetry.io/docs/specs/semconv/http/http-spans/
PATHS = ("url.path", "http.route", "http.target")
BODY = "(body)"
AGENTS = ("user_agent.original", "http.user_agent")
_PATH = re.compile(
    r"(?:/[a-z0-9_-]{1,32}){0,2}/(?:healthz?|livez?|readyz?|liveness|readiness|alive|ping|heartbeat"
    r"|health[-_]?check|_health|-/healthy|-/ready)/?"
)
# kubelet, load balancers of AWS and Google, Route 53, Prometheus, Envoy, consul.
_AGENT = re.compile(
    r"kube-probe/|ELB-HealthChecker/|GoogleHC/|Amazon-Route53-Health-Check-Service"
    r"|Envoy/HC|Consul Health Check"
)
_MANY = 20


def path_of(key: str, value: str) -> str | None:
    """Return a path that only asks for health, None where it asks for more."""
    return value if key in PATHS and _PATH.fullmatch(value) else None


def agent_of(key: str, value: str) -> str | None:
    """Return the beginning of the name of who only asks for health, None where it is another."""
    found = _AGENT.match(value) if key in AGENTS else None
    return found[0] if found else None


def agent_in(line: str) -> str | None:
    """Return who only asks for health in a line of an access log."""
    found = _AGENT.search(line)
    return found[0] if found else None


def suggestions(
    paths: Mapping[OtlpSignal, Iterable[tuple[str, str]]],
    agents: Mapping[OtlpSignal, Iterable[tuple[str, str]]],
) -> Iterator[Suggestion]:
    """Yield rules against probes; both hold attributes with what was found in them."""
    by_agent = {
        signal: [_asked_by(key, name) for key, name in sorted(each)]
        for signal, each in agents.items()
    }
    by_path = {signal: _equal(sorted(each)) for signal, each in paths.items()}
    conditions = {
        signal: [*by_agent.get(signal, ()), *by_path.get(signal, ())]
        for signal in (*by_agent, *by_path)
    }
    conditions = {signal: texts for signal, texts in conditions.items() if texts}
    if conditions:
        yield Suggestion(
            "health-checks",
            "drop",
            conditions,
            "probes ask whether a service lives; those that fail are errors, and stay",
        )


def _asked_by(key: str, name: str) -> str:
    if key == BODY:
        return f"IsMatch(body, {quoted(escaped(name))})"
    return f"IsMatch(attributes[{quoted(key)}], {quoted('^' + escaped(name))})"


def _equal(pairs: Sequence[tuple[str, str]]) -> list[str]:
    return [f"attributes[{quoted(key)}] == {quoted(path)}" for key, path in pairs[:_MANY]]
