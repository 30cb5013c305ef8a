"""Where OTLP's requests hold text: field numbers of each message.

https://github.com/open-telemetry/opentelemetry-proto (stable since 1.0: numbers never change).
Not searched: keys of attributes, names and units of metrics, trace states, entity references. They
name things, and a changed name breaks what joins by it.
"""

from dataclasses import dataclass, field
from enum import Enum

from reflexarc.events.otlp_batch import OtlpSignal


class Role(Enum):
    """What is special about a message."""

    PLAIN = 0
    ATTRIBUTE = 1
    VALUE = 2
    EVENT = 3
    RECORD = 4


@dataclass(frozen=True, slots=True)
class Message:
    """A message: which fields are text, and which are messages that may hold text."""

    name: str
    texts: frozenset[int] = frozenset()
    messages: dict[int, "Message"] = field(default_factory=dict)
    role: Role = Role.PLAIN


KEY, VALUE = 1, 2
VALUE_MESSAGE = Message("AnyValue", frozenset({1}), role=Role.VALUE)
TEXT_VALUE, ARRAY, MAP, BYTES_VALUE = 1, 5, 6, 7
_ATTRIBUTE = Message("KeyValue", messages={VALUE: VALUE_MESSAGE}, role=Role.ATTRIBUTE)
VALUE_MESSAGE.messages[ARRAY] = Message("ArrayValue", messages={1: VALUE_MESSAGE})
VALUE_MESSAGE.messages[MAP] = Message("KeyValueList", messages={1: _ATTRIBUTE})

_RESOURCE = Message("Resource", messages={1: _ATTRIBUTE})
_SCOPE = Message("InstrumentationScope", frozenset({1, 2}), {3: _ATTRIBUTE})


def _request(name: str, item: Message) -> Message:
    scoped = Message(f"Scope{name}", frozenset({3}), {1: _SCOPE, 2: item})
    resource = Message(f"Resource{name}", frozenset({3}), {1: _RESOURCE, 2: scoped})
    return Message(f"Export{name}", messages={1: resource})


EVENT_NAME, EVENT_ATTRIBUTES = 2, 3
_EVENT = Message("Event", frozenset({EVENT_NAME}), {EVENT_ATTRIBUTES: _ATTRIBUTE}, Role.EVENT)
_LINK = Message("Link", messages={4: _ATTRIBUTE})
_STATUS = Message("Status", frozenset({2}))
_SPAN = Message("Span", frozenset({5}), {9: _ATTRIBUTE, 11: _EVENT, 13: _LINK, 15: _STATUS})

RECORD_BODY, RECORD_ATTRIBUTES, RECORD_EVENT_NAME = 5, 6, 12
_RECORD = Message(
    "LogRecord",
    frozenset({3, RECORD_EVENT_NAME}),
    {RECORD_BODY: VALUE_MESSAGE, RECORD_ATTRIBUTES: _ATTRIBUTE},
    Role.RECORD,
)

_EXEMPLAR = Message("Exemplar", messages={7: _ATTRIBUTE})
_NUMBERS = {1: Message("NumberDataPoint", messages={7: _ATTRIBUTE, 5: _EXEMPLAR})}
_HISTOGRAM = {1: Message("HistogramDataPoint", messages={9: _ATTRIBUTE, 8: _EXEMPLAR})}
_EXPONENTIAL = {
    1: Message("ExponentialHistogramDataPoint", messages={1: _ATTRIBUTE, 11: _EXEMPLAR})
}
_SUMMARY = {1: Message("SummaryDataPoint", messages={7: _ATTRIBUTE})}
_METRIC = Message(
    "Metric",
    frozenset({2}),
    {
        5: Message("Gauge", messages=_NUMBERS),
        7: Message("Sum", messages=_NUMBERS),
        9: Message("Histogram", messages=_HISTOGRAM),
        10: Message("ExponentialHistogram", messages=_EXPONENTIAL),
        11: Message("Summary", messages=_SUMMARY),
        12: _ATTRIBUTE,
    },
)

REQUESTS: dict[OtlpSignal, Message] = {
    "traces": _request("Spans", _SPAN),
    "metrics": _request("Metrics", _METRIC),
    "logs": _request("Logs", _RECORD),
}
