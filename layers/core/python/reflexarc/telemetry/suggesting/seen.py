"""What is noted of spans and log records alike: volume, attributes, who asks for health. Pure."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from reflexarc.telemetry.suggesting import probes
from reflexarc.telemetry.suggesting.attributes import Attributes
from reflexarc.telemetry.suggesting.model import Finding

# Attributes of one item in so many are looked at, once that many were.
_ALL_UP_TO, STRIDE = 50_000, 16


@dataclass(slots=True)
class Seen:
    """Items of one signal. `paths` and `agents` hold attributes with what was found in them."""

    noun: str
    count: int = 0
    size: int = 0
    paths: set[tuple[str, str]] = field(default_factory=set)
    agents: set[tuple[str, str]] = field(default_factory=set)
    _attributes: Attributes = field(default_factory=Attributes)

    def add(self, size: int) -> None:
        """Count an item of so many bytes."""
        self.count += 1
        self.size += size

    @property
    def looking(self) -> bool:
        """Return whether the attributes of the item that was counted last are to be looked at."""
        return self.count <= _ALL_UP_TO or self.count % STRIDE == 0

    def look(self, attributes: Collection[KeyValue], size: int) -> None:
        """Look at the attributes of an item of so many bytes."""
        self._attributes.add(attributes, size)
        for each in attributes:
            if path := probes.path_of(each.key, each.value.string_value):
                self.paths.add((each.key, path))
            elif agent := probes.agent_of(each.key, each.value.string_value):
                self.agents.add((each.key, agent))

    def findings(self, twice: int, alike: str) -> Iterator[Finding]:
        """Yield what no rule can mend; so many items came twice, and are told by what is alike."""
        if twice:
            yield Finding(
                f"{twice:,} of {self.count:,} {self.noun} came twice, {alike}",
                "look for an exporter that is set up twice, or two Collectors on one path",
                self.size * twice // self.count,
            )
        yield from self._attributes.findings(self.noun)
