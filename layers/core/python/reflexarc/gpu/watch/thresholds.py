"""When a reading is a fault: every number an operator may change, with where it comes from."""

from pydantic import BaseModel, ConfigDict, Field


class Thresholds(BaseModel):
    """Degrees C, seconds, and counts. Margins are degrees left until the hardware slows down."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # The hardware has halved the clocks already: this is no forecast. Ten seconds let a burst pass.
    hw_thermal_s: float = Field(default=10.0, ge=0)
    near_margin_c: float = 5.0
    near_s: float = Field(default=60.0, ge=0)
    clear_margin_c: float = 8.0
    clear_s: float = Field(default=120.0, ge=0)
    # A GPU that starts a job rises fast and levels off; only near the limit is a rise a forecast.
    rising_margin_c: float = 10.0
    rising_within_s: float = Field(default=60.0, gt=0)
    memory_near_margin_c: float = 2.0
    memory_near_s: float = Field(default=60.0, ge=0)
    memory_limit_s: float = Field(default=10.0, ge=0)
    # More openings than this in ten minutes are one flapping finding.
    flaps: int = Field(default=3, ge=1)
    flap_window_s: float = Field(default=600.0, gt=0)
    # Warnings wait this long to see whether several GPUs of the node heat up together.
    together_s: float = Field(default=10.0, ge=0)
    together_margin_c: float = 10.0
    together_gpus: int = Field(default=3, ge=2)
    power_s: float = Field(default=10.0, ge=0)
    power_clear_s: float = Field(default=60.0, ge=0)
    # DCGM's health watch takes the same (DCGM_LIMIT_MAX_PCIREPLAY_RATE, a minute).
    # https://github.com/NVIDIA/DCGM/blob/master/common/DcgmGPUHardwareLimits.h
    pcie_replays_per_min: float = Field(default=8.0, gt=0)
    # Ours, for the sum of CRC, replay and recovery errors. DCGM warns at a single one, which links
    # that work see now and then.
    nvlink_errors_per_min: float = Field(default=100.0, gt=0)
    # Corrected errors harm nobody, and NVIDIA names no limit; a flood of them precedes worse.
    ecc_corrected_per_min: float = Field(default=100.0, gt=0)
    rate_s: float = Field(default=60.0, gt=0)
    # Rows given up within a day. Each bank can give up eight in its life.
    # https://docs.nvidia.com/deploy/a100-gpu-mem-error-mgmt/rma-policy-thresholds-for-row-remapping.html
    remaps_per_day: int = Field(default=3, ge=1)
    ecc_clear_s: float = Field(default=3_600.0, ge=0)
    lost_s: float = Field(default=5.0, ge=0)
    hung_s: float = Field(default=30.0, ge=0)
    absent_s: float = Field(default=120.0, ge=0)
    port_down_s: float = Field(default=5.0, ge=0)
    port_clear_s: float = Field(default=30.0, ge=0)
