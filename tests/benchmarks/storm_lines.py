"""Hundreds of thousands of lines of a few GPUs, as agents would send them: collapsed, in order."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count

from reflexarc.agent.collapse import Collapser
from reflexarc.agent.lines import Line
from reflexarc.agent.packing import Packed, pack_faults
from reflexarc.events.envelope import Source
from reflexarc.gpu.recognise import Recogniser
from reflexarc.kernel.ids import new_ulid

GPUS_A_NODE = 8
FIRST_BUS = 0x10


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """So many lines of one code, in turn of so many GPUs, within so many seconds."""

    lines: int
    gpus: int
    code: int = 95
    within_s: float = 60.0
    prefix: str = "noisy-node-"

    def messages(self) -> Iterator[Packed]:
        """Yield what the agents of all nodes send; every line passes their own code."""
        nodes = -(-self.gpus // GPUS_A_NODE)
        for node in range(nodes):
            gpus = range(node * GPUS_A_NODE, min(self.gpus, (node + 1) * GPUS_A_NODE))
            yield from self._of_node(f"{self.prefix}{node}", gpus)

    def lines_of(self, gpu: int) -> int:
        """Return how many of the lines are one GPU's."""
        return self.lines // self.gpus + (gpu < self.lines % self.gpus)

    def _of_node(self, node: str, gpus: range) -> Iterator[Packed]:
        recogniser, collapser, sequence = Recogniser(), Collapser(), count(1)
        source = Source(node=node, agent="storm", boot_id=f"boot-of-{node}")

        def mint() -> tuple[str, int]:
            return new_ulid(datetime.now(UTC)), next(sequence)

        texts = {gpu: self._text(gpu % GPUS_A_NODE) for gpu in gpus}
        left = {gpu: self.lines_of(gpu) for gpu in gpus}
        began = datetime.now(UTC) - timedelta(seconds=self.within_s)
        turns = max(left.values())
        for turn in range(turns):
            now = turn * self.within_s / turns
            at = began + timedelta(seconds=now)
            leaving = collapser.due(now)
            for gpu in gpus:
                sighting = recogniser.see(texts[gpu]) if turn < left[gpu] else None
                if sighting is not None:
                    line = Line(text=sighting.text, at=at, kernel_seq=None)
                    leaving += collapser.observe(sighting.key, line, now)
            if leaving:
                yield from pack_faults(leaving, source, mint)
        yield from pack_faults(collapser.drain(), source, mint)

    def _text(self, gpu: int) -> str:
        return (
            f"[ 2235.252108] NVRM: Xid (PCI:0000:{FIRST_BUS + gpu:02x}:00): {self.code}, "
            "pid=1234, name=python3, Uncontained: LTC TAG (0x0,0x0). RST: Yes, D-RST: No"
        )
