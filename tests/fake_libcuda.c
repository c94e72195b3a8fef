/* A driver for tests on machines without a GPU: one device whose memory is the host's.

   Work on a stream waits until the stream is synchronized, so that whoever reads a result too early reads
   an old one. It keeps what CUDA keeps: a stack of contexts for each thread, references to the primary
   context, the recording of a stream; and it counts all that was made and not freed. */
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, INVALID_CONTEXT = 201, INVALID_HANDLE = 400,
    NOT_SUPPORTED = 801, CAPTURE_UNSUPPORTED = 900, CAPTURE_INVALIDATED = 901
};
enum { MAX_DEPTH = 16, MAX_WORK = 64 };

typedef void (*host_function)(void *);
typedef struct {
    void *to;
    const void *from;
    size_t size;
    host_function function;
    void *argument;
} work;
typedef struct {
    work items[MAX_WORK];
    int length;
} queue;
typedef struct {
    queue waiting;
    queue *recording;
    int invalidated;
} stream;

/* What tests look at, by name. */
int fake_device_count = 1, fake_major = 8, fake_minor = 7, fake_init_error = 0;
int fake_primary_references = 0, fake_allocations = 0, fake_pinned = 0, fake_streams = 0, fake_graphs = 0;
int fake_launches = 0;            /* of graphs */
int fake_allocations_left = -1;   /* then memory runs out; -1: never */
int fake_retained_device = -1;   /* whose primary context was asked for last */
int fake_refuses_recording = 0, fake_synchronize_error = 0;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static __thread void *contexts[MAX_DEPTH];
static __thread int depth = 0;
static int primary; /* its address is the primary context */

static int change(int *counter, int by)
{
    pthread_mutex_lock(&lock);
    *counter += by;
    pthread_mutex_unlock(&lock);
    return SUCCESS;
}

int fake_context_depth(void) { return depth; }

int cuInit(unsigned flags) { (void)flags; return fake_init_error; }
int cuDriverGetVersion(int *version) { *version = 12060; return SUCCESS; }
int cuDeviceGetCount(int *count) { *count = fake_device_count; return SUCCESS; }
int cuDeviceGet(int *device, int ordinal) { *device = ordinal; return SUCCESS; }
int cuDeviceTotalMem_v2(size_t *size, int device) { (void)device; *size = (size_t)8 << 30; return SUCCESS; }

int cuDeviceGetName(char *name, int length, int device)
{
    (void)device;
    strncpy(name, "Fake GPU", (size_t)length);
    return SUCCESS;
}

int cuDeviceGetAttribute(int *value, int attribute, int device)
{
    (void)device;
    *value = attribute == 75 ? fake_major : attribute == 76 ? fake_minor : 0;
    return SUCCESS;
}

int cuGetErrorName(int error, const char **name)
{
    *name = error == OUT_OF_MEMORY ? "CUDA_ERROR_OUT_OF_MEMORY" : error == 100 ? "CUDA_ERROR_NO_DEVICE" : "";
    return **name ? SUCCESS : INVALID_VALUE;
}

int cuGetErrorString(int error, const char **text)
{
    *text = error == OUT_OF_MEMORY ? "out of memory" : "an error of the fake driver";
    return SUCCESS;
}

int cuDevicePrimaryCtxRetain(void **context, int device)
{
    fake_retained_device = device;
    *context = &primary;
    return change(&fake_primary_references, 1);
}

int cuDevicePrimaryCtxRelease_v2(int device) { (void)device; return change(&fake_primary_references, -1); }

int cuCtxPushCurrent_v2(void *context)
{
    if (depth == MAX_DEPTH)
        return OUT_OF_MEMORY;
    contexts[depth++] = context;
    return SUCCESS;
}

int cuCtxPopCurrent_v2(void **context)
{
    if (!depth)
        return INVALID_CONTEXT;
    *context = contexts[--depth];
    return SUCCESS;
}

int cuCtxGetCurrent(void **context) { *context = depth ? contexts[depth - 1] : NULL; return SUCCESS; }
int cuCtxGetDevice(int *device) { *device = 0; return depth ? SUCCESS : INVALID_CONTEXT; }

/* The primary context must be current, and referred to. */
static int usable(void)
{
    return depth && contexts[depth - 1] == &primary && fake_primary_references > 0;
}

static int allocate(void **memory, size_t size, int *counter)
{
    int left;
    if (!usable())
        return INVALID_CONTEXT;
    pthread_mutex_lock(&lock);
    left = fake_allocations_left;
    if (left > 0)
        fake_allocations_left--;
    pthread_mutex_unlock(&lock);
    if (!left || !(*memory = malloc(size ? size : 1)))
        return OUT_OF_MEMORY;
    return change(counter, 1);
}

static int release(void *memory, int *counter)
{
    if (!usable())
        return INVALID_CONTEXT;
    free(memory);
    return change(counter, -1);
}

int cuMemAlloc_v2(uintptr_t *address, size_t size) { return allocate((void **)address, size, &fake_allocations); }
int cuMemFree_v2(uintptr_t address) { return release((void *)address, &fake_allocations); }

int cuMemHostAlloc(void **memory, size_t size, unsigned flags)
{
    (void)flags;
    return allocate(memory, size, &fake_pinned);
}

int cuMemFreeHost(void *memory) { return release(memory, &fake_pinned); }

int cuStreamCreate(stream **made, unsigned flags)
{
    (void)flags;
    if (!usable())
        return INVALID_CONTEXT;
    *made = calloc(1, sizeof **made);
    return *made ? change(&fake_streams, 1) : OUT_OF_MEMORY;
}

int cuStreamDestroy_v2(stream *gone)
{
    free(gone);
    return change(&fake_streams, -1);
}

static int enqueue(stream *on, work item)
{
    queue *to = on->recording ? on->recording : &on->waiting;
    if (!usable())
        return INVALID_CONTEXT;
    if (to->length == MAX_WORK)
        return INVALID_VALUE;
    to->items[to->length++] = item;
    return SUCCESS;
}

int cuMemcpyHtoDAsync_v2(uintptr_t to, const void *from, size_t size, stream *on)
{
    work item = {(void *)to, from, size, NULL, NULL};
    return enqueue(on, item);
}

int cuMemcpyDtoHAsync_v2(void *to, uintptr_t from, size_t size, stream *on)
{
    work item = {to, (const void *)from, size, NULL, NULL};
    return enqueue(on, item);
}

int cuLaunchHostFunc(stream *on, host_function function, void *argument)
{
    work item = {NULL, NULL, 0, function, argument};
    return enqueue(on, item);
}

int cuStreamSynchronize(stream *on)
{
    int i;
    if (on->recording) {
        on->invalidated = 1;
        return CAPTURE_UNSUPPORTED;
    }
    for (i = 0; i < on->waiting.length; i++) {
        work item = on->waiting.items[i];
        if (item.function)
            item.function(item.argument);
        else
            memcpy(item.to, item.from, item.size);
    }
    on->waiting.length = 0;
    return fake_synchronize_error;
}

int cuStreamBeginCapture_v2(stream *on, int mode)
{
    (void)mode;
    if (fake_refuses_recording || on->recording)
        return CAPTURE_UNSUPPORTED;
    on->invalidated = 0;
    on->recording = calloc(1, sizeof *on->recording);
    return on->recording ? change(&fake_graphs, 1) : OUT_OF_MEMORY;
}

int cuStreamEndCapture(stream *on, queue **graph)
{
    *graph = on->recording;
    on->recording = NULL;
    if (!on->invalidated)
        return SUCCESS;
    free(*graph);
    *graph = NULL;
    change(&fake_graphs, -1);
    return CAPTURE_INVALIDATED;
}

int cuGraphInstantiateWithFlags(queue **launchable, const queue *graph, unsigned long long flags)
{
    (void)flags;
    *launchable = malloc(sizeof **launchable);
    if (!*launchable)
        return OUT_OF_MEMORY;
    **launchable = *graph;
    return change(&fake_graphs, 1);
}

int cuGraphLaunch(const queue *launchable, stream *on)
{
    int i, error;
    for (i = 0; i < launchable->length; i++)
        if ((error = enqueue(on, launchable->items[i])))
            return error;
    return change(&fake_launches, 1);
}

static int drop(queue *graph) { free(graph); return change(&fake_graphs, -1); }
int cuGraphDestroy(queue *graph) { return drop(graph); }
int cuGraphExecDestroy(queue *launchable) { return drop(launchable); }
