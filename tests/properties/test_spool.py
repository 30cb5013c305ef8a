"""The spool against a model: whatever order of puts, settlements, kills and torn writes."""

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from reflexarc.agent.packing import Packed
from reflexarc.agent.spool import MEBIBYTE, Spool
from tests.agent.fakes import message


class SpoolMachine(RuleBasedStateMachine):
    """Every message put and not settled is there, in order, with the state put last."""

    def __init__(self) -> None:
        super().__init__()
        self._scratch = tempfile.TemporaryDirectory()
        self.folder = Path(self._scratch.name)
        self.waiting: list[Packed] = []
        self.settled: set[str] = set()
        self.state = 0
        self.number = 0
        self.restarted = False

    @initialize()
    def begin(self) -> None:
        self.open()

    def open(self) -> None:
        self.spool = Spool(self.folder, max_bytes=MEBIBYTE)
        self.spool.open()

    def front(self) -> list[Packed]:
        return self.spool.front("faults", 1_000_000, 1 << 40)

    @rule(sizes=st.lists(st.sampled_from([1, 300, 9_000]), max_size=3))
    def put(self, sizes: list[int]) -> None:
        self.state += 1
        new = []
        for size in sizes:
            self.number += 1
            new.append(message(self.number, size=size, faults=self.number))
        self.spool.put("faults", new, {"seq": self.state})
        self.waiting += new

    @rule(count=st.integers(1, 10), skipped=st.integers(0, 2))
    def settle(self, count: int, skipped: int) -> None:
        ids = {each.id for each in self.waiting[skipped : skipped + count]}
        self.spool.settle("faults", ids)
        self.waiting = [each for each in self.waiting if each.id not in ids]
        self.settled |= ids

    @rule()
    def kill(self) -> None:
        self.spool.close()
        self.open()
        self.take_what_came_back()

    @rule(torn=st.binary(min_size=1, max_size=40))
    def kill_in_a_write(self, torn: bytes) -> None:
        self.spool.close()
        newest = max((self.folder / "faults").glob("*.seg"), default=None)
        if newest is not None:
            with newest.open("ab") as file:
                file.write(b"\xabRX1" + torn)
        self.open()
        self.take_what_came_back()

    def take_what_came_back(self) -> None:
        """Settled messages may come again while an older one waits; others may not go."""
        back = self.front()
        assert {each.id for each in self.waiting} <= {each.id for each in back}
        assert {each.id for each in back} <= {each.id for each in self.waiting} | self.settled
        assert self.waiting or not back
        self.waiting = back

    @invariant()
    def nothing_is_missing(self) -> None:
        if not hasattr(self, "spool"):
            return
        assert self.front() == self.waiting
        assert [each.id for each in self.waiting] == sorted(each.id for each in self.waiting)
        assert self.spool.state("faults").get("seq", 0) == self.state
        report = self.spool.report()
        assert report.bytes == sum(len(each.text) for each in self.waiting)
        assert report.faults_shed == 0

    def teardown(self) -> None:
        if hasattr(self, "spool"):
            self.spool.close()
        self._scratch.cleanup()


TestSpool = SpoolMachine.TestCase
TestSpool.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
