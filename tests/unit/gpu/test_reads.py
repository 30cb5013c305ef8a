"""What this slice reads of telemetry is what its adapters make something of."""

import pytest

from reflexarc.adapters.dcgm import fields, witness
from reflexarc.engines.ottl.check import check
from reflexarc.engines.ottl.parser import parse
from reflexarc.events.reads import Read
from reflexarc.gpu.parse import parse as parse_line
from reflexarc.gpu.reads import DCGM_METRICS, READS
from reflexarc.telemetry.plan.slots import ITEM_CONTEXT


def test_metrics_are_those_that_become_readings_and_witnesses() -> None:
    assert set(DCGM_METRICS) == fields.WANTED | witness.XIDS
    assert len(DCGM_METRICS) == len(set(DCGM_METRICS))


@pytest.mark.parametrize("read", READS, ids=lambda read: read.signal)
def test_conditions_can_be_judged(read: Read) -> None:
    for text in read.conditions:
        context = ITEM_CONTEXT[read.signal]
        check(parse(text, context), context, text)


def test_witnesses_are_lines_that_page_and_metrics_that_are_read() -> None:
    lines, metrics = READS

    assert all(
        parse_line(str(each["body"])).suspicious or parse_line(str(each["body"])).kind != "none"
        for each in lines.witnesses
    )
    assert [each["name"] for each in metrics.witnesses] == list(DCGM_METRICS)
