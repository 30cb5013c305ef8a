/* What the files of the stub share: the scenario as it stands, and the way into a call. */
#ifndef STUB_H
#define STUB_H

typedef unsigned int u32;
typedef unsigned long long u64;
typedef int Ret;

/* nvmlReturn_t, as far as scenarios name it. */
enum {
    SUCCESS = 0, UNINITIALIZED = 1, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NO_PERMISSION = 4,
    NOT_FOUND = 6, INSUFFICIENT_SIZE = 7, DRIVER_NOT_LOADED = 9, TIMEOUT = 10,
    FUNCTION_NOT_FOUND = 13, GPU_IS_LOST = 15, RESET_REQUIRED = 16, LIB_RM_VERSION_MISMATCH = 18,
    UNKNOWN = 999
};

#define GPUS 16
#define LIST 256       /* events, processes, spans of trouble: as many of each */
#define FOREVER 1e18
#define NO_INSTANCE 0xFFFFFFFFu

/* One value over time; see README.md for the names. KEY(name, NVML field id or 0, kind) */
enum kind { U32, U64, I32 };
#define KEYS(KEY) \
    KEY(temp, 0, U32) KEY(margin, 0, I32) KEY(slowdown, 0, U32) KEY(memmax, 0, U32) \
    KEY(reasons, 0, U64) KEY(power, 0, U32) KEY(limit, 0, U32) KEY(sm, 0, U32) KEY(mclk, 0, U32) \
    KEY(util, 0, U32) KEY(memutil, 0, U32) KEY(used, 0, U64) KEY(total, 0, U64) \
    KEY(width, 0, U32) KEY(width_max, 0, U32) KEY(mig, 0, U32) KEY(events, 0, U64) \
    KEY(memtemp, 82, U32) KEY(sbe_vol, 3, U64) KEY(dbe_vol, 4, U64) KEY(sbe_agg, 5, U64) \
    KEY(dbe_agg, 6, U64) KEY(remap_cor, 142, U32) KEY(remap_unc, 143, U32) \
    KEY(remap_pending, 144, U32) KEY(remap_failure, 145, U32) KEY(recovery, 230, U32) \
    KEY(replays, 94, U32) KEY(links, 91, U32) KEY(nvlink_flit, 38, U64) KEY(nvlink_data, 45, U64) \
    KEY(nvlink_replay, 52, U64) KEY(nvlink_recovery, 59, U64) KEY(nvlink5_malformed, 206, U64) \
    KEY(nvlink5_overrun, 207, U64) KEY(nvlink5_rcv, 208, U64) KEY(nvlink5_integrity, 211, U64) \
    KEY(nvlink5_recovery, 215, U64) KEY(shutdown_tlimit, 193, I32) KEY(slowdown_tlimit, 194, I32) \
    KEY(memmax_tlimit, 195, I32) KEY(gpumax_tlimit, 196, I32)
#define KEY_ENUM(name, field, kind) K_##name,
enum key { KEYS(KEY_ENUM) KEY_COUNT };

typedef struct { double at, value; int garbage; Ret error; } Point;
typedef struct { int first, count, ramp; } Series;
typedef struct { char pci[32], uuid[96], name[96]; Series series[KEY_COUNT]; } Gpu;
typedef struct { double from, to; int gpu; Ret error; } Span; /* gpu -1: every GPU; -2: all calls */
typedef struct { double at; int gpu; u64 type, data; u32 gi, ci; } Event;
typedef struct { double from, to; int gpu; u32 pid; char kind; u32 gi, ci; } Process;
typedef struct { int gpu; u32 gi, ci; char uuid[96]; } Instance;
typedef struct { double at; int count, ids[GPUS]; } Order;

typedef struct {
    double start;
    char driver[64];
    int gpu_count, lost_count, hang_count, fail_count, event_count, process_count, instance_count,
        order_count, lack_count;
    Gpu gpus[GPUS];
    Span lost[LIST], hangs[LIST], fails[LIST];
    Event events[LIST];
    Process processes[LIST];
    Instance instances[LIST];
    Order orders[LIST];
    char lacks[LIST][64];
} Scenario;

/* One nvmlInit until the nvmlShutdown that undoes it: what was enumerated, and when. */
typedef struct { int users, count, ids[GPUS]; double opened; } Session;

extern Scenario scenario;
extern Session session;

/* scenario.c: each needs the lock. */
void refresh(void);
double now(void);
Ret value_of(const Gpu *gpu, enum key key, double *value); /* garbage is -1, all bits set */
enum kind kind_of(enum key key);
int key_of_field(u32 field);
int lacks(const char *name);
int is_lost(int gpu);
int hangs(int gpu);
Ret driver_says(void);
int listed_now(int ids[GPUS]);

/* calls.c: the lock is held from a successful enter until leave. */
Ret enter(const char *function, void *handle, int *gpu);
Ret leave(Ret said);
void *handle_of(int gpu);
int gpu_of(void *handle);
void lock(void);
void unlock(void);

#endif
