/* What NVML answers about a device. Structs and signatures as nvidia-ml-py 13.615.71 calls them. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include "stub.h"

typedef struct { char legacy[16]; u32 domain, bus, device, id, subsystem; char bus_id[32]; } Pci;
typedef struct { u32 version; int sensor, temperature; } TemperatureV1;
typedef struct { u32 version; int margin; } MarginV1;
typedef struct { u32 gpu, memory; } Utilization;
typedef struct { u64 total, free, used; } Memory;
typedef struct { u32 version; u64 total, reserved, free, used; } MemoryV2;
typedef struct { u32 pid; u64 used; u32 gi, ci; } ProcessInfo;
typedef union { double d; u32 u; unsigned long ul; u64 ull; long long ll; int i; unsigned short s; } Value;
typedef struct { u32 field, scope; long long at, took; u32 type; u32 said; Value value; } FieldValue;

static Instance *instance_of(void *handle)
{
    Instance *at = handle;
    return at >= scenario.instances && at < scenario.instances + LIST ? at : NULL;
}

/* A number of the scenario as NVML's unsigned int; garbage keeps all bits, whatever the unit. */
static Ret get(const char *function, void *device, enum key key, double unit, u32 *answer)
{
    int gpu;
    double value = 0;
    Ret said = enter(function, device, &gpu);
    if (said) return said;
    said = value_of(&scenario.gpus[gpu], key, &value);
    if (!said) *answer = value == -1 ? 0xFFFFFFFFu : (u32)(long long)(value * unit);
    return leave(said);
}

static Ret copy(char *to, u32 size, const char *text)
{
    if (!*text) return NOT_SUPPORTED;
    return snprintf(to, size, "%s", text) < (int)size ? SUCCESS : INSUFFICIENT_SIZE;
}

const char *nvmlErrorString(Ret said)
{
    return said == GPU_IS_LOST ? "GPU is lost" : said == TIMEOUT ? "Timeout" : "stub error";
}
Ret nvmlSystemGetDriverVersion(char *text, u32 size)
{
    Ret said = enter(__func__, NULL, NULL);
    return said ? said : leave(copy(text, size, scenario.driver));
}
Ret nvmlSystemGetNVMLVersion(char *text, u32 size) { return copy(text, size, "13.595.45.04"); }
Ret nvmlSystemGetCudaDriverVersion_v2(int *version) { *version = 13020; return SUCCESS; }

Ret nvmlDeviceGetCount_v2(u32 *count)
{
    Ret said = enter(__func__, NULL, NULL);
    if (said) return said;
    *count = (u32)session.count;
    return leave(SUCCESS);
}
Ret nvmlDeviceGetHandleByIndex_v2(u32 index, void **device)
{
    Ret said = enter(__func__, NULL, NULL);
    if (said) return said;
    if ((int)index >= session.count) return leave(INVALID_ARGUMENT);
    int gpu = session.ids[index];
    *device = handle_of(gpu);
    return leave(is_lost(gpu) ? GPU_IS_LOST : SUCCESS);
}

static Ret find(int by_uuid, const char *wanted, void **device)
{
    Ret said = enter("nvmlDeviceGetHandle", NULL, NULL);
    if (said) return said;
    for (int i = 0; i < session.count; i++) {
        Gpu *gpu = &scenario.gpus[session.ids[i]];
        if (strcasecmp(by_uuid ? gpu->uuid : gpu->pci, wanted)) continue;
        *device = handle_of(session.ids[i]);
        return leave(SUCCESS);
    }
    return leave(NOT_FOUND);
}
Ret nvmlDeviceGetHandleByUUID(const char *uuid, void **device) { return find(1, uuid, device); }
Ret nvmlDeviceGetHandleByPciBusId_v2(const char *pci, void **device) { return find(0, pci, device); }

Ret nvmlDeviceGetIndex(void *device, u32 *index)
{
    int gpu;
    Ret said = enter(__func__, device, &gpu);
    if (said) return said;
    for (*index = 0; (int)*index < session.count && session.ids[*index] != gpu;) ++*index;
    return leave(SUCCESS);
}
Ret nvmlDeviceGetName(void *device, char *text, u32 size)
{
    int gpu;
    Ret said = enter(__func__, device, &gpu);
    return said ? said : leave(copy(text, size, scenario.gpus[gpu].name));
}
Ret nvmlDeviceGetUUID(void *device, char *text, u32 size)
{
    int gpu;
    Instance *instance = instance_of(device);
    Ret said = enter(__func__, instance ? handle_of(instance->gpu) : device, &gpu);
    return said ? said : leave(copy(text, size, instance ? instance->uuid : scenario.gpus[gpu].uuid));
}
Ret nvmlDeviceGetPciInfo_v3(void *device, Pci *pci)
{
    int gpu;
    Ret said = enter(__func__, device, &gpu);
    if (said) return said;
    memset(pci, 0, sizeof *pci);
    sscanf(scenario.gpus[gpu].pci, "%x:%x:%x", &pci->domain, &pci->bus, &pci->device);
    snprintf(pci->bus_id, sizeof pci->bus_id, "%s", scenario.gpus[gpu].pci);
    snprintf(pci->legacy, sizeof pci->legacy, "%04X:%02X:%02X.0", pci->domain & 0xFFFF, pci->bus & 0xFF,
             pci->device & 0x1F);
    return leave(SUCCESS);
}

Ret nvmlDeviceGetTemperature(void *device, int sensor, u32 *answer)
{
    return sensor ? INVALID_ARGUMENT : get(__func__, device, K_temp, 1, answer);
}
Ret nvmlDeviceGetTemperatureV(void *device, TemperatureV1 *answer)
{
    return get(__func__, device, K_temp, 1, (u32 *)&answer->temperature);
}
Ret nvmlDeviceGetMarginTemperature(void *device, MarginV1 *answer)
{
    return get(__func__, device, K_margin, 1, (u32 *)&answer->margin);
}
Ret nvmlDeviceGetTemperatureThreshold(void *device, int which, u32 *answer)
{
    if (which != 1 && which != 2) return NOT_SUPPORTED;
    return get(__func__, device, which == 1 ? K_slowdown : K_memmax, 1, answer);
}
static Ret reasons(const char *function, void *device, u64 *mask)
{
    u32 low = 0;
    Ret said = get(function, device, K_reasons, 1, &low);
    *mask = low == 0xFFFFFFFFu ? ~0ull : low;
    return said;
}
Ret nvmlDeviceGetCurrentClocksEventReasons(void *device, u64 *mask) { return reasons(__func__, device, mask); }
Ret nvmlDeviceGetCurrentClocksThrottleReasons(void *device, u64 *mask) { return reasons(__func__, device, mask); }
Ret nvmlDeviceGetPowerUsage(void *device, u32 *mw) { return get(__func__, device, K_power, 1000, mw); }
Ret nvmlDeviceGetEnforcedPowerLimit(void *device, u32 *mw) { return get(__func__, device, K_limit, 1000, mw); }
Ret nvmlDeviceGetClockInfo(void *device, int which, u32 *mhz)
{
    return get(__func__, device, which == 2 ? K_mclk : K_sm, 1, mhz); /* graphics, SM, memory, video */
}
Ret nvmlDeviceGetUtilizationRates(void *device, Utilization *rates)
{
    rates->memory = 0;
    get(__func__, device, K_memutil, 1, &rates->memory);
    return get(__func__, device, K_util, 1, &rates->gpu);
}
Ret nvmlDeviceGetCurrPcieLinkWidth(void *device, u32 *width) { return get(__func__, device, K_width, 1, width); }
Ret nvmlDeviceGetMaxPcieLinkWidth(void *device, u32 *width) { return get(__func__, device, K_width_max, 1, width); }
Ret nvmlDeviceGetPcieReplayCounter(void *device, u32 *count) { return get(__func__, device, K_replays, 1, count); }
Ret nvmlDeviceGetMigMode(void *device, u32 *current, u32 *pending)
{
    Ret said = get(__func__, device, K_mig, 1, current);
    *pending = *current;
    return said;
}

Ret nvmlDeviceGetMemoryInfo(void *device, Memory *memory)
{
    int gpu;
    double used = 0, total = 0;
    Ret said = enter(__func__, device, &gpu);
    if (said) return said;
    said = value_of(&scenario.gpus[gpu], K_used, &used);
    if (!said) said = value_of(&scenario.gpus[gpu], K_total, &total);
    memory->used = used == -1 ? ~0ull : (u64)used << 20;
    memory->total = total == -1 ? ~0ull : (u64)total << 20;
    memory->free = memory->total - memory->used;
    return leave(said);
}
Ret nvmlDeviceGetMemoryInfo_v2(void *device, MemoryV2 *memory)
{
    Memory plain = {0, 0, 0};
    Ret said = nvmlDeviceGetMemoryInfo(device, &plain);
    *memory = (MemoryV2){memory->version, plain.total, 0, plain.free, plain.used};
    return said;
}

Ret nvmlDeviceGetFieldValues(void *device, int count, FieldValue *values)
{
    int gpu;
    Ret said = enter(__func__, device, &gpu);
    if (said) return said;
    for (int i = 0; i < count; i++) {
        FieldValue *field = &values[i];
        char name[64];
        double value = 0, links = 0;
        int key = key_of_field(field->field);
        snprintf(name, sizeof name, "field:%u", field->field);
        field->value.ull = 0;
        field->said = (u32)(lacks(name) ? INVALID_ARGUMENT : key < 0 ? NOT_SUPPORTED
                            : value_of(&scenario.gpus[gpu], (enum key)key, &value));
        /* NVLink 5 counts for one link each, named by the scope. */
        if (!field->said && field->field >= 201 && field->field <= 222 &&
            (value_of(&scenario.gpus[gpu], K_links, &links) || field->scope >= (u32)links))
            field->said = INVALID_ARGUMENT;
        if (field->said) continue;
        enum kind kind = kind_of((enum key)key);
        field->type = kind == U32 ? 1 : kind == U64 ? 3 : 5; /* nvmlValueType_t */
        if (kind == I32) field->value.i = (int)value;
        else if (kind == U32) field->value.u = value == -1 ? 0xFFFFFFFFu : (u32)value;
        else field->value.ull = value == -1 ? ~0ull : (u64)value;
    }
    return leave(SUCCESS);
}

static Ret processes(const char *function, void *device, char kind, u32 *count, ProcessInfo *infos)
{
    int gpu;
    u32 found = 0;
    Ret said = enter(function, device, &gpu);
    if (said) return said;
    for (int i = 0; i < scenario.process_count; i++) {
        const Process *p = &scenario.processes[i];
        if (p->gpu != gpu || p->kind != kind || now() < p->from || now() >= p->to) continue;
        if (found < *count && infos) infos[found] = (ProcessInfo){p->pid, 1 << 30, p->gi, p->ci};
        found++;
    }
    said = found > *count ? INSUFFICIENT_SIZE : SUCCESS;
    *count = found;
    return leave(said);
}
Ret nvmlDeviceGetComputeRunningProcesses_v3(void *device, u32 *count, ProcessInfo *infos)
{
    return processes(__func__, device, 'c', count, infos);
}
Ret nvmlDeviceGetGraphicsRunningProcesses_v3(void *device, u32 *count, ProcessInfo *infos)
{
    return processes(__func__, device, 'g', count, infos);
}

static Instance *instance_at(int gpu, u32 index)
{
    for (int i = 0; i < scenario.instance_count; i++)
        if (scenario.instances[i].gpu == gpu && !index--) return &scenario.instances[i];
    return NULL;
}
Ret nvmlDeviceGetMaxMigDeviceCount(void *device, u32 *count)
{
    int gpu;
    Ret said = enter(__func__, device, &gpu);
    if (said) return said;
    for (*count = 0; instance_at(gpu, *count);) ++*count;
    return leave(SUCCESS);
}
Ret nvmlDeviceGetMigDeviceHandleByIndex(void *device, u32 index, void **mig)
{
    int gpu;
    Ret said = enter(__func__, device, &gpu);
    if (said) return said;
    *mig = instance_at(gpu, index);
    return leave(*mig ? SUCCESS : NOT_FOUND);
}
Ret nvmlDeviceGetGpuInstanceId(void *mig, u32 *id)
{
    if (!instance_of(mig)) return INVALID_ARGUMENT;
    *id = instance_of(mig)->gi;
    return SUCCESS;
}
Ret nvmlDeviceGetComputeInstanceId(void *mig, u32 *id)
{
    if (!instance_of(mig)) return INVALID_ARGUMENT;
    *id = instance_of(mig)->ci;
    return SUCCESS;
}
