/* Reads the scenario file named by $REFLEXARC_NVML_STUB, anew whenever it was replaced. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include "stub.h"

#define POINTS 65536

Scenario scenario;
Session session;
static Point points[POINTS];
static int point_count;
static double loaded;

#define KEY_NAME(name, field, kind) #name,
#define KEY_FIELD(name, field, kind) field,
#define KEY_KIND(name, field, kind) kind,
static const char *key_names[] = {KEYS(KEY_NAME)};
static const u32 key_fields[] = {KEYS(KEY_FIELD)};
static const enum kind key_kinds[] = {KEYS(KEY_KIND)};

static const struct { const char *name; Ret code; } errors[] = {
    {"UNINITIALIZED", UNINITIALIZED}, {"INVALID_ARGUMENT", INVALID_ARGUMENT},
    {"NOT_SUPPORTED", NOT_SUPPORTED}, {"NO_PERMISSION", NO_PERMISSION},
    {"DRIVER_NOT_LOADED", DRIVER_NOT_LOADED}, {"FUNCTION_NOT_FOUND", FUNCTION_NOT_FOUND},
    {"GPU_IS_LOST", GPU_IS_LOST}, {"RESET_REQUIRED", RESET_REQUIRED},
    {"LIB_RM_VERSION_MISMATCH", LIB_RM_VERSION_MISMATCH}, {"UNKNOWN", UNKNOWN},
};

static double clock_s(clockid_t which)
{
    struct timespec at;
    clock_gettime(which, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

double now(void) { return clock_s(CLOCK_REALTIME) - (scenario.start > 0 ? scenario.start : loaded); }

enum kind kind_of(enum key key) { return key_kinds[key]; }

int key_of_field(u32 field)
{
    for (int key = 0; key < KEY_COUNT; key++)
        if (key_fields[key] && key_fields[key] == field) return key;
    return -1;
}

static Ret error_named(const char *name)
{
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (!strcmp(errors[i].name, name)) return errors[i].code;
    return UNKNOWN;
}

static char *word(char **rest) { return strtok_r(NULL, " \t\n", rest); }
static double number(char **rest, double missing)
{
    char *text = word(rest);
    return !text || !strcmp(text, "-") ? missing : strtod(text, NULL);
}
static int gpu_named(char **rest)
{
    char *text = word(rest);
    if (!text || !strcmp(text, "*")) return -1;
    if (!strcmp(text, "all")) return -2;
    int gpu = atoi(text);
    return gpu >= 0 && gpu < GPUS ? gpu : -1;
}
static u32 instance_number(char **rest) { double n = number(rest, -1); return n < 0 ? NO_INSTANCE : (u32)n; }

static void read_gpu(char **rest)
{
    if (scenario.gpu_count == GPUS) return;
    Gpu *gpu = &scenario.gpus[scenario.gpu_count++];
    char *pci = word(rest), *uuid = word(rest);
    snprintf(gpu->pci, sizeof gpu->pci, "%s", pci ? pci : "");
    snprintf(gpu->uuid, sizeof gpu->uuid, "%s", uuid && strcmp(uuid, "-") ? uuid : "");
    snprintf(gpu->name, sizeof gpu->name, "%s", *rest + strspn(*rest, " \t"));
    gpu->name[strcspn(gpu->name, "\n")] = 0;
}

/* "hold 0 temp 0:45 10:na 12:!UNKNOWN": steps; "ramp" draws straight lines between its points. */
static void read_series(int ramp, char **rest)
{
    int gpu = gpu_named(rest), key = 0;
    char *name = word(rest);
    while (name && key < KEY_COUNT && strcmp(key_names[key], name)) key++;
    if (!name || key == KEY_COUNT) { fprintf(stderr, "nvml stub: no value %s\n", name); return; }
    Series series = {point_count, 0, ramp};
    for (char *text; (text = word(rest)) && point_count < POINTS; series.count++) {
        char *value = strchr(text, ':');
        if (!value) break;
        Point point = {strtod(text, NULL), 0, !strcmp(value, ":na"), SUCCESS};
        if (value[1] == '!') point.error = error_named(value + 2);
        else point.value = strncmp(value, ":0x", 3) ? strtod(value + 1, NULL)
                                                    : (double)strtoull(value + 1, NULL, 16);
        points[point_count++] = point;
    }
    for (int i = 0; i < GPUS; i++)
        if (gpu < 0 || gpu == i) scenario.gpus[i].series[key] = series;
}

static void read_line(char *line)
{
    char *rest, *verb = strtok_r(line, " \t\n", &rest);
    Scenario *s = &scenario;
    if (!verb || *verb == '#') return;
    if (!strcmp(verb, "start")) s->start = number(&rest, 0);
    else if (!strcmp(verb, "driver")) snprintf(s->driver, sizeof s->driver, "%s", word(&rest));
    else if (!strcmp(verb, "gpu")) read_gpu(&rest);
    else if (!strcmp(verb, "hold")) read_series(0, &rest);
    else if (!strcmp(verb, "ramp")) read_series(1, &rest);
    else if (!strcmp(verb, "lost") && s->lost_count < LIST) {
        int gpu = gpu_named(&rest);
        double from = number(&rest, 0);
        s->lost[s->lost_count++] = (Span){from, number(&rest, FOREVER), gpu, GPU_IS_LOST};
    } else if (!strcmp(verb, "hang") && s->hang_count < LIST) {
        int gpu = gpu_named(&rest);
        double from = number(&rest, 0);
        s->hangs[s->hang_count++] = (Span){from, number(&rest, FOREVER), gpu, SUCCESS};
    } else if (!strcmp(verb, "fail") && s->fail_count < LIST) {
        double from = number(&rest, 0), to = number(&rest, FOREVER);
        char *name = word(&rest);
        s->fails[s->fail_count++] = (Span){from, to, -2, error_named(name ? name : "")};
    } else if (!strcmp(verb, "event") && s->event_count < LIST) {
        Event event = {.at = number(&rest, 0), .gpu = gpu_named(&rest)};
        char *type = word(&rest);
        event.type = type ? strtoull(type, NULL, 16) : 0;
        event.data = (u64)number(&rest, 0);
        event.gi = instance_number(&rest);
        event.ci = instance_number(&rest);
        s->events[s->event_count++] = event;
    } else if (!strcmp(verb, "process") && s->process_count < LIST) {
        Process process = {.gpu = gpu_named(&rest), .from = number(&rest, 0)};
        process.to = number(&rest, FOREVER);
        process.pid = (u32)number(&rest, 0);
        char *kind = word(&rest);
        process.kind = kind ? *kind : 'c';
        process.gi = instance_number(&rest);
        process.ci = instance_number(&rest);
        s->processes[s->process_count++] = process;
    } else if (!strcmp(verb, "instance") && s->instance_count < LIST) {
        Instance *instance = &s->instances[s->instance_count++];
        *instance = (Instance){.gpu = gpu_named(&rest)};
        instance->gi = instance_number(&rest);
        instance->ci = instance_number(&rest);
        char *uuid = word(&rest);
        snprintf(instance->uuid, sizeof instance->uuid, "%s", uuid ? uuid : "");
    } else if (!strcmp(verb, "order") && s->order_count < LIST) {
        Order *order = &s->orders[s->order_count++];
        *order = (Order){.at = number(&rest, 0)};
        for (char *id; order->count < GPUS && (id = word(&rest));) order->ids[order->count++] = atoi(id) % GPUS;
    } else if (!strcmp(verb, "lacks")) {
        for (char *name; s->lack_count < LIST && (name = word(&rest));)
            snprintf(s->lacks[s->lack_count++], sizeof *s->lacks, "%s", name);
    } else fprintf(stderr, "nvml stub: unknown line: %s\n", verb);
}

void refresh(void)
{
    static struct stat seen;
    static double looked;
    struct stat found;
    double at = clock_s(CLOCK_MONOTONIC);
    if (!loaded) loaded = clock_s(CLOCK_REALTIME);
    /* A look costs a system call; 5 ms is soon enough, but for a session that begins. */
    if (session.users && at - looked < 0.005) return;
    looked = at;
    const char *path = getenv("REFLEXARC_NVML_STUB");
    if (!path) { memset(&scenario, 0, sizeof scenario); memset(&seen, 0, sizeof seen); return; }
    if (stat(path, &found)) return;
    if (found.st_ino == seen.st_ino && found.st_size == seen.st_size &&
        !memcmp(&found.st_mtim, &seen.st_mtim, sizeof seen.st_mtim)) return;
    FILE *file = fopen(path, "r");
    if (!file) return;
    seen = found;
    memset(&scenario, 0, sizeof scenario);
    strcpy(scenario.driver, "595.45.04");
    point_count = 0;
    char line[4096];
    while (fgets(line, sizeof line, file)) read_line(line);
    fclose(file);
}

Ret value_of(const Gpu *gpu, enum key key, double *value)
{
    const Series *series = &gpu->series[key];
    if (!series->count) return NOT_SUPPORTED;
    const Point *at = &points[series->first], *end = at + series->count;
    double t = now();
    while (at + 1 < end && at[1].at <= t) at++;
    if (at->error) return at->error;
    *value = at->garbage ? -1 : at->value;
    if (series->ramp && !at->garbage && at + 1 < end && !at[1].garbage && !at[1].error && t > at->at)
        *value += (at[1].value - at->value) * (t - at->at) / (at[1].at - at->at);
    return SUCCESS;
}

int lacks(const char *name)
{
    for (int i = 0; i < scenario.lack_count; i++)
        if (!strcmp(scenario.lacks[i], name)) return 1;
    return 0;
}

/* A GPU that came back is found by a new nvmlInit alone; the old handle stays lost. */
int is_lost(int gpu)
{
    for (int i = 0; i < scenario.lost_count; i++) {
        const Span *span = &scenario.lost[i];
        if (span->gpu == gpu && now() >= span->from && session.opened < span->to) return 1;
    }
    return 0;
}

int hangs(int gpu)
{
    for (int i = 0; i < scenario.hang_count; i++) {
        const Span *span = &scenario.hangs[i];
        int meant = span->gpu == -2 || (gpu >= 0 && (span->gpu == -1 || span->gpu == gpu));
        if (meant && now() >= span->from && now() < span->to) return 1;
    }
    return 0;
}

/* What nvmlInit meets now: no driver without a scenario; a session older than a reload is dead. */
Ret driver_says(void)
{
    Ret said = !*scenario.driver ? DRIVER_NOT_LOADED : SUCCESS;
    for (int i = 0; i < scenario.fail_count; i++) {
        const Span *span = &scenario.fails[i];
        if (now() < span->from) continue;
        if (now() < span->to) return span->error;
        if (session.users && session.opened < span->to) said = UNINITIALIZED;
    }
    return said;
}

int listed_now(int ids[GPUS])
{
    const Order *order = NULL;
    int count = 0, total = scenario.gpu_count;
    for (int i = 0; i < scenario.order_count; i++)
        if (scenario.orders[i].at <= now()) order = &scenario.orders[i];
    if (order) total = order->count;
    for (int i = 0; i < total; i++) {
        int id = order ? order->ids[i] : i, gone = 0;
        for (int k = 0; k < scenario.lost_count; k++) {
            const Span *span = &scenario.lost[k];
            gone |= span->gpu == id && now() >= span->from && now() < span->to;
        }
        if (!gone) ids[count++] = id;
    }
    return count;
}
