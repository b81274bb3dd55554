// The calls of execution_model.h, on the scheduler of the calling OS thread.
#include <chrono>
#include <cstdlib>

#include "kernels/simt/execution_model.h"
#include "kernels/simt/race.h"
#include "kernels/simt/scheduler.h"

namespace touchstone::simt {
namespace {

void Land(const Copy& copy) {
  std::memcpy(copy.to, copy.from, copy.filled_bytes);
  std::memset(static_cast<char*>(copy.to) + copy.filled_bytes, 0, copy.bytes - copy.filled_bytes);
}

double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

Policy& CurrentPolicy() {
  thread_local Policy policy;
  return policy;
}

void RunGrid(const LaunchConfig& config, Body body, void* context) {
  CurrentScheduler().RunGrid(config, body, context);
}

void BlockBarrier(Line line) { CurrentScheduler().WaitAtBarrier(line); }

void WarpCollective(unsigned mask, LaneFunction function, void* record, const char* name,
                    Line line) {
  CurrentScheduler().WaitInCollective(mask, function, record, name, line);
}

void WarpBarrier(unsigned mask, Line line) {
  CurrentScheduler().WaitInCollective(mask, nullptr, nullptr, "__syncwarp", line);
}

unsigned LaneId() { return CurrentScheduler().current()->rank % 32; }

void* SharedObject(const void* key, size_t bytes) { return CurrentScheduler().Shared(key, bytes); }

void* DynamicSharedBase() { return CurrentScheduler().DynamicShared(); }

void Abandon(const char* why, Line line) {
  CurrentScheduler().Fail(why, line);
  CurrentScheduler().Leave();
}

// ---- asynchronous copies -----------------------------------------------------------------------

void AsyncCopy(void* shared, const void* global, size_t bytes, size_t filled_bytes) {
  const auto misaligned = [bytes](const void* p) {
    return reinterpret_cast<uintptr_t>(p) % bytes != 0;
  };
  if (misaligned(shared) || (filled_bytes > 0 && misaligned(global)) || filled_bytes > bytes) {
    Abandon("a misaligned or overlong asynchronous copy", {"cp_async.cuh", 0});
  }
  race::OnCopyBegin(shared, global, bytes, filled_bytes, __builtin_return_address(0));
  Scheduler& scheduler = CurrentScheduler();
  const CopyLanding landing = CurrentPolicy().landing;
  const bool at_once = landing == CopyLanding::kEarly ||
                       (landing == CopyLanding::kRandom && scheduler.Random() % 2 == 0);
  const Copy copy{shared, global, bytes, filled_bytes, at_once};
  if (at_once) Land(copy);
  auto& copies = scheduler.current()->copies;
  if (copies.empty()) copies.emplace_back();
  copies.back().push_back(copy);
}

void AsyncCommit() {
  auto& copies = CurrentScheduler().current()->copies;
  if (copies.empty()) copies.emplace_back();
  copies.emplace_back();
}

void AsyncWait(unsigned groups_left) {
  auto& copies = CurrentScheduler().current()->copies;
  while (copies.size() > groups_left + 1) {
    for (const Copy& copy : copies.front()) {
      if (!copy.landed) Land(copy);
      race::OnCopyEnd(copy.to, copy.from, copy.bytes, copy.filled_bytes);
    }
    copies.erase(copies.begin());
  }
}

// ---- device memory -----------------------------------------------------------------------------

void* AllocateDevice(size_t bytes) {
  if (bytes == 0) return nullptr;
  void* memory = nullptr;
  if (posix_memalign(&memory, 256, bytes) != 0) throw std::bad_alloc();
  std::memset(memory, 0xff, bytes);
  race::OnAllocate(memory, bytes);
  return memory;
}

void FreeDevice(void* memory) {
  if (memory == nullptr) return;
  race::OnFree(memory);
  std::free(memory);
}

void CopyToDevice(void* device, const void* host, size_t bytes) {
  std::memcpy(device, host, bytes);
  race::OnHostWrite(device, bytes);
}

void CopyToHost(void* host, const void* device, size_t bytes) { std::memcpy(host, device, bytes); }

// ---- time --------------------------------------------------------------------------------------

void Timer::Start() { begin_ = Now(); }

double Timer::Stop() { return Now() - begin_; }

}  // namespace touchstone::simt
