/* A stand-in for libnvidia-ml.so.1 and libcuda.so.1, for tests: GPUs whose truth is known in closed form.
 *
 * Device i draws 100 (i + 1) W at rest and 600 (i + 1) W while busy. It is busy between the 1st and 2nd, 3rd and
 * 4th, ... time of FAKE_LOAD, a file of int64: a count, then that many CLOCK_MONOTONIC ns. From that follow:
 *   instant power      at rest or busy, now
 *   average power      over the past second
 *   energy counter     the integral up to the last multiple of FAKE_TICK_MS (100)
 *   utilization        share of busy time over the past 1/6 s; GPM the same between two samples
 *   throttle counters  10 % of busy time for each field that FAKE_THROTTLE names ("74,270")
 *   temperature        65 degrees while busy, else 35; with FAKE_WARM_S it takes that time constant to get there
 *   SM clock           1980 MHz while busy, less FAKE_DROOP_MHZ at 65 degrees and in proportion below
 *
 * Built with -DLOAD="file" it looks there where FAKE_LOAD is not set, and a process that starts CUDA (cuInit) writes
 * the file itself: busy is while its first thread runs or waits for a core, at rest while that sleeps or has ended.
 *
 * It is no card and says so: its PCI vendor is 0xfa4e, and not NVIDIA's 0x10de.
 *
 * FAKE_DEVICES=n          how many (-DDEVICES, 1) FAKE_CUDA_ORDER=1,0   which of them CUDA shows, in its order
 * FAKE_MIG=1              device 0 is cut up; CUDA shows its one instance
 * FAKE_FAIL=f=code,...    an NVML or CUDA function, field<number> or gpm<number> answers this code
 * FAKE_FAIL_AFTER=n       only from the n-th call of that name on
 * FAKE_LOST_AFTER=n       from the n-th call of nvmlDeviceGetFieldValues on every device is lost ...
 * FAKE_LOST_CODE=code     ... and answers this (15)
 * FAKE_DEAD=number        this GPU is lost from the start, the others are not
 * FAKE_RUBBISH=k          every k-th call: 255 % utilization, -5 W, 511 degrees, 0 MHz
 * FAKE_BACKWARDS=1        the energy counter runs backwards
 * FAKE_SLEEP_US, FAKE_SPIN_US   every call about a device blocks, or computes, so long
 * FAKE_PROCESSES=n        processes on each device (1), with the host's numbers
 * FAKE_REASONS=bits       clock event reasons while busy
 * FAKE_XID=n              one such error as soon as the device was busy
 * FAKE_GPM=0              no GPM, as before Hopper
 * FAKE_DRIVER=version     the driver's version (580.82.07)
 * FAKE_MEMORY_GIB=n       memory of each device (80)
 * FAKE_CAPABILITY=n       compute capability times ten (90)
 * FAKE_LIMIT_W=n          the power limit in force, of each device alike
 * FAKE_PERSISTENCE=0, FAKE_ECC=0   these modes are off
 * Built with -DOLD_DRIVER it lacks what drivers of 2020 lacked. Names and layouts as in NVML's public interface.
 */
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { OK, INVALID = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, TOO_SMALL = 7, TIMEOUT = 10, LOST = 15 };
enum { MAX_DEVICES = 16, MAX_CALLS = 64, SECOND = 1000000000 };
enum { LOAD_BYTES = 1 << 16, BEAT = LOAD_BYTES / 8 - 1, LOOK_NS = 5000000, SILENT_NS = 100000000 };

#ifndef DEVICES
#define DEVICES 1
#endif

typedef struct { int number, is_mig; } Device;
typedef Device *Handle;
static Device devices[MAX_DEVICES];
static Device instance = {0, 1};

static long number(const char *name, long fallback) {
    const char *text = getenv(name);
    return text && *text ? strtol(text, NULL, 0) : fallback;
}

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * (int64_t)SECOND + t.tv_nsec;
}

/* --- the load and what follows from it --------------------------------------------------------- */

static const char *load_file(void) {
    const char *path = getenv("FAKE_LOAD");
#ifdef LOAD
    if (!path) path = LOAD;
#endif
    return path;
}

static const int64_t *load_times(void) {
    static const int64_t *times;
    const char *path = load_file();
    if (times || !path) return times;
    int file = open(path, O_RDONLY);
    if (file < 0) return NULL;
    void *map = mmap(NULL, LOAD_BYTES, PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (map != MAP_FAILED) times = map;
    return times;
}

/* ns of busy time up to t; a process that has stopped writing is no longer at work */
static int64_t busy(int64_t t) {
    const int64_t *times = load_times();
    int64_t sum = 0;
    if (!times) return 0;
    int64_t count = __atomic_load_n(times, __ATOMIC_ACQUIRE);
    for (int64_t i = 1; i <= count && times[i] < t; i += 2) {
        int64_t end = t;
        if (i + 1 <= count) end = times[i + 1];
        else if (times[BEAT]) end = times[BEAT] + SILENT_NS;
        sum += (end < t ? end : t) - times[i];
    }
    return sum;
}

#ifdef LOAD
/* whether the process's first thread runs, or would if it had a core */
static int works(void) {
    char text[256];
    int file = open("/proc/self/stat", O_RDONLY);
    ssize_t size = file < 0 ? 0 : read(file, text, sizeof text - 1);
    if (file >= 0) close(file);
    text[size > 0 ? size : 0] = 0;
    char *name_ends = strrchr(text, ')');
    return name_ends && name_ends[1] && name_ends[2] == 'R';
}

static void *follow(void *map) {
    int64_t *times = map;
    if (times[0] % 2) { /* of a process that has ended */
        times[times[0] + 1] = times[BEAT];
        times[0]++;
    }
    for (;;) {
        int64_t t = now();
        if (works() != times[0] % 2 && times[0] + 2 < BEAT) {
            times[times[0] + 1] = t;
            __atomic_store_n(times, times[0] + 1, __ATOMIC_RELEASE);
        }
        times[BEAT] = t;
        usleep(LOOK_NS / 1000);
    }
    return NULL;
}

static void start_following(void) {
    static int started;
    pthread_t thread;
    int file = started || getenv("FAKE_LOAD") ? -1 : open(LOAD, O_RDWR);
    if (file < 0) return;
    void *map = mmap(NULL, LOAD_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    started = map != MAP_FAILED && !pthread_create(&thread, NULL, follow, map);
}
#endif

static int is_busy(int64_t t) { return busy(t) > busy(t - 1000); }
static double share(int64_t from, int64_t to) { return to > from ? (double)(busy(to) - busy(from)) / (to - from) : 0; }
static double watts(Handle d, double part) { return (100 + 500 * part) * (d->number + 1); }

static uint64_t millijoules(Handle d, int64_t t) {
    int64_t tick = number("FAKE_TICK_MS", 100) * 1000000L;
    t -= t % tick;
    double joules = (d->number + 1) * (100.0 * t + 500.0 * busy(t)) / SECOND;
    return (uint64_t)(1e3 * (number("FAKE_BACKWARDS", 0) ? 1e9 - joules : joules));
}

static double celsius(int64_t t) {
    double slow = 1e9 * number("FAKE_WARM_S", 0), degrees = 35;
    const int64_t *times = load_times();
    if (!slow || !times || !times[0]) return is_busy(t) ? 65 : 35;
    for (int64_t i = 1; i <= times[0] && times[i] < t; i++) {
        int64_t end = i + 1 <= times[0] && times[i + 1] < t ? times[i + 1] : t;
        double goal = i % 2 ? 65 : 35;
        degrees = goal + (degrees - goal) * exp(-(end - times[i]) / slow);
    }
    return degrees;
}

/* --- faults ------------------------------------------------------------------------------------- */

static int calls_of(const char *name) {
    static struct { char name[48]; int count; } calls[MAX_CALLS];
    for (int i = 0; i < MAX_CALLS; i++) {
        if (!calls[i].name[0]) strncpy(calls[i].name, name, sizeof calls[i].name - 1);
        if (!strcmp(calls[i].name, name)) return ++calls[i].count;
    }
    return 0;
}

static int fails(const char *name) {
    const char *list = getenv("FAKE_FAIL");
    size_t length = strlen(name);
    for (const char *at = list; at && (at = strstr(at, name)); at += length)
        if (at[length] == '=' && (at == list || at[-1] == ','))
            return calls_of(name) >= number("FAKE_FAIL_AFTER", 0) ? atoi(at + length + 1) : OK;
    return OK;
}

static int lost;

/* What every call about a device does first. */
static int device_call(const char *name) {
    long pause = number("FAKE_SLEEP_US", 0), spin = number("FAKE_SPIN_US", 0);
    if (pause) usleep(pause);
    for (int64_t end = spin ? now() + spin * 1000 : 0; end && now() < end;) {}
    if (!strcmp(name, "nvmlDeviceGetFieldValues") && number("FAKE_LOST_AFTER", 0) &&
        calls_of("loss") >= number("FAKE_LOST_AFTER", 0))
        lost = 1;
    return lost ? (int)number("FAKE_LOST_CODE", LOST) : fails(name);
}

static int rubbish(const char *name) {
    long every = number("FAKE_RUBBISH", 0);
    char key[48];
    snprintf(key, sizeof key, "r-%.40s", name);
    return every && calls_of(key) % every == 0;
}

#define ASK(name) do { int code_ = device_call(name); if (code_) return code_; } while (0)
#define WHOLE(d) do { if ((d)->is_mig) return NOT_SUPPORTED; } while (0)

/* --- NVML: library and handles ------------------------------------------------------------------- */

int nvmlInitWithFlags(unsigned flags) {
    (void)flags;
    for (int i = 0; i < MAX_DEVICES; i++) devices[i].number = i;
    return fails("nvmlInitWithFlags");
}
int nvmlShutdown(void) { return OK; }
const char *nvmlErrorString(int code) { (void)code; return "some other error"; }

int nvmlSystemGetDriverVersion(char *text, unsigned size) {
    const char *version = getenv("FAKE_DRIVER");
    snprintf(text, size, "%s", version ? version : "580.82.07");
    return fails("nvmlSystemGetDriverVersion");
}

int nvmlDeviceGetCount_v2(unsigned *count) { *count = number("FAKE_DEVICES", DEVICES); return fails("nvmlDeviceGetCount_v2"); }

int nvmlDeviceGetHandleByIndex_v2(unsigned i, Handle *d) {
    if (i >= number("FAKE_DEVICES", DEVICES)) return INVALID;
    if (i == number("FAKE_DEAD", MAX_DEVICES)) return LOST;
    *d = &devices[i];
    return lost ? LOST : OK;
}

static void uuid_text(Handle d, char *text, unsigned size) {
    snprintf(text, size, "%s-%02x010203-0405-0607-0809-0a0b0c0d0e0f", d->is_mig ? "MIG" : "GPU",
             (d->is_mig ? 0xb0 : 0xa0) + d->number);
}

int nvmlDeviceGetHandleByUUID(const char *uuid, Handle *d) {
    char text[64];
    Handle all[MAX_DEVICES + 1];
    int count = 0;
    for (; count < number("FAKE_DEVICES", DEVICES); count++) all[count] = &devices[count];
    if (number("FAKE_MIG", 0)) all[count++] = &instance;
    for (int i = 0; i < count; i++) {
        uuid_text(all[i], text, sizeof text);
        if (!strcmp(text, uuid)) { *d = all[i]; return OK; }
    }
    return NOT_FOUND;
}

int nvmlDeviceGetHandleByPciBusId_v2(const char *address, Handle *d) {
    unsigned domain, bus;
    if (sscanf(address, "%x:%x:", &domain, &bus) != 2) return INVALID;
    if (bus < 0x10 || bus >= 0x10 + number("FAKE_DEVICES", DEVICES)) return NOT_FOUND;
    *d = &devices[bus - 0x10];
    return OK;
}

int nvmlDeviceGetUUID(Handle d, char *text, unsigned size) { uuid_text(d, text, size); return OK; }
int nvmlDeviceGetName(Handle d, char *text, unsigned size) {
    ASK("nvmlDeviceGetName");
    snprintf(text, size, "Fake GPU %d", d->number);
    return OK;
}

typedef struct { char legacy[16]; unsigned domain, bus, device, id, subsystem; char address[32]; } Pci;
int nvmlDeviceGetPciInfo_v3(Handle d, Pci *pci) {
    ASK("nvmlDeviceGetPciInfo_v3");
    memset(pci, 0, sizeof *pci);
    pci->bus = 0x10 + d->number;
    pci->id = 0x2335fa4e;
    snprintf(pci->address, sizeof pci->address, "00000000:%02X:00.0", pci->bus);
    return OK;
}

int nvmlDeviceGetEnforcedPowerLimit(Handle d, unsigned *limit) {
    ASK("nvmlDeviceGetEnforcedPowerLimit");
    *limit = 1000 * (unsigned)number("FAKE_LIMIT_W", (long)watts(d, 1));
    return OK;
}
int nvmlDeviceGetPowerManagementDefaultLimit(Handle d, unsigned *limit) {
    ASK("nvmlDeviceGetPowerManagementDefaultLimit");
    *limit = (unsigned)(1000 * watts(d, 1));
    return OK;
}

int nvmlDeviceGetPersistenceMode(Handle d, int *mode) {
    (void)d;
    ASK("nvmlDeviceGetPersistenceMode");
    *mode = (int)number("FAKE_PERSISTENCE", 1);
    return OK;
}

int nvmlDeviceGetEccMode(Handle d, int *current, int *pending) {
    (void)d;
    ASK("nvmlDeviceGetEccMode");
    *current = *pending = (int)number("FAKE_ECC", 1);
    return OK;
}

int nvmlDeviceGetCudaComputeCapability(Handle d, int *major, int *minor) {
    (void)d;
    ASK("nvmlDeviceGetCudaComputeCapability");
    *major = (int)number("FAKE_CAPABILITY", 90) / 10;
    *minor = (int)number("FAKE_CAPABILITY", 90) % 10;
    return OK;
}

/* --- NVML: MIG ------------------------------------------------------------------------------------ */

int nvmlDeviceGetMigMode(Handle d, unsigned *current, unsigned *pending) {
    ASK("nvmlDeviceGetMigMode");
    *current = *pending = number("FAKE_MIG", 0) && d->number == 0;
    return OK;
}
int nvmlDeviceGetMaxMigDeviceCount(Handle d, unsigned *count) { (void)d; *count = 7; return OK; }
int nvmlDeviceGetMigDeviceHandleByIndex(Handle d, unsigned i, Handle *mig) { (void)d; *mig = &instance; return i ? NOT_FOUND : OK; }
#ifndef OLD_DRIVER
int nvmlDeviceIsMigDeviceHandle(Handle d, unsigned *is) { *is = d->is_mig; return OK; }
int nvmlDeviceGetGpuInstanceId(Handle d, unsigned *id) { *id = 5; return d->is_mig ? OK : INVALID; }
int nvmlDeviceGetDeviceHandleFromMigDeviceHandle(Handle d, Handle *whole) { *whole = &devices[d->number]; return OK; }
#endif

/* --- NVML: readings --------------------------------------------------------------------------------- */

int nvmlDeviceGetUtilizationRates(Handle d, unsigned *rates) {
    ASK("nvmlDeviceGetUtilizationRates");
    WHOLE(d);
    int64_t t = now();
    rates[0] = rubbish("utilization") ? 255 : (unsigned)(100 * share(t - SECOND / 6, t) + 0.5);
    rates[1] = rates[0] / 2;
    return OK;
}

int nvmlDeviceGetClockInfo(Handle d, int kind, unsigned *megahertz) {
    ASK("nvmlDeviceGetClockInfo");
    WHOLE(d);
    int64_t t = now();
    unsigned busy_clock = 1980 - (unsigned)(number("FAKE_DROOP_MHZ", 0) * (celsius(t) - 35) / 30);
    *megahertz = kind == 2 ? 2619 : rubbish("clock") ? 0 : is_busy(t) ? busy_clock : 345;
    return OK;
}
int nvmlDeviceGetMaxClockInfo(Handle d, int kind, unsigned *megahertz) {
    (void)d;
    *megahertz = kind == 2 ? 2619 : 1980;
    return fails("nvmlDeviceGetMaxClockInfo");
}

static int reasons(Handle d, unsigned long long *bits) {
    WHOLE(d);
    *bits = is_busy(now()) ? (unsigned long long)number("FAKE_REASONS", 0) : 1;
    return OK;
}
int nvmlDeviceGetCurrentClocksThrottleReasons(Handle d, unsigned long long *bits) {
    ASK("nvmlDeviceGetCurrentClocksThrottleReasons");
    return reasons(d, bits);
}

int nvmlDeviceGetTemperature(Handle d, int sensor, unsigned *degrees) {
    (void)sensor;
    ASK("nvmlDeviceGetTemperature");
    WHOLE(d);
    *degrees = (unsigned)celsius(now());
    return OK;
}

typedef struct { unsigned long long total, free, used; } Memory;
typedef struct { unsigned version; unsigned long long total, reserved, free, used; } MemoryV2;
int nvmlDeviceGetMemoryInfo(Handle d, Memory *m) {
    (void)d;
    ASK("nvmlDeviceGetMemoryInfo");
    m->total = (unsigned long long)number("FAKE_MEMORY_GIB", 80) << 30;
    m->used = (1536ULL << 20) + (busy(now()) > 0) * (4ULL << 30); /* 4 GiB with the first work */
    m->free = m->total - m->used;
    return OK;
}

int nvmlDeviceGetTotalEnergyConsumption(Handle d, unsigned long long *mj) {
    ASK("nvmlDeviceGetTotalEnergyConsumption");
    WHOLE(d);
    *mj = millijoules(d, now());
    return OK;
}

int nvmlDeviceGetTotalEccErrors(Handle d, int kind, int counter, unsigned long long *count) {
    (void)counter;
    ASK("nvmlDeviceGetTotalEccErrors");
    WHOLE(d);
    *count = kind == 0 && busy(now()) > 0 ? 3 : 0; /* three corrected errors with the first work */
    return OK;
}

#ifndef OLD_DRIVER
int nvmlDeviceGetCurrentClocksEventReasons(Handle d, unsigned long long *bits) {
    ASK("nvmlDeviceGetCurrentClocksEventReasons");
    return reasons(d, bits);
}

typedef struct { unsigned version; int sensor, degrees; } Temperature;
int nvmlDeviceGetTemperatureV(Handle d, Temperature *t) {
    ASK("nvmlDeviceGetTemperatureV");
    WHOLE(d);
    if (t->version != 0x0100000C) return INVALID;
    t->degrees = (int)celsius(now());
    return OK;
}

int nvmlDeviceGetMemoryInfo_v2(Handle d, MemoryV2 *m) {
    Memory v1;
    ASK("nvmlDeviceGetMemoryInfo_v2");
    if (m->version != 0x02000028) return INVALID;
    nvmlDeviceGetMemoryInfo(d, &v1);
    m->total = v1.total;
    m->reserved = 512ULL << 20;
    m->used = v1.used - m->reserved;
    m->free = v1.free;
    return OK;
}

typedef struct { unsigned pid; unsigned long long memory; unsigned gpu, compute; } Process;
int nvmlDeviceGetComputeRunningProcesses_v3(Handle d, unsigned *count, Process *found) {
    (void)d;
    unsigned room = *count;
    ASK("nvmlDeviceGetComputeRunningProcesses_v3");
    *count = number("FAKE_PROCESSES", 1);
    if (*count == 0) return OK;
    if (room < *count) return TOO_SMALL;
    for (unsigned i = 0; i < *count; i++) found[i] = (Process){4000000 + i, 1 << 20, ~0u, ~0u};
    return OK;
}

typedef struct { unsigned field, scope; int64_t stamp, latency; int type, code; union { double d; unsigned u; unsigned long long ull; int64_t i; } value; } Field;
int nvmlDeviceGetFieldValues(Handle d, int count, Field *fields) {
    ASK("nvmlDeviceGetFieldValues");
    int64_t t = now();
    int wrong = rubbish("fields");
    for (Field *f = fields; f < fields + count; f++) {
        char name[16];
        snprintf(name, sizeof name, "field%u", f->field);
        f->code = d->is_mig ? NOT_SUPPORTED : fails(name);
        f->type = 1;
        f->value.ull = 0;
        switch (f->field) {
        case 186: f->value.u = wrong ? (unsigned)-5000 : (unsigned)(1000 * watts(d, is_busy(t))); break;
        case 185: f->value.u = (unsigned)(1000 * watts(d, share(t - SECOND, t))); break;
        case 82: f->value.u = wrong ? 511 : 50; break;
        case 83: f->type = 3; f->value.ull = millijoules(d, t); break;
        case 74: case 75: case 76: case 78: case 269: case 270: case 271: {
            const char *list = getenv("FAKE_THROTTLE");
            char *text = name + 5;
            f->type = 3;
            if (list && strstr(list, text)) f->value.ull = busy(t) / 10;
            break;
        }
        default: f->code = NOT_SUPPORTED;
        }
    }
    return OK;
}

/* --- NVML: GPM --------------------------------------------------------------------------------------- */

typedef struct { int64_t t, busy; int instance; } Sample;
int nvmlGpmQueryDeviceSupport(Handle d, unsigned *support) {
    (void)d;
    ASK("nvmlGpmQueryDeviceSupport");
    support[1] = number("FAKE_GPM", 1);
    return OK;
}
int nvmlGpmSampleAlloc(Sample **s) { *s = calloc(1, sizeof **s); return OK; }
int nvmlGpmSampleFree(Sample *s) { free(s); return OK; }
int nvmlGpmSampleGet(Handle d, Sample *s) {
    (void)d;
    ASK("nvmlGpmSampleGet");
    *s = (Sample){now(), busy(now()), -1};
    return OK;
}
int nvmlGpmMigSampleGet(Handle d, unsigned id, Sample *s) {
    ASK("nvmlGpmMigSampleGet");
    if (d->is_mig || id != 5) return INVALID;
    *s = (Sample){now(), busy(now()), (int)id};
    return OK;
}

typedef struct { unsigned id; int code; double value; const char *info[3]; } Metric;
typedef struct { unsigned version, count; Sample *first, *second; Metric metrics[]; } Metrics;
int nvmlGpmMetricsGet(Metrics *m) {
    ASK("nvmlGpmMetricsGet");
    double part = (double)(m->second->busy - m->first->busy) / (m->second->t - m->first->t);
    if (m->version != 1 || m->second->t - m->first->t < SECOND / 10) return INVALID;
    for (Metric *x = m->metrics; x < m->metrics + m->count; x++) {
        char name[16];
        snprintf(name, sizeof name, "gpm%u", x->id);
        x->code = x->id >= 60 ? NOT_SUPPORTED : fails(name); /* no NVLink */
        x->value = x->id >= 20 ? 1000 * part : part * (x->id == 1 ? 100 : x->id == 5 ? 40 : 80);
    }
    return OK;
}
#endif

/* --- NVML: events ----------------------------------------------------------------------------------- */

int nvmlEventSetCreate(void **set) { *set = &lost; return OK; }
int nvmlEventSetFree(void *set) { (void)set; return OK; }
int nvmlDeviceRegisterEvents(Handle d, unsigned long long kinds, void *set) {
    (void)set;
    ASK("nvmlDeviceRegisterEvents");
    return d->is_mig || kinds != 8 ? NOT_SUPPORTED : OK;
}
typedef struct { Handle device; unsigned long long kind, data; unsigned gpu, compute; } Event;
int nvmlEventSetWait_v2(void *set, Event *event, unsigned milliseconds) {
    static int told;
    (void)set, (void)milliseconds;
    ASK("nvmlEventSetWait_v2");
    if (told || !number("FAKE_XID", 0) || busy(now()) == 0) return TIMEOUT;
    told = 1;
    *event = (Event){&devices[0], 8, (unsigned long long)number("FAKE_XID", 0), 0, 0};
    return OK;
}

/* --- the CUDA driver's enumeration ------------------------------------------------------------------- */

/* the devices whose UUIDs CUDA_VISIBLE_DEVICES names; all where it is not set */
static int visible(int *order) {
    const char *list = getenv("CUDA_VISIBLE_DEVICES");
    int count = 0;
    for (int i = 0; i < number("FAKE_DEVICES", DEVICES); i++) {
        char text[64];
        Device d = {i, number("FAKE_MIG", 0) && i == 0};
        uuid_text(&d, text, sizeof text);
        if (!list || strstr(list, text)) order[count++] = i;
    }
    return count;
}

static int cuda_order(int *order) {
    const char *list = getenv("FAKE_CUDA_ORDER");
    int count = 0;
    if (!list) return visible(order);
    for (const char *at = list; *at && count < MAX_DEVICES; at += strcspn(at, ","), at += *at == ',')
        order[count++] = atoi(at);
    return count;
}

int cuInit(unsigned flags) {
    (void)flags;
#ifdef LOAD
    start_following();
#endif
    return fails("cuInit");
}
int cuDeviceGetCount(int *count) { int order[MAX_DEVICES]; *count = cuda_order(order); return OK; }
int cuDeviceGet(int *device, int ordinal) {
    int order[MAX_DEVICES];
    if (ordinal >= cuda_order(order)) return 101;
    *device = order[ordinal];
    return OK;
}
#ifndef OLD_DRIVER
int cuDeviceGetUuid_v2(unsigned char *uuid, int device) {
    for (int i = 0; i < 16; i++) uuid[i] = i;
    uuid[0] = (number("FAKE_MIG", 0) && device == 0 ? 0xb0 : 0xa0) + device;
    return fails("cuDeviceGetUuid_v2");
}
#endif
int cuDeviceGetPCIBusId(char *address, int size, int device) {
    snprintf(address, size, "0000:%02x:00.0", 0x10 + device);
    return fails("cuDeviceGetPCIBusId");
}
