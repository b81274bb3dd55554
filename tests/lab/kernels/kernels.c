/* Kernels of every kind of conduct. Each is judged by tests/lab/plugin_kernel_test.cc. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include "tests/lab/kernels/right.h"

#define KERNEL_WITH(symbol, run, workspace)                      \
  TOUCHSTONE_KERNEL(symbol) = {TOUCHSTONE_ABI,                   \
                               sizeof(touchstone_kernel),        \
                               "test " #symbol,                  \
                               "rmsnorm",                        \
                               TOUCHSTONE_F32 | TOUCHSTONE_BF16, \
                               TOUCHSTONE_CPU,                   \
                               0,                                \
                               workspace,                        \
                               run}
#define KERNEL(symbol) KERNEL_WITH(symbol, symbol, 0)

KERNEL_WITH(rmsnorm, RmsNorm, 0);

/* What it was given, as numbers in y; the test says what they must be. */
static int describes(const touchstone_call* call) {
  const touchstone_tensor *x = &call->inputs[0], *y = &call->outputs[0];
  float* out = y->data;
  int i = 0;
  out[i++] = (float)call->abi;
  out[i++] = call->size == sizeof *call ? 1.0f : 0.0f;
  out[i++] = strcmp(call->op, "rmsnorm") == 0 ? 1.0f : 0.0f;
  out[i++] = (float)call->recipe;
  out[i++] = (float)call->threads;
  out[i++] = (float)(call->inputs_count * 100 + call->outputs_count * 10 + call->attributes_count);
  out[i++] = strcmp(call->attributes[0].name, "eps") == 0 && call->attributes[0].value == 1e-5;
  out[i++] = (float)(x->ndim * 10000 + x->shape[0] * 1000 + x->shape[1]);
  out[i++] = (float)(x->strides[0] * 10 + x->strides[1]);
  out[i++] = (float)(x->dtype.code * 1000 + x->dtype.bits * 10 + x->dtype.lanes);
  out[i++] = (float)(call->inputs[1].ndim * 100 + call->inputs[1].shape[0]);
  out[i++] = (uintptr_t)x->data % 64 == 0 && (uintptr_t)y->data % 64 == 0;
  out[i++] = x->device.device_type == TOUCHSTONE_CPU && x->byte_offset == 0 && !call->stream;
  out[i++] =
      isnan(((const float*)x->data)[-1]) && isnan(((float*)x->data)[x->strides[0] * x->shape[0]]);
  out[i++] = call->workspace == NULL && call->workspace_bytes == 0;
  return 0;
}
KERNEL(describes);

static int after(const touchstone_call* call) {
  const touchstone_tensor* y = &call->outputs[0];
  RmsNorm(call);
  memset((char*)y->data + y->strides[0] * y->shape[0] * 4, 0, 8);
  return 0;
}
KERNEL(after);

static int after_once(const touchstone_call* call) {
  static int calls;
  return calls++ == 0 ? after(call) : RmsNorm(call);
}
KERNEL(after_once);

/* The bits of a guard band, past the end of y. */
static int FillAfter(const touchstone_call* call, int byte) {
  const touchstone_tensor* y = &call->outputs[0];
  RmsNorm(call);
  memset((char*)y->data + y->strides[0] * y->shape[0] * (y->dtype.bits / 8), byte, 4);
  return 0;
}
static int ones_after(const touchstone_call* call) { return FillAfter(call, 0xff); }
KERNEL(ones_after);
static int large_after(const touchstone_call* call) { return FillAfter(call, 0x7f); }
KERNEL(large_after);

/* Reads an element past the end of x, and would not notice a NaN. */
static int ignores_nan(const touchstone_call* call) {
  const touchstone_tensor *x = &call->inputs[0], *y = &call->outputs[0];
  RmsNorm(call);
  if (At(x, x->strides[0] * x->shape[0]) > 1.0f && y->shape[0] > 0) Put(y, 0, 0.0f);
  return 0;
}
KERNEL(ignores_nan);

/* Takes what its workspace holds for sums that were begun, if they are numbers. */
static int trusts_workspace(const touchstone_call* call) {
  RmsNorm(call);
  const float begun = *(const float*)call->workspace;
  if (!isnan(begun) && call->outputs[0].shape[0] > 0) Put(&call->outputs[0], 0, begun);
  return 0;
}

static int before(const touchstone_call* call) {
  RmsNorm(call);
  memset((char*)call->outputs[0].data - 12, 1, 4);
  return 0;
}
KERNEL(before);

static int changes(const touchstone_call* call) {
  RmsNorm(call);
  ((float*)call->inputs[1].data)[3] += 1.0f;
  return 0;
}
KERNEL(changes);

static int unwritten(const touchstone_call* call) {
  float* y = call->outputs[0].data;
  const float kept = y[2];
  RmsNorm(call);
  y[2] = kept;
  return 0;
}
KERNEL(unwritten);

/* Right for the first data at an address, then what it remembers. */
static int remembers(const touchstone_call* call) {
  static const void* seen;
  static float first[4096];
  const touchstone_tensor* y = &call->outputs[0];
  const size_t bytes = (size_t)(y->strides[0] * y->shape[0]) * 4;
  if (seen == call->inputs[0].data) {
    memcpy(y->data, first, bytes);
    return 0;
  }
  seen = call->inputs[0].data;
  RmsNorm(call);
  memcpy(first, y->data, bytes);
  return 0;
}
KERNEL(remembers);

static int refuses(const touchstone_call* call) { return call->inputs[0].shape[0] > 2; }
KERNEL(refuses);

static int seven(const touchstone_call* call) {
  (void)call;
  printf("first line\nno \x1b[31m luck\n");
  return 7;
}
KERNEL(seven);

static int exits(const touchstone_call* call) {
  RmsNorm(call);
  exit(0);
}
KERNEL(exits);

static int exits_at_once(const touchstone_call* call) {
  (void)call;
  _exit(3);
}
KERNEL(exits_at_once);

static int aborts(const touchstone_call* call) {
  (void)call;
  fprintf(stderr, "about to abort\n");
  abort();
}
KERNEL(aborts);

static int* volatile nowhere = NULL;
static int segfaults(const touchstone_call* call) {
  (void)call;
  *(volatile int*)nowhere = 1;
  return 0;
}
KERNEL(segfaults);

static int far_away(const touchstone_call* call) {
  ((volatile char*)call->outputs[0].data)[1 << 24] = 1;
  return 0;
}
KERNEL(far_away);

static volatile int depth = 1 << 30;
static int Deep(int n) {
  volatile char room[4096];
  room[n % 4096] = 1;
  return n == 0 ? 0 : Deep(n - 1) + room[n % 4096];
}
static int overflows(const touchstone_call* call) {
  (void)call;
  return Deep(depth);
}
KERNEL(overflows);

static volatile int forever = 1;
static int loops(const touchstone_call* call) {
  (void)call;
  for (volatile int i = 0; forever; ++i) continue;
  return 0;
}
KERNEL(loops);

/* All that a process can do against being stopped politely. */
static int clings(const touchstone_call* call) {
  (void)call;
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, NULL);
  signal(SIGTERM, SIG_IGN);
  setpgid(0, 0);
  setsid();
  while (forever) pause();
  return 0;
}
KERNEL(clings);

static int child_returns(const touchstone_call* call) {
  fork();
  return RmsNorm(call);
}
KERNEL(child_returns);

static int waits_for_child(const touchstone_call* call) {
  const pid_t child = fork();
  if (child == 0) _exit(0);
  waitpid(child, NULL, 0);
  return RmsNorm(call);
}
KERNEL(waits_for_child);

/* A grandchild in a session of its own, which nobody is left to wait for. Prints its number. */
static int leaves_grandchild(const touchstone_call* call) {
  if (fork() == 0) {
    setsid();
    const pid_t grandchild = fork();
    if (grandchild == 0) {
      for (;;) pause();
    }
    printf("grandchild %d\n", (int)grandchild);
    fflush(stdout);
    _exit(0);
  }
  RmsNorm(call);
  usleep(100000);
  return 5;
}
KERNEL(leaves_grandchild);

/* A process in a session of its own, which is a child of the kernel's parent. Prints its number. */
static int leaves_sibling(const touchstone_call* call) {
  const pid_t sibling = (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
  if (sibling == 0) {
    setsid();
    for (;;) pause();
  }
  printf("sibling %d\n", (int)sibling);
  fflush(stdout);
  RmsNorm(call);
  return 5;
}
KERNEL(leaves_sibling);

static void* Wait(void* nothing) {
  for (;;) pause();
  return nothing;
}
static int leaves_thread(const touchstone_call* call) {
  pthread_t thread;
  pthread_create(&thread, NULL, Wait, NULL);
  return RmsNorm(call);
}
KERNEL(leaves_thread);

static int ends_thread(const touchstone_call* call) {
  RmsNorm(call);
  pthread_exit(NULL);
}
KERNEL(ends_thread);

static int writes_everywhere(const touchstone_call* call) {
  RmsNorm(call);
  for (int fd = 3; fd < 256; ++fd) {
    if (write(fd, "0 passed", 8) < 0) continue;
    if (write(fd, "", 0) < 0) continue;
  }
  return 0;
}
KERNEL(writes_everywhere);

static int closes_everything(const touchstone_call* call) {
  for (int fd = 0; fd < 256; ++fd) close(fd);
  return RmsNorm(call);
}
KERNEL(closes_everything);

static int prints_much(const touchstone_call* call) {
  static char line[1024];
  memset(line, 'x', sizeof line);
  for (int i = 0; i < 10 * 1024; ++i) fwrite(line, 1, sizeof line, stdout);
  printf("\nthe last line\n");
  RmsNorm(call);
  return 9;
}
KERNEL(prints_much);

/* More than the test allows, and less than most machines have. */
static int allocates(const touchstone_call* call) {
  char* volatile room = malloc((size_t)2 << 30);
  if (room == NULL) return ENOMEM;
  free(room);
  return RmsNorm(call);
}
KERNEL(allocates);

static int flushes(const touchstone_call* call) {
  RmsNorm(call);
#if defined(__x86_64__)
  _mm_setcsr(_mm_getcsr() | 0x8040);
#endif
  return 0;
}
KERNEL(flushes);

static uint64_t Workspace(const touchstone_call* call) {
  if (call->inputs[0].data || call->outputs[0].data || call->workspace) abort();
  return (uint64_t)call->inputs[0].shape[1] * 4;
}
/* Right only where its workspace is as promised. */
static int works(const touchstone_call* call) {
  const float* room = call->workspace;
  const int64_t n = call->inputs[0].shape[1];
  if (call->workspace_bytes != (uint64_t)n * 4 || (uintptr_t)room % 256 != 0) return 2;
  for (int64_t i = 0; i < n; ++i) {
    if (!isnan(room[i])) return 3;
  }
  memset(call->workspace, 0, call->workspace_bytes);
  return RmsNorm(call);
}
KERNEL_WITH(works, works, Workspace);
KERNEL_WITH(trusts_workspace, trusts_workspace, Workspace);

static int overworks(const touchstone_call* call) {
  memset(call->workspace, 0, call->workspace_bytes + 1);
  return RmsNorm(call);
}
KERNEL_WITH(overworks, overworks, Workspace);

static uint64_t MuchWorkspace(const touchstone_call* call) {
  (void)call;
  return UINT64_MAX - 100;
}
KERNEL_WITH(greedy, works, MuchWorkspace);

/* keys[first + t] = k[t], values[first + t] = v[t]: tensors that are in and out. */
static int kv_append(const touchstone_call* call) {
  const int64_t first = (int64_t)call->attributes[0].value;
  for (int i = 0; i < 2; ++i) {
    const touchstone_tensor *from = &call->inputs[i], *to = &call->outputs[i];
    const size_t element = to->dtype.bits / 8u;
    const size_t row = (size_t)to->strides[0] * element;
    memcpy((char*)to->data + (size_t)first * row, from->data, (size_t)from->shape[0] * row);
  }
  return 0;
}
TOUCHSTONE_KERNEL(kv_append) = {TOUCHSTONE_ABI,
                                sizeof(touchstone_kernel),
                                "append",
                                "kv_append",
                                TOUCHSTONE_F32 | TOUCHSTONE_BF16,
                                TOUCHSTONE_CPU,
                                "",
                                0,
                                kv_append};

/* "On CUDA", where a driver pretends that ordinary memory is the device's (pretended_cuda.c). */
static int on_cuda(const touchstone_call* call) {
  if (call->inputs[0].device.device_type != TOUCHSTONE_CUDA || call->stream == NULL) return 2;
  return RmsNorm(call);
}
static int after_on_cuda(const touchstone_call* call) {
  on_cuda(call);
  memset((char*)call->outputs[0].data - 4, 0, 4);
  return 0;
}
static int ones_after_on_cuda(const touchstone_call* call) {
  on_cuda(call);
  return FillAfter(call, 0xff);
}
static int fails_on_cuda(const touchstone_call* call) {
  *(int*)call->stream = 700; /* the driver's next answer */
  return on_cuda(call);
}

/* Constants with something wrong in them. */
#define WRONG(symbol, abi, bytes, name, op, recipes, device, needs, run) \
  TOUCHSTONE_KERNEL(symbol) = {abi, bytes, name, op, recipes, device, needs, NULL, run}
enum { kBytes = sizeof(touchstone_kernel) };
WRONG(other_abi, 7, kBytes, "x", "rmsnorm", 3, 1, NULL, RmsNorm);
WRONG(other_size, TOUCHSTONE_ABI, 48, "x", "rmsnorm", 3, 1, NULL, RmsNorm);
WRONG(other_op, TOUCHSTONE_ABI, kBytes, "x", "linear", 3, 1, NULL, RmsNorm);
WRONG(no_run, TOUCHSTONE_ABI, kBytes, "x", "rmsnorm", 3, 1, NULL, NULL);
WRONG(no_recipe, TOUCHSTONE_ABI, kBytes, "x", "rmsnorm", 64, 1, NULL, RmsNorm);
WRONG(one_recipe, TOUCHSTONE_ABI, kBytes, "x", "rmsnorm", 2, 1, NULL, RmsNorm);
WRONG(other_processor, TOUCHSTONE_ABI, kBytes, "x", "rmsnorm", 3, 1, "warp\x07 drive", RmsNorm);
WRONG(on_cuda, TOUCHSTONE_ABI, kBytes, "x", "rmsnorm", 3, TOUCHSTONE_CUDA, "sm_80 sm_90", on_cuda);
WRONG(no_such_cuda, TOUCHSTONE_ABI, kBytes, "x", "rmsnorm", 3, TOUCHSTONE_CUDA, "sm_10", on_cuda);
WRONG(old_on_cuda, TOUCHSTONE_ABI, kBytes, "x", "rmsnorm", 3, TOUCHSTONE_CUDA, "sm_80", on_cuda);
WRONG(after_on_cuda, TOUCHSTONE_ABI, kBytes, "x", "rmsnorm", 3, TOUCHSTONE_CUDA, 0, after_on_cuda);
WRONG(ones_after_on_cuda, TOUCHSTONE_ABI, kBytes, "x", "rmsnorm", 3, TOUCHSTONE_CUDA, 0,
      ones_after_on_cuda);
WRONG(fails_on_cuda, TOUCHSTONE_ABI, kBytes, "x", "rmsnorm", 3, TOUCHSTONE_CUDA, 0, fails_on_cuda);
WRONG(other_device, TOUCHSTONE_ABI, kBytes, "x", "rmsnorm", 3, 9, NULL, RmsNorm);
WRONG(no_name, TOUCHSTONE_ABI, kBytes, (const char*)16, "rmsnorm", 3, 1, NULL, RmsNorm);
WRONG(coloured, TOUCHSTONE_ABI, kBytes, "red \x1b[31m", "rmsnorm", 3, 1, NULL, RmsNorm);
__attribute__((visibility("default"))) int touchstone_function(void) { return 0; }
__attribute__((visibility("default"))) const int touchstone_number = 1;
