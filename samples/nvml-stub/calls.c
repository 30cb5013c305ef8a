/* The way into a call: the lock, the driver's state, a hang, a lost GPU. And the events. */
#define _GNU_SOURCE
#include <pthread.h>
#include <string.h>
#include <unistd.h>
#include "stub.h"

#define SETS 64

typedef struct { int used, cursor; double created; u64 masks[GPUS]; } EventSet;
typedef struct { void *device; u64 type, data; u32 gi, ci; } EventData; /* nvmlEventData_t */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static EventSet sets[SETS];
static const char handles[GPUS];

void lock(void) { pthread_mutex_lock(&mutex); refresh(); }
void unlock(void) { pthread_mutex_unlock(&mutex); }
Ret leave(Ret said) { unlock(); return said; }
void *handle_of(int gpu) { return (void *)&handles[gpu]; }
int gpu_of(void *handle)
{
    const char *at = handle;
    return at >= handles && at < handles + GPUS ? (int)(at - handles) : -1;
}

/* Sleeps for as long as the scenario hangs; the lock is free meanwhile, and others get through. */
static void stand_still(int gpu)
{
    while (hangs(gpu)) {
        unlock();
        usleep(5000);
        lock();
    }
}

Ret enter(const char *function, void *handle, int *gpu)
{
    lock();
    int found = handle ? gpu_of(handle) : -1;
    stand_still(found);
    Ret said = lacks(function) ? FUNCTION_NOT_FOUND : driver_says();
    if (!said && !session.users) said = UNINITIALIZED;
    if (!said && handle && found < 0) said = INVALID_ARGUMENT;
    if (!said && found >= 0 && is_lost(found)) said = GPU_IS_LOST;
    if (gpu) *gpu = found;
    return said ? leave(said) : SUCCESS;
}

Ret nvmlInitWithFlags(u32 flags)
{
    (void)flags;
    lock();
    stand_still(-1);
    Ret said = driver_says();
    if (said == UNINITIALIZED) said = UNKNOWN; /* the reference that others hold is a dead one */
    if (!said && !session.users++) {
        session.opened = now();
        session.count = listed_now(session.ids);
    }
    return leave(said);
}
Ret nvmlInit_v2(void) { return nvmlInitWithFlags(0); }

Ret nvmlShutdown(void)
{
    lock();
    if (!session.users) return leave(UNINITIALIZED);
    if (!--session.users) memset(sets, 0, sizeof sets);
    return leave(SUCCESS);
}

Ret nvmlEventSetCreate(void **set)
{
    Ret said = enter(__func__, NULL, NULL);
    if (said) return said;
    for (int i = 0; i < SETS; i++)
        if (!sets[i].used) {
            sets[i] = (EventSet){.used = 1, .created = now()};
            *set = &sets[i];
            return leave(SUCCESS);
        }
    return leave(UNKNOWN);
}

static EventSet *set_of(void *handle)
{
    EventSet *set = handle;
    return set >= sets && set < sets + SETS && set->used ? set : NULL;
}

Ret nvmlEventSetFree(void *handle)
{
    lock();
    EventSet *set = set_of(handle);
    if (set) set->used = 0;
    return leave(set ? SUCCESS : INVALID_ARGUMENT);
}

static u64 supported(int gpu)
{
    double mask;
    return value_of(&scenario.gpus[gpu], K_events, &mask) ? 0 : (u64)mask;
}

Ret nvmlDeviceGetSupportedEventTypes(void *device, u64 *mask)
{
    int gpu;
    Ret said = enter(__func__, device, &gpu);
    if (said) return said;
    *mask = supported(gpu);
    return leave(SUCCESS);
}

Ret nvmlDeviceRegisterEvents(void *device, u64 mask, void *handle)
{
    int gpu;
    Ret said = enter(__func__, device, &gpu);
    if (said) return said;
    EventSet *set = set_of(handle);
    if (!set) return leave(INVALID_ARGUMENT);
    if (mask & ~supported(gpu)) return leave(NOT_SUPPORTED);
    set->masks[gpu] |= mask;
    return leave(SUCCESS);
}

/* Events are taken in the order of the file, which is the order of time. Returns -1 for none, and
   through `next` when the next one is due. */
static int due(EventSet *set, double *next)
{
    for (; set->cursor < scenario.event_count; set->cursor++) {
        const Event *event = &scenario.events[set->cursor];
        if (event->at > now()) { *next = event->at; return -1; }
        if (event->at >= set->created && event->gpu >= 0 && set->masks[event->gpu] & event->type)
            return set->cursor++;
    }
    *next = FOREVER;
    return -1;
}

Ret nvmlEventSetWait_v2(void *handle, EventData *data, u32 ms)
{
    double next = FOREVER, until = -1;
    for (;;) {
        Ret said = enter(__func__, NULL, NULL);
        if (said) return said;
        EventSet *set = set_of(handle);
        if (!set) return leave(INVALID_ARGUMENT);
        int found = due(set, &next);
        if (found >= 0) {
            const Event *event = &scenario.events[found];
            *data = (EventData){handle_of(event->gpu), event->type, event->data, event->gi, event->ci};
            return leave(SUCCESS);
        }
        for (int gpu = 0; gpu < GPUS; gpu++)
            if (set->masks[gpu] && is_lost(gpu)) return leave(GPU_IS_LOST);
        if (until < 0) until = now() + ms / 1e3;
        double nap = 0.02; /* soon enough for a file that was replaced; few wake-ups else */
        if (next - now() < nap) nap = next - now();
        if (until - now() < nap) nap = until - now();
        if (until <= now()) return leave(TIMEOUT);
        unlock();
        if (nap > 0) usleep((u32)(nap * 1e6) + 50);
    }
}
