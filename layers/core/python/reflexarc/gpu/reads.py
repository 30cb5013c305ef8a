"""What this slice reads of telemetry: kernel lines of GPU faults, and a DCGM exporter's metrics."""

from reflexarc.events.reads import Read

# What adapters/dcgm makes readings of; a test compares the two.
DCGM_METRICS = (
    "DCGM_EXP_XID_ERRORS_COUNT",
    "DCGM_EXP_XID_ERRORS_TOTAL",
    "DCGM_FI_DEV_CLOCKS_EVENT_REASONS",
    "DCGM_FI_DEV_CLOCK_THROTTLE_REASONS",
    "DCGM_FI_DEV_CORRECTABLE_REMAPPED_ROWS",
    "DCGM_FI_DEV_ECC_DBE_AGG_TOTAL",
    "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL",
    "DCGM_FI_DEV_ECC_SBE_AGG_TOTAL",
    "DCGM_FI_DEV_ECC_SBE_VOL_TOTAL",
    "DCGM_FI_DEV_FB_FREE",
    "DCGM_FI_DEV_FB_RESERVED",
    "DCGM_FI_DEV_FB_USED",
    "DCGM_FI_DEV_GPU_TEMP",
    "DCGM_FI_DEV_GPU_TEMP_LIMIT",
    "DCGM_FI_DEV_GPU_UTIL",
    "DCGM_FI_DEV_MEMORY_TEMP",
    "DCGM_FI_DEV_MEM_CLOCK",
    "DCGM_FI_DEV_PCIE_REPLAY_COUNTER",
    "DCGM_FI_DEV_POWER_MGMT_LIMIT",
    "DCGM_FI_DEV_POWER_USAGE",
    "DCGM_FI_DEV_ROW_REMAP_FAILURE",
    "DCGM_FI_DEV_ROW_REMAP_PENDING",
    "DCGM_FI_DEV_SM_CLOCK",
    "DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS",
    "DCGM_FI_DEV_XID_ERRORS",
)
_KERNEL_LINES = (
    "NVRM: Xid (PCI:0000:3b:00): 79, pid=1234, name=python3, GPU has fallen off the bus.",
    "nvidia-nvswitch3: SXid (PCI:0000:c1:00.0): 20034, Fatal, Link 30 LTSSM Fault Up",
    "NVRM: GPU at PCI:0000:3b:00: GPU-1c9b9d4e has fallen off the bus.",
)

READS = (
    Read(
        who="pages of GPU faults (XID and SXid lines of the kernel log)",
        signal="logs",
        conditions=('IsMatch(body, "Xid|fallen off the bus")',),
        witnesses=tuple({"body": line} for line in _KERNEL_LINES),
    ),
    Read(
        who="GPU readings and health (DCGM metrics)",
        signal="metrics",
        conditions=(f'IsMatch(name, "^({"|".join(DCGM_METRICS)})$")',),
        witnesses=tuple({"name": name} for name in DCGM_METRICS),
    ),
)
