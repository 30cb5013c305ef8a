"""The storm's lines: as many as were asked for, however they were collapsed."""

import json
from collections import Counter

import pytest

from tests.benchmarks.storm_lines import Lines


@pytest.mark.parametrize(("lines", "gpus"), [(1_000, 3), (997, 29), (5, 9)])
def test_every_line_is_counted_once(lines: int, gpus: int) -> None:
    storm = Lines(lines=lines, gpus=gpus)
    counted: Counter[tuple[str, str]] = Counter()
    numbers: dict[str, list[int]] = {}
    packed = list(storm.messages())
    for message in packed:
        body = json.loads(message.text)
        node = body["source"]["node"]
        numbers.setdefault(node, []).append(body["seq"])
        for fault in body["faults"]:
            counted[node, fault["line"]] += fault["count"]

    assert sum(message.faults for message in packed) == lines
    wanted = [storm.lines_of(gpu) for gpu in range(gpus)]
    assert sorted(counted.values()) == sorted(each for each in wanted if each)
    assert all(seen == list(range(1, len(seen) + 1)) for seen in numbers.values())
