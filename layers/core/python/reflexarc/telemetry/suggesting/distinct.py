"""How many different things there were: exactly while they are few, then estimated.

HyperLogLog of 4,096 registers errs by 1.6 % (one standard error).
https://datasketches.apache.org/docs/HLL/HLL.html
"""

import importlib
from dataclasses import dataclass, field
from typing import Any

EXACT = 1_024
_LG_K = 12


@dataclass(slots=True)
class Distinct:
    """Counts different hashes."""

    _few: set[int] = field(default_factory=set)
    # The library has no types.
    _sketch: Any = None

    def add(self, hashed: int) -> None:
        """Take note of one thing, by its hash."""
        if self._sketch is not None:
            self._sketch.update(hashed)
            return
        self._few.add(hashed)
        if len(self._few) > EXACT:
            self._begin()

    def count(self) -> int:
        """Return how many there were."""
        return len(self._few) if self._sketch is None else round(self._sketch.get_estimate())

    def _begin(self) -> None:
        datasketches = importlib.import_module("datasketches")
        self._sketch = datasketches.hll_sketch(_LG_K, datasketches.tgt_hll_type.HLL_8)
        for hashed in self._few:
            self._sketch.update(hashed)
        self._few.clear()
