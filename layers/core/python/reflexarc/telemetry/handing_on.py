"""Gives other parts of reflexarc what they need of a batch, before any rule takes it away.

Each part looks for its marks in the bytes of the whole batch first: most batches hold none of them,
and are passed over at the speed of a search.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from reflexarc.kernel.clock import Clock
from reflexarc.telemetry.backends import HandOn
from reflexarc.telemetry.gpu_metrics import gpu_metrics
from reflexarc.telemetry.kernel_lines import kernel_lines
from reflexarc.telemetry.llm_spans import llm_spans
from reflexarc.telemetry.ports import Destination, GpuPage, KernelLog, Others, Payloads
from reflexarc.telemetry.series import series
from reflexarc.telemetry.told import Batch, Told


@dataclass(frozen=True, slots=True, kw_only=True)
class HandingOn:
    """Finds and sends. `may_tell` says whether a sender may tell of a node; others are not heard.

    A bearer token names the nodes that its holder may speak of, and that holds here as well.
    """

    others: Others
    payloads: Payloads
    kernel_log: Callable[[], KernelLog]
    gpu_page: GpuPage
    may_tell: Callable[[str, str], bool]
    clock: Clock

    def hand_on(self, batch: Batch, sender: str, wanted: HandOn) -> Mapping[str, int]:
        """Send what is wanted of a batch; return how many items went where, or were not heard.

        Raises Unavailable unless all was taken; the same again has the same ids.
        """
        counts: Counter[str] = Counter()
        bodies: dict[Destination, list[str]] = {}
        for told in self._found(batch, wanted):
            of_node = told.to in {"gpu-faults", "gpu-readings"}
            if of_node and not self.may_tell(sender, told.message.source.node):
                counts["not-heard"] += told.items
                continue
            text = told.message.model_dump_json(by_alias=True, exclude_none=True)
            bodies.setdefault(told.to, []).append(text)
            counts[told.to] += told.items
        for to, texts in bodies.items():
            self.others.send(to, texts, sender)
        return counts

    def _found(self, batch: Batch, wanted: HandOn) -> Iterator[Told]:
        now = self.clock()
        if wanted.kernel_lines:
            yield from kernel_lines(batch, self.kernel_log, now)
        if wanted.gpu_metrics:
            yield from gpu_metrics(batch, self.gpu_page, now)
        if wanted.llm_spans:
            yield from llm_spans(batch, self.payloads.keep, now)
        yield from series(batch, wanted.series, now)
