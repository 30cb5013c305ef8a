"""The shape of a benchmark's result."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of ours beside the peer's, measured in the same run."""

    bench: str
    metric: str
    unit: str
    ours: float
    peer: float | None = None
    peer_name: str | None = None

    def as_json(self) -> dict[str, object]:
        """Return the published form, with the ratio ours / peer."""
        ratio = round(self.ours / self.peer, 4) if self.peer else None
        return {**asdict(self), "ratio": ratio}
