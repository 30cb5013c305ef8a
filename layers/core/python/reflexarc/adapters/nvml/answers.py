"""What one GPU answers: every error is a None, and what a GPU cannot tell is rarely asked again."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from reflexarc.adapters.nvml.library import (
    ARGUMENT_VERSION_MISMATCH,
    DEPRECATED,
    FUNCTION_NOT_FOUND,
    GPU_IS_LOST,
    INVALID_ARGUMENT,
    NO_PERMISSION,
    NOT_SUPPORTED,
    SESSION_OVER,
    GpuLost,
    SessionOver,
)

AGAIN_S = 600.0
_WHY = {
    NOT_SUPPORTED: "this card does not tell it",
    NO_PERMISSION: "this process may not read it",
    FUNCTION_NOT_FOUND: "the driver is too old to tell it",
    INVALID_ARGUMENT: "the driver is too old to tell it",
    ARGUMENT_VERSION_MISMATCH: "the driver speaks another version of it",
    DEPRECATED: "the driver no longer tells it",
}
# "Not available" as NVML spells it, in nvml.h: NVML_VALUE_NOT_AVAILABLE.
_NOT_AVAILABLE = frozenset({0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF})
# No chip that answers is outside these. NVML's temperatures were unsigned; a broken sensor says
# 255, 511, or all bits, which a signed call gives as -1. A margin is negative beyond the limit.
_COLDEST_C, _HOTTEST_C, _FAR_BEYOND_C = 0, 200, -60
# A field is an NVML field id and a scope, for NVLink 5 the link.
Field = tuple[int, int]
# nvmlValueType_t by the member of the union that holds it.
_MEMBERS = ("dVal", "uiVal", "ulVal", "ullVal", "sllVal", "siVal", "usVal")


def number(value: int | None) -> int | None:
    """Return a count or a measure, None where NVML says that there is none."""
    return None if value is None or value in _NOT_AVAILABLE else value


def celsius(value: int | None) -> float | None:
    """Return a temperature that can be true."""
    return None if value is None or not _COLDEST_C <= value <= _HOTTEST_C else float(value)


def margin_c(value: int | None) -> float | None:
    """Return a margin that can be true."""
    return None if value is None or not _FAR_BEYOND_C <= value <= _HOTTEST_C else float(value)


class Answers:
    """Asks one handle. Raises GpuLost and SessionOver; every other error is a missing value."""

    def __init__(self, api: Any, handle: Any, clock: Callable[[], float]) -> None:
        self._api = api
        self._handle = handle
        self._clock = clock
        self._refused: dict[str | Field, tuple[float, int]] = {}
        # ctypes forgets an array's type with its last instance, and makes it anew in 20 us.
        self._types: dict[int, Any] = {}
        self.failures = 0
        self.learned = 0

    def ask(self, what: str, call: Callable[..., Any], *args: Any) -> Any:
        """Return what a call on the handle returns, None where it fails."""
        if what in self._refused and not self._due(what):
            return None
        try:
            return call(self._handle, *args)
        except self._api.NVMLError as error:
            self._learn(what, error.value)
            return None

    def fields(self, wanted: Sequence[Field]) -> dict[Field, int | None]:
        """Return field values with one call; those that are missing are left out or None."""
        fields = [field for field in wanted if field not in self._refused or self._due(field)]
        if not fields:
            return {}
        values = self.ask("field values", self._api.nvmlDeviceGetFieldValues, fields)
        if values is None:
            return {}
        self._types[len(fields)] = type(values)
        return {
            field: self._value(field, value) for field, value in zip(fields, values, strict=True)
        }

    def forget(self) -> None:
        """Ask everything again, as after a change of the MIG mode."""
        self._refused.clear()

    def refused(self) -> dict[str | Field, str]:
        """Return what is not answered here, and why."""
        return {what: _WHY[code] for what, (_, code) in list(self._refused.items())}

    def _value(self, field: Field, value: Any) -> int | None:
        if value.nvmlReturn != 0:
            self._learn(field, value.nvmlReturn)
            return None
        if not 0 <= value.valueType < len(_MEMBERS):
            return None
        found = getattr(value.value, _MEMBERS[value.valueType])
        return number(int(found)) if math.isfinite(found) else None

    def _due(self, what: str | Field) -> bool:
        if self._clock() < self._refused[what][0]:
            return False
        del self._refused[what]
        return True

    def _learn(self, what: str | Field, code: int) -> None:
        if code == GPU_IS_LOST:
            raise GpuLost("GPU is lost")
        if code in SESSION_OVER:
            raise SessionOver(code)
        if code in _WHY:
            self._refused[what] = (self._clock() + AGAIN_S, code)
            self.learned += 1
        else:
            self.failures += 1
