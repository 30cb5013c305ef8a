"""Tests over plain messages are compiled when they are first asked."""

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans

from reflexarc.engines.ottl.syntax import Compare, Condition, Literal, Path
from reflexarc.telemetry.plan.plainly import part_test, resource_test, scope_test, whole_test

# No such field: compiling it raises.
UNKNOWN: Condition = Compare("==", Path("resource", ("nothing",), (), 1), Literal(1, 1), 1)


def test_what_is_never_asked_is_never_compiled() -> None:
    asked = resource_test(UNKNOWN)
    scope_test(UNKNOWN)
    whole_test(UNKNOWN, "traces")
    part_test([UNKNOWN], "spanevent")

    with pytest.raises(Exception, match="nothing"):
        asked(ResourceSpans())
