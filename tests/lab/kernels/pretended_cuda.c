/* The part of CUDA's driver that the worker uses, with ordinary memory for the device's. Its one
 * device is of compute capability 9.0. A stream is an int: the error that the next call gives. An
 * event counts the records; between two of them lie 1000 seconds. */
#include <stdlib.h>
#include <string.h>

static int next_error;

int cuInit(unsigned flags) { return (int)flags; }
int cuDeviceGetCount(int* count) {
  *count = 1;
  return 0;
}
int cuDeviceGet(int* device, int number) {
  *device = number;
  return 0;
}
int cuDeviceGetAttribute(int* value, int attribute, int device) {
  *value = attribute == 75 ? 9 : 0;
  return device;
}
int cuDevicePrimaryCtxRetain(void** context, int device) {
  *context = &next_error;
  return device;
}
int cuCtxSetCurrent(void* context) { return context != &next_error; }
int cuMemAlloc_v2(unsigned long long* memory, size_t bytes) {
  *memory = (unsigned long long)aligned_alloc(256, (bytes + 255) / 256 * 256);
  return *memory == 0 ? 2 : 0;
}
int cuMemFree_v2(unsigned long long memory) {
  free((void*)memory);
  return 0;
}
int cuMemcpyHtoD_v2(unsigned long long to, const void* from, size_t bytes) {
  memcpy((void*)to, from, bytes);
  return next_error;
}
int cuMemcpyDtoH_v2(void* to, unsigned long long from, size_t bytes) {
  memcpy(to, (const void*)from, bytes);
  return next_error;
}
int cuCtxSynchronize(void) { return next_error; }
int cuStreamCreate(void** stream, unsigned flags) {
  *stream = &next_error;
  return (int)flags;
}
int cuEventCreate(void** event, unsigned flags) {
  *event = calloc(1, sizeof(int));
  return (int)flags;
}
int cuEventRecord(void* event, void* stream) {
  static int records;
  *(int*)event = ++records;
  return stream != &next_error;
}
int cuEventElapsedTime(float* milliseconds, void* begin, void* end) {
  *milliseconds = 1e6f * (float)(*(int*)end - *(int*)begin);
  return 0;
}
int cuGetErrorString(int error, const char** text) {
  *text = error == 700 ? "pretended" : "unknown";
  return 0;
}
