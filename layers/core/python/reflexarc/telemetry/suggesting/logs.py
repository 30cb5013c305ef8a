"""Log records that cost and that nobody reads: debug lines, probes, lines of one kind. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, SeverityNumber

from reflexarc.telemetry.suggesting import probes
from reflexarc.telemetry.suggesting.model import Finding, Suggestion
from reflexarc.telemetry.suggesting.seen import STRIDE, Seen
from reflexarc.telemetry.suggesting.wording import beginning_of, escaped, quoted, template_of

TEMPLATES_MAX = 20_000
_INFO, _WARN = SeverityNumber.SEVERITY_NUMBER_INFO, SeverityNumber.SEVERITY_NUMBER_WARN
# Lines of one kind are worth a rule when so many of all lines are of it.
_SHARE = 0.05
# A shorter beginning would hold for lines of other kinds too.
_BEGINNING = 8
_KEPT_PERCENT = 10
_SHOWN = 8


@dataclass(slots=True)
class _Kind:
    count: int = 0
    size: int = 0


@dataclass(slots=True)
class Logs:
    """Counts log records by severity and by kind of line."""

    seen: Seen = field(default_factory=lambda: Seen("log records"))
    debug: int = 0
    _kinds: dict[str, _Kind] = field(default_factory=dict)
    _seen: set[int] = field(default_factory=set)
    _twice: int = 0

    def take(self, payload: bytes) -> None:
        """Take note of a request."""
        for resource in ExportLogsServiceRequest.FromString(payload).resource_logs:
            owner = hash(resource.resource.SerializeToString())
            for scope in resource.scope_logs:
                for record in scope.log_records:
                    self._take(record, owner)

    def suggestions(self) -> Iterator[Suggestion]:
        """Yield rules, the greatest saving first."""
        if self.debug:
            yield Suggestion(
                "debug-logs",
                "drop",
                {"logs": ["severity_number > 0 and severity_number < SEVERITY_NUMBER_INFO"]},
                f"{self.debug:,} of {self.seen.count:,} log records are of DEBUG or TRACE",
            )
        many = [
            (template, kind)
            for template, kind in self._kinds.items()
            if kind.count >= _SHARE * self.seen.count and len(beginning_of(template)) >= _BEGINNING
        ]
        for template, kind in sorted(many, key=lambda pair: -pair[1].size)[:_SHOWN]:
            beginning = beginning_of(template)
            whole = beginning == template
            yield Suggestion(
                f"lines-{beginning}",
                "sample",
                {"logs": [_of_kind(beginning, whole=whole)]},
                f"{kind.count:,} of {self.seen.count:,} log records are of one kind,"
                f" {template[:120]!r}: a tenth shows as much",
                {"percent": _KEPT_PERCENT},
            )

    def findings(self) -> Iterator[Finding]:
        """Return what no rule can mend."""
        return self.seen.findings(self._twice, "byte for byte")

    def _take(self, record: LogRecord, owner: int) -> None:
        data = record.SerializeToString()
        self.seen.add(len(data))
        number = record.severity_number
        if 0 < number < _INFO:
            self.debug += 1
        elif number < _WARN and record.body.HasField("string_value"):
            self._of_its_kind(record.body.string_value, len(data))
        if len(self._seen) < TEMPLATES_MAX * STRIDE:
            before = len(self._seen)
            self._seen.add(hash((data, owner)))
            self._twice += len(self._seen) == before
        if self.seen.looking:
            if agent := probes.agent_in(record.body.string_value):
                self.seen.agents.add((probes.BODY, agent))
            self.seen.look(record.attributes, len(data))

    def _of_its_kind(self, line: str, size: int) -> None:
        template = template_of(line)
        kind = self._kinds.get(template)
        if kind is None:
            if len(self._kinds) >= TEMPLATES_MAX:
                return
            kind = self._kinds[template] = _Kind()
        kind.count += 1
        kind.size += size


def _of_kind(beginning: str, *, whole: bool) -> str:
    """Return the condition for lines that begin so; warnings and worse are none of them."""
    mild = "severity_number < SEVERITY_NUMBER_WARN"
    if whole:
        return f"body == {quoted(beginning)} and {mild}"
    return f"IsMatch(body, {quoted('^' + escaped(beginning))}) and {mild}"
