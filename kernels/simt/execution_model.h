// The CUDA execution model on the CPU. Each CUDA thread of a block is a fiber; fibers give way to
// each other only inside the functions below, so a run is a pure function of its inputs and of the
// policy. The runtime (runtime.cc) is compiled apart, so that the race build watches kernels alone.
//
// What it models: blocks, barriers, warps with masks, shuffles, votes, atomics, shared memory that
// is full of NaNs when a block begins, asynchronous copies that land as late as they may. What it
// does not: lockstep within a warp (nor does CUDA since Volta), weak memory order, time.
//
// A kernel that breaks CUDA's rules (a barrier that not all threads reach, a deadlock, a lane
// outside the mask of its own collective, more threads or shared memory than there are) ends its
// launch with an ExecutionError that names block, thread and line.
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <stdexcept>
#include <tuple>
#include <type_traits>
#include <utility>

#include "kernels/simt/vector_types.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __shared__ static_assert(false, "use simt::Shared<T>() or simt::DynamicShared<T>()");

// The coordinates of the running thread, set at each switch.
extern constinit thread_local uint3 threadIdx;
extern constinit thread_local uint3 blockIdx;
extern constinit thread_local dim3 blockDim;
extern constinit thread_local dim3 gridDim;

namespace touchstone::simt {

// The order of threads within a block, and of blocks within a grid.
enum class Order { kForward, kReverse, kRandom };

// When an asynchronous copy lands: at its issue, at the wait that asks for it, or at either.
enum class CopyLanding { kEarly, kLate, kRandom };

struct Policy {
  Order order = Order::kForward;
  CopyLanding landing = CopyLanding::kLate;
  uint64_t seed = 0;
};

// Of the calling thread's launches.
Policy& CurrentPolicy();

struct LaunchConfig {
  dim3 grid;
  dim3 block;
  size_t dynamic_shared = 0;  // bytes
};

class ExecutionError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A line of a kernel, for messages.
struct Line {
  const char* file = __builtin_FILE();
  int line = __builtin_LINE();
};

// ---- the runtime -------------------------------------------------------------------------------

using Body = void (*)(void* context);
// lanes[i] is the argument record of lane i of the warp, where bit i of `active` is set.
using LaneFunction = void (*)(void* const* lanes, unsigned active);

void RunGrid(const LaunchConfig& config, Body body, void* context);
void BlockBarrier(Line line);
// Waits until every live lane of `mask` has called with the same `name`; the last one runs
// `function` over the records of all of them.
void WarpCollective(unsigned mask, LaneFunction function, void* record, const char* name,
                    Line line);
void WarpBarrier(unsigned mask, Line line);
unsigned LaneId();
void* SharedObject(const void* key, size_t bytes);  // one object a key and block
void* DynamicSharedBase();
void AsyncCopy(void* shared, const void* global, size_t bytes, size_t filled_bytes);
void AsyncCommit();
void AsyncWait(unsigned groups_left);
[[noreturn]] void Abandon(const char* why, Line line);  // ends the launch with an ExecutionError
void* AllocateDevice(size_t bytes);  // exactly so many, aligned to 256, filled with NaNs
void FreeDevice(void* memory);

// ---- the conventions of simt.cuh ---------------------------------------------------------------

template <typename... Parameters, typename... Arguments>
void Launch(const LaunchConfig& config, void (*kernel)(Parameters...), Arguments&&... arguments) {
  struct Call {
    void (*kernel)(Parameters...);
    std::tuple<Parameters...> arguments;
  };
  Call call{kernel, std::tuple<Parameters...>(std::forward<Arguments>(arguments)...)};
  RunGrid(
      config,
      [](void* context) {
        const Call& one = *static_cast<Call*>(context);
        std::apply(one.kernel, one.arguments);
      },
      &call);
}

// The block's T in memory of exactly sizeof(T), so that an address sanitizer guards it.
template <typename T>
T& Shared() {
  static_assert(std::is_trivially_default_constructible_v<T>, "shared memory has no constructors");
  static const char key = 0;
  return *static_cast<T*>(SharedObject(&key, sizeof(T)));
}

template <typename T>
T* DynamicShared() {
  return static_cast<T*>(DynamicSharedBase());
}

inline void Require(bool condition, Line line = {}) {
  if (!condition) Abandon("trap", line);
}

void CopyToDevice(void* device, const void* host, size_t bytes);
void CopyToHost(void* host, const void* device, size_t bytes);

// Of the CPU: nothing is learnt from it about a GPU.
class Timer {
 public:
  void Start();
  double Stop();  // seconds since then

 private:
  double begin_ = 0.0;
};

template <typename T>
class DeviceBuffer {
 public:
  explicit DeviceBuffer(int64_t count)
      : data_(static_cast<T*>(AllocateDevice(sizeof(T) * static_cast<size_t>(count)))) {}
  ~DeviceBuffer() { FreeDevice(data_); }
  DeviceBuffer(const DeviceBuffer&) = delete;
  DeviceBuffer& operator=(const DeviceBuffer&) = delete;

  T* data() const { return data_; }

 private:
  T* data_;
};

// ---- collectives of a warp ---------------------------------------------------------------------

// `function` over the records of all lanes of the mask: it must not capture.
template <typename Record, typename Function>
void Collective(unsigned mask, Record& record, const char* name, Line line, Function) {
  static_assert(std::is_empty_v<Function>);
  WarpCollective(
      mask,
      [](void* const* lanes, unsigned active) {
        Function{}(reinterpret_cast<Record* const*>(lanes), active);
      },
      &record, name, line);
}

template <typename T>
T Shuffle(unsigned mask, T value, unsigned source, const char* name, Line line) {
  struct Record {
    T value;
    unsigned source;
    T result;
  };
  Record record{value, source, value};
  Collective(mask, record, name, line, [](Record* const* lanes, unsigned active) {
    for (unsigned lane = 0; lane < 32; ++lane) {
      if ((active >> lane & 1) == 0) continue;
      const unsigned from = lanes[lane]->source;
      // The value of a lane outside the mask is undefined: all bits set make it loud.
      if ((active >> from & 1) != 0) {
        lanes[lane]->result = lanes[from]->value;
      } else {
        std::memset(static_cast<void*>(&lanes[lane]->result), 0xff, sizeof(T));
      }
    }
  });
  return record.result;
}

template <typename Join>
unsigned Reduce(unsigned mask, unsigned value, const char* name, Line line, Join) {
  struct Record {
    unsigned value;
  };
  Record record{value};
  Collective(mask, record, name, line, [](Record* const* lanes, unsigned active) {
    const unsigned first = static_cast<unsigned>(std::countr_zero(active));
    unsigned all = lanes[first]->value;
    for (unsigned lane = first + 1; lane < 32; ++lane) {
      if ((active >> lane & 1) != 0) all = Join{}(all, lanes[lane]->value);
    }
    for (unsigned lane = 0; lane < 32; ++lane) {
      if ((active >> lane & 1) != 0) lanes[lane]->value = all;
    }
  });
  return record.value;
}

}  // namespace touchstone::simt

// ---- CUDA's built-in functions -----------------------------------------------------------------

inline void __syncthreads(touchstone::simt::Line line = {}) {
  touchstone::simt::BlockBarrier(line);
}
inline void __syncwarp(unsigned mask = 0xffffffff, touchstone::simt::Line line = {}) {
  touchstone::simt::WarpBarrier(mask, line);
}
inline void __threadfence() {}
inline void __threadfence_block() {}

template <typename T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32,
              touchstone::simt::Line line = {}) {
  const unsigned lane = touchstone::simt::LaneId(), w = static_cast<unsigned>(width);
  return touchstone::simt::Shuffle(mask, value,
                                   (lane & ~(w - 1)) + (static_cast<unsigned>(source) & (w - 1)),
                                   "__shfl_sync", line);
}
template <typename T>
T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = 32,
                  touchstone::simt::Line line = {}) {
  const unsigned lane = touchstone::simt::LaneId(), w = static_cast<unsigned>(width);
  const unsigned source = lane ^ static_cast<unsigned>(lane_mask);
  return touchstone::simt::Shuffle(mask, value, source <= (lane | (w - 1)) ? source : lane,
                                   "__shfl_xor_sync", line);
}
template <typename T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32,
                   touchstone::simt::Line line = {}) {
  const unsigned lane = touchstone::simt::LaneId(), w = static_cast<unsigned>(width);
  const unsigned source = lane + delta;
  return touchstone::simt::Shuffle(mask, value, source <= (lane | (w - 1)) ? source : lane,
                                   "__shfl_down_sync", line);
}
template <typename T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32,
                 touchstone::simt::Line line = {}) {
  const unsigned lane = touchstone::simt::LaneId(), w = static_cast<unsigned>(width);
  return touchstone::simt::Shuffle(mask, value, (lane & (w - 1)) >= delta ? lane - delta : lane,
                                   "__shfl_up_sync", line);
}
inline unsigned __ballot_sync(unsigned mask, int predicate, touchstone::simt::Line line = {}) {
  const unsigned bit = predicate != 0 ? 1u << touchstone::simt::LaneId() : 0u;
  return touchstone::simt::Reduce(mask, bit, "__ballot_sync", line,
                                  [](unsigned a, unsigned b) { return a | b; });
}
inline int __any_sync(unsigned mask, int predicate, touchstone::simt::Line line = {}) {
  return __ballot_sync(mask, predicate, line) != 0;
}
inline int __all_sync(unsigned mask, int predicate, touchstone::simt::Line line = {}) {
  return __ballot_sync(mask, predicate == 0, line) == 0;
}
inline unsigned __reduce_add_sync(unsigned mask, unsigned value, touchstone::simt::Line line = {}) {
  return touchstone::simt::Reduce(mask, value, "__reduce_add_sync", line,
                                  [](unsigned a, unsigned b) { return a + b; });
}
inline unsigned __reduce_max_sync(unsigned mask, unsigned value, touchstone::simt::Line line = {}) {
  return touchstone::simt::Reduce(mask, value, "__reduce_max_sync", line,
                                  [](unsigned a, unsigned b) { return a > b ? a : b; });
}
inline unsigned __reduce_min_sync(unsigned mask, unsigned value, touchstone::simt::Line line = {}) {
  return touchstone::simt::Reduce(mask, value, "__reduce_min_sync", line,
                                  [](unsigned a, unsigned b) { return a < b ? a : b; });
}

// Through the compiler's atomics, so that the race build knows them from plain accesses.
inline int atomicAdd(int* address, int value) {
  return __atomic_fetch_add(address, value, __ATOMIC_RELAXED);
}
inline unsigned atomicAdd(unsigned* address, unsigned value) {
  return __atomic_fetch_add(address, value, __ATOMIC_RELAXED);
}
inline unsigned long long atomicAdd(unsigned long long* address, unsigned long long value) {
  return __atomic_fetch_add(address, value, __ATOMIC_RELAXED);
}
inline unsigned atomicCAS(unsigned* address, unsigned expected, unsigned desired) {
  __atomic_compare_exchange_n(address, &expected, desired, false, __ATOMIC_RELAXED,
                              __ATOMIC_RELAXED);
  return expected;
}
inline unsigned atomicMax(unsigned* address, unsigned value) {
  unsigned old = __atomic_load_n(address, __ATOMIC_RELAXED);
  while (old < value && !__atomic_compare_exchange_n(address, &old, value, false, __ATOMIC_RELAXED,
                                                     __ATOMIC_RELAXED)) {
  }
  return old;
}

template <typename T>
T __ldg(const T* address) {
  return *address;
}
inline int __popc(unsigned x) { return std::popcount(x); }
inline int __ffs(unsigned x) { return x == 0 ? 0 : std::countr_zero(x) + 1; }
inline int __clz(unsigned x) { return std::countl_zero(x); }
inline float __uint_as_float(unsigned bits) { return std::bit_cast<float>(bits); }
inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
