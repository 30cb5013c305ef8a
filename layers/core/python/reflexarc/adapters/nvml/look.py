"""One look at one GPU: quick values each time, slow ones every few seconds."""

from collections.abc import Callable
from typing import Any

from reflexarc.adapters.nvml.answers import Answers, Field, celsius, margin_c, number
from reflexarc.adapters.nvml.cards import Card
from reflexarc.gpu.watch.model import GpuSample

SLOW_S = 5.0
# A slow look is long; eight GPUs spread theirs over this many looks.
_SPREAD = 5
_MIB = 1 << 20

# nvml.h: NVML_TEMPERATURE_GPU, NVML_CLOCK_*, NVML_TEMPERATURE_THRESHOLD_*
_GPU_SENSOR, _SM, _MEMORY, _SLOWDOWN, _MEM_MAX = 0, 1, 2, 1, 2

# nvml.h, NVML_FI_DEV_*: https://docs.nvidia.com/deploy/nvml-api/group__nvmlFieldValueEnums.html
_MEMORY_TEMP: Field = (82, 0)
_RECOVERY_ACTION: Field = (230, 0)
_QUICK = (_MEMORY_TEMP, _RECOVERY_ACTION)
_ECC: dict[str, Field] = {
    "ecc_corrected_volatile": (3, 0),
    "ecc_uncorrected_volatile": (4, 0),
    "ecc_corrected_aggregate": (5, 0),
    "ecc_uncorrected_aggregate": (6, 0),
    "remapped_correctable": (142, 0),
    "remapped_uncorrectable": (143, 0),
    "pcie_replays": (94, 0),
}
_REMAP_PENDING: Field = (144, 0)
_REMAP_FAILURE: Field = (145, 0)
_LINKS: Field = (91, 0)
# Flit CRC, data CRC, replay and recovery errors of all links, up to Hopper.
_NVLINK: tuple[Field, ...] = ((38, 0), (45, 0), (52, 0), (59, 0))
# NVLink 5 counts for each link: malformed packets, buffer overruns, receive errors, link
# integrity errors, link recoveries. Remote errors (209) are another link's own.
_NVLINK5 = (206, 207, 208, 211, 215)
# More than any card has (NVML_NVLINK_MAX_LINKS is 18 in nvml.h); a number beyond is garbage.
_LINKS_MAX = 36
_SLOW = (*_ECC.values(), _REMAP_PENDING, _REMAP_FAILURE, _LINKS, *_NVLINK)

# Calls whose older form older drivers still have.
HAS_OLDER_CALL = frozenset({"newer temperature", "newer reasons"})

FIELD_NAMES: dict[int, str] = {
    82: "memory temperature",
    230: "recovery action",
    91: "NVLink count",
    **{field: name for name, (field, _) in _ECC.items()},
    144: "remap pending",
    145: "remap failure",
    **dict.fromkeys((38, 45, 52, 59), "NVLink errors before NVLink 5"),
    **dict.fromkeys(_NVLINK5, "NVLink 5 errors"),
}


def _flag(value: int | None) -> bool | None:
    return None if value is None else value != 0


class Look:
    """Looks at one GPU. Raises GpuLost and SessionOver."""

    def __init__(self, api: Any, card: Card, clock: Callable[[], float]) -> None:
        self.card = card
        self._api = api
        self._clock = clock
        self.answers = Answers(api, card.handle, clock)
        self._next_slow: float | None = None
        self._slow: dict[str, Any] = {}
        self._slowdown_c: float | None = None
        self._memory_max_c: float | None = None
        self._mig: bool | None = None

    def sample(self) -> GpuSample | None:
        """Return what the GPU tells; None where it answers nothing but errors."""
        self.answers.failures = 0
        now = self._clock()
        quick = self._quick()
        if self.answers.failures and all(value is None for value in quick.values()):
            return None
        if self._next_slow is None or now >= self._next_slow:
            first = self._next_slow is None
            self._slow = self._slow_values()
            spread = (self.card.index % _SPREAD) * SLOW_S / _SPREAD if first else 0.0
            self._next_slow = now + SLOW_S + spread
        return GpuSample(
            device=self.card.device,
            uuid=self.card.uuid,
            index=self.card.index,
            name=self.card.name,
            **self._margins(quick.pop("margin"), quick["temperature_c"], quick["memory_c"]),
            **quick,
            **self._slow,
        )

    def _quick(self) -> dict[str, Any]:
        ask, api = self.answers.ask, self._api
        temperature = ask("newer temperature", api.nvmlDeviceGetTemperatureV, _GPU_SENSOR)
        if temperature is None:
            temperature = ask("temperature", api.nvmlDeviceGetTemperature, _GPU_SENSOR)
        reasons = ask("newer reasons", api.nvmlDeviceGetCurrentClocksEventReasons)
        if reasons is None:
            reasons = ask("clock reasons", api.nvmlDeviceGetCurrentClocksThrottleReasons)
        power = number(ask("power", api.nvmlDeviceGetPowerUsage))
        rates = ask("utilization", api.nvmlDeviceGetUtilizationRates)
        memory = ask("memory", api.nvmlDeviceGetMemoryInfo)
        used = None if memory is None else number(memory.used)
        fields = self.answers.fields(_QUICK)
        return {
            "margin": ask("T.Limit margin", api.nvmlDeviceGetMarginTemperature),
            "temperature_c": celsius(temperature),
            # Cards without that sensor may say 0.
            "memory_c": celsius(fields.get(_MEMORY_TEMP)) or None,
            "reasons": number(reasons),
            "power_w": None if power is None else power / 1000,
            "sm_clock_mhz": number(ask("SM clock", api.nvmlDeviceGetClockInfo, _SM)),
            "memory_clock_mhz": number(ask("memory clock", api.nvmlDeviceGetClockInfo, _MEMORY)),
            "utilization": None if rates is None else number(rates.gpu),
            "memory_used_mib": None if used is None else used / _MIB,
            "recovery_action": fields.get(_RECOVERY_ACTION),
        }

    def _margins(
        self, margin: int | None, temperature: float | None, memory: float | None
    ) -> dict[str, Any]:
        """Believe a margin only beside a temperature: -1 is all bits set, and a margin as well."""
        left = margin_c(margin) if temperature is not None else None
        if left is None and temperature is not None and self._slowdown_c is not None:
            left = self._slowdown_c - temperature
        memory_left = None
        if memory is not None and self._memory_max_c is not None:
            memory_left = self._memory_max_c - memory
        return {"margin_c": left, "memory_margin_c": memory_left}

    def _slow_values(self) -> dict[str, Any]:
        ask, api = self.answers.ask, self._api
        self._notice_mig()
        self._learn_thresholds()
        fields = self.answers.fields(_SLOW)
        limit = number(ask("power limit", api.nvmlDeviceGetEnforcedPowerLimit))
        memory = ask("memory", api.nvmlDeviceGetMemoryInfo)
        total = None if memory is None else number(memory.total)
        return {
            **{name: fields.get(field) for name, field in _ECC.items()},
            "remap_pending": _flag(fields.get(_REMAP_PENDING)),
            "remap_failure": _flag(fields.get(_REMAP_FAILURE)),
            "nvlink_errors": self._nvlink_errors(fields),
            "power_limit_w": None if limit is None else limit / 1000,
            "memory_total_mib": None if total is None else total / _MIB,
            "pcie_width": number(ask("PCIe width", api.nvmlDeviceGetCurrPcieLinkWidth)),
            "pcie_width_max": number(ask("PCIe maximum", api.nvmlDeviceGetMaxPcieLinkWidth)),
            "mig": self._mig,
            "pids": self._pids(),
        }

    def _notice_mig(self) -> None:
        mode = self.answers.ask("MIG mode", self._api.nvmlDeviceGetMigMode)
        mig = None if mode is None else _flag(number(mode[0]))
        if mig != self._mig and self._mig is not None:
            self.answers.forget()
        self._mig = mig

    def _learn_thresholds(self) -> None:
        ask, call = self.answers.ask, self._api.nvmlDeviceGetTemperatureThreshold
        if self._slowdown_c is None:
            self._slowdown_c = celsius(ask("slowdown threshold", call, _SLOWDOWN)) or None
        if self._memory_max_c is None:
            self._memory_max_c = celsius(ask("memory maximum", call, _MEM_MAX)) or None

    def _nvlink_errors(self, fields: dict[Field, int | None]) -> int | None:
        counts = [fields.get(field) for field in _NVLINK]
        if all(count is None for count in counts):
            links = min(fields.get(_LINKS) or 0, _LINKS_MAX)
            wanted = [(field, link) for link in range(links) for field in _NVLINK5]
            counts = list(self.answers.fields(wanted).values())
        known = [count for count in counts if count is not None]
        return sum(known) if known else None

    def _pids(self) -> tuple[int, ...] | None:
        ask, api = self.answers.ask, self._api
        compute = ask("compute processes", api.nvmlDeviceGetComputeRunningProcesses)
        graphics = ask("graphics processes", api.nvmlDeviceGetGraphicsRunningProcesses)
        if compute is None and graphics is None:
            return None
        return tuple(sorted({process.pid for process in (*(compute or ()), *(graphics or ()))}))
