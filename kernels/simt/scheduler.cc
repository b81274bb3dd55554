#include "kernels/simt/scheduler.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <numeric>

#include "kernels/simt/race.h"

constinit thread_local uint3 threadIdx{};
constinit thread_local uint3 blockIdx{};
constinit thread_local dim3 blockDim{};
constinit thread_local dim3 gridDim{};

namespace touchstone::simt {
namespace {

std::string Coordinates(uint3 at) {
  return "(" + std::to_string(at.x) + "," + std::to_string(at.y) + "," + std::to_string(at.z) + ")";
}

std::string Place(Line line) {
  const std::string file = line.file;
  const std::string name = file.substr(file.rfind('/') + 1);
  return line.line == 0 ? name : name + ":" + std::to_string(line.line);
}

bool SameLine(Line a, Line b) {
  return a.line == b.line && (a.file == b.file || std::strcmp(a.file, b.file) == 0);
}

unsigned First(unsigned mask) { return static_cast<unsigned>(std::countr_zero(mask)); }

}  // namespace

Scheduler& CurrentScheduler() {
  thread_local Scheduler scheduler;
  return scheduler;
}

Scheduler::~Scheduler() {
  if (stacks_ != nullptr) munmap(stacks_, kStackBytes * kMaxThreads);
}

// xorshift64: any reproducible order will do.
uint64_t Scheduler::Random() {
  random_ ^= random_ << 13;
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  return random_;
}

// Threads are taken from the end of the list, so that pushing backwards gives ascending order.
void Scheduler::Release(Thread* first, unsigned count) {
  for (unsigned i = 0; i < count; ++i) {
    Thread& thread = CurrentPolicy().order == Order::kReverse ? first[i] : first[count - 1 - i];
    if (thread.state == State::kReady) ready_.push_back(&thread);
  }
}

Thread* Scheduler::Next() {
  if (ready_.empty()) return nullptr;
  if (CurrentPolicy().order == Order::kRandom) {
    std::swap(ready_[Random() % ready_.size()], ready_.back());
  }
  Thread* thread = ready_.back();
  ready_.pop_back();
  return thread;
}

std::string Scheduler::Deadlock() const {
  std::string text = "deadlock in block " + Coordinates(blockIdx) + ":";
  unsigned exited = 0;
  int shown = 0;
  const Thread* last = nullptr;
  for (const Thread& thread : threads_) {
    if (thread.state == State::kDone) {
      ++exited;
    } else if ((last == nullptr || thread.waits_in != last->waits_in ||
                !SameLine(thread.line, last->line)) &&
               shown++ < 4) {
      text += " thread " + Coordinates(thread.index) + " waits in " + thread.waits_in + " (" +
              Place(thread.line) + "),";
      last = &thread;
    }
  }
  return text + " " + std::to_string(exited) + " of " + std::to_string(threads_.size()) +
         " threads have exited";
}

void Scheduler::Fail(const std::string& why, Line line) {
  error_ = why + " in block " + Coordinates(blockIdx) + " thread " + Coordinates(threadIdx) + " (" +
           Place(line) + ")";
}

void Scheduler::Leave() {
  Resume(nullptr);
  std::abort();  // an abandoned thread is never resumed
}

Fiber* Scheduler::NewFiber() {
  auto fiber = std::make_unique<Fiber>();
  fiber->stack = stacks_ + kStackBytes * fibers_.size();
  mprotect(fiber->stack, 4096, PROT_NONE);  // an overflow faults
  Prepare(fiber.get(), &FiberMain);
  fibers_.push_back(std::move(fiber));
  return fibers_.back().get();
}

// Gives the OS thread to `next`, on its own fiber or, where it has not started, on an idle one; to
// RunBlock where nobody is left or the launch is abandoned.
void Scheduler::Resume(Thread* next) {
  if (next == nullptr && live_ > 0 && error_.empty()) error_ = Deadlock();
  Fiber* to = &hub_;
  if (next != nullptr) {
    if (next->fiber == nullptr) {
      if (idle_.empty()) idle_.push_back(NewFiber());
      next->fiber = idle_.back();
      idle_.pop_back();
    }
    to = next->fiber;
    threadIdx = next->index;
  }
  current_ = next;
  if (to == running_) return;
  Fiber* from = running_;
  running_ = to;
  SwitchTo(from, to);
}

// A fiber runs threads one after the other: a kernel without barriers never switches.
void Scheduler::FiberMain() {
  OnFiberStart();
  Scheduler& scheduler = CurrentScheduler();
  for (;;) {
    scheduler.body_(scheduler.context_);
    scheduler.EndThread();
  }
}

void Scheduler::EndThread() {
  Thread& thread = *current_;
  for (const auto& group : thread.copies) {
    if (group.empty()) continue;
    Fail("a thread ends before its asynchronous copies were waited for", {"the kernel's end", 0});
    Leave();
  }
  thread.state = State::kDone;
  --live_;
  const unsigned warp = thread.rank / 32;
  done_lanes_[warp] |= 1u << thread.rank % 32;
  for (unsigned lane = 0; lane < 32; ++lane) {
    if ((waiting_lanes_[warp] >> lane & 1) == 0) continue;
    const Thread& waits = threads_[warp * 32 + lane];
    if ((waits.mask >> thread.rank % 32 & 1) != 0) {
      Fail(std::string("a thread exits that the mask of ") + waits.waits_in + " names", waits.line);
      Leave();
    }
  }
  CompleteBarrier();
  Thread* next = Next();
  if (next != nullptr && next->fiber == nullptr) {
    next->fiber = thread.fiber;
    threadIdx = next->index;
    current_ = next;
    return;
  }
  idle_.push_back(thread.fiber);
  Resume(next);
}

void Scheduler::WaitAtBarrier(Line line) {
  if (at_barrier_++ == 0) {
    barrier_ = line;
  } else if (!SameLine(barrier_, line)) {
    Fail("another __syncthreads than the block's other threads wait at (" + Place(barrier_) +
             ") is reached",
         line);
    Leave();
  }
  current_->state = State::kAtBarrier;
  current_->waits_in = "__syncthreads";
  current_->line = line;
  CompleteBarrier();
  Resume(Next());
}

void Scheduler::CompleteBarrier() {
  if (at_barrier_ == 0 || at_barrier_ != live_) return;
  if (live_ != threads_.size()) {
    Fail("some threads of the block have exited, the others wait at __syncthreads", barrier_);
    Leave();
  }
  at_barrier_ = 0;
  race::OnBlockBarrier();
  for (Thread& thread : threads_) {
    if (thread.state == State::kAtBarrier) thread.state = State::kReady;
  }
  Release(threads_.data(), static_cast<unsigned>(threads_.size()));
}

void Scheduler::WaitInCollective(unsigned mask, LaneFunction function, void* record,
                                 const char* name, Line line) {
  Thread& thread = *current_;
  const unsigned warp = thread.rank / 32, lane = thread.rank % 32;
  if ((mask >> lane & 1) == 0) {
    Fail(std::string(name) + " by a lane outside its mask", line);
    Leave();
  }
  if ((mask & done_lanes_[warp]) != 0) {
    Fail(std::string(name) + " names lane " + std::to_string(First(mask & done_lanes_[warp])) +
             ", which has exited or never was,",
         line);
    Leave();
  }
  thread.mask = mask;
  thread.function = function;
  thread.record = record;
  thread.state = State::kAtCollective;
  thread.waits_in = name;
  thread.line = line;
  waiting_lanes_[warp] |= 1u << lane;
  CompleteCollective(warp, mask);
  Resume(Next());
}

void Scheduler::CompleteCollective(unsigned warp, unsigned mask) {
  if ((waiting_lanes_[warp] & mask) != mask) return;
  Thread* lanes = &threads_[warp * 32];
  const Thread& first = lanes[First(mask)];
  void* records[32] = {};
  for (unsigned lane = 0; lane < 32; ++lane) {
    if ((mask >> lane & 1) == 0) continue;
    const Thread& thread = lanes[lane];
    if (thread.function != first.function || thread.mask != first.mask) {
      Fail(std::string("lanes of one mask wait in different collectives: ") + first.waits_in +
               " (" + Place(first.line) + ") and " + thread.waits_in,
           thread.line);
      Leave();
    }
    records[lane] = thread.record;
  }
  if (first.function != nullptr) {
    first.function(records, mask);
  } else {
    race::OnWarpBarrier(warp, mask);
  }
  waiting_lanes_[warp] &= ~mask;
  for (unsigned i = 0; i < 32; ++i) {
    const unsigned lane = CurrentPolicy().order == Order::kReverse ? i : 31 - i;
    if ((mask >> lane & 1) == 0) continue;
    lanes[lane].state = State::kReady;
    ready_.push_back(&lanes[lane]);
  }
}

void* Scheduler::Shared(const void* key, size_t bytes) {
  auto found = std::find_if(shared_.begin(), shared_.end(), [&](const SharedMemory& one) {
    return one.key == key && one.bytes == bytes;
  });
  if (found == shared_.end()) {
    void* memory = nullptr;
    if (posix_memalign(&memory, 128, bytes) != 0) throw std::bad_alloc();
    race::OnSharedMemory(memory, bytes);
    shared_.push_back({key, bytes, {memory, std::free}, true});
    found = shared_.end() - 1;
  }
  if (found->untouched) {
    std::memset(found->memory.get(), 0xff, bytes);  // NaNs: what is read unwritten shows
    found->untouched = false;
    size_t all = 0;
    for (const SharedMemory& one : shared_) all += one.untouched ? 0 : one.bytes;
    if (all > kMaxSharedBytes) {
      Fail(std::to_string(all) + " bytes of shared memory, " + std::to_string(kMaxSharedBytes) +
               " at most,",
           {"the launch", 0});
      Leave();
    }
  }
  return found->memory.get();
}

void* Scheduler::DynamicShared() {
  return config_->dynamic_shared == 0 ? nullptr : Shared(nullptr, config_->dynamic_shared);
}

void Scheduler::StartThreads() {
  const dim3 size = config_->block;
  const unsigned count = size.x * size.y * size.z;
  threads_.resize(count);
  for (unsigned rank = 0; rank < count; ++rank) {
    Thread& thread = threads_[rank];
    thread.index = {rank % size.x, rank / size.x % size.y, rank / size.x / size.y};
    thread.rank = rank;
    thread.state = State::kReady;
    thread.fiber = nullptr;
    thread.copies.clear();
  }
  waiting_lanes_.assign((count + 31) / 32, 0);
  done_lanes_.assign((count + 31) / 32, 0);
  if (count % 32 != 0) done_lanes_.back() = ~0u << count % 32;
  live_ = count;
  at_barrier_ = 0;
  ready_.clear();
}

void Scheduler::RunBlock(uint3 block) {
  blockIdx = block;
  blockDim = config_->block;
  gridDim = config_->grid;
  for (SharedMemory& one : shared_) one.untouched = true;
  StartThreads();
  Release(threads_.data(), static_cast<unsigned>(threads_.size()));
  race::OnBlockBegin();
  running_ = &hub_;
  Resume(Next());
  current_ = nullptr;
}

void Scheduler::RunGrid(const LaunchConfig& config, Body body, void* context) {
  const uint64_t threads = uint64_t{config.block.x} * config.block.y * config.block.z;
  const uint64_t blocks = uint64_t{config.grid.x} * config.grid.y * config.grid.z;
  if (threads == 0 || threads > kMaxThreads || config.block.z > 64) {
    throw ExecutionError("a launch with " + std::to_string(threads) + " threads in a block, 1 to " +
                         std::to_string(kMaxThreads) + " expected (64 at most in z)");
  }
  if (blocks == 0 || config.grid.x > 0x7fffffffu || config.grid.y > 65535 ||
      config.grid.z > 65535) {
    throw ExecutionError("a launch with a grid of " +
                         Coordinates({config.grid.x, config.grid.y, config.grid.z}) +
                         " blocks, from 1 to 2147483647, 65535 and 65535 expected");
  }
  if (config.dynamic_shared > kMaxSharedBytes) {
    throw ExecutionError("a launch with " + std::to_string(config.dynamic_shared) +
                         " bytes of dynamic shared memory, " + std::to_string(kMaxSharedBytes) +
                         " at most");
  }
  if (stacks_ == nullptr) {
    void* memory = mmap(nullptr, kStackBytes * kMaxThreads, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    stacks_ = static_cast<char*>(memory);
    race::OnStacks(stacks_, kStackBytes * kMaxThreads);
  }
  config_ = &config;
  body_ = body;
  context_ = context;
  error_.clear();
  const Policy& policy = CurrentPolicy();
  random_ = (policy.seed + 1) * 0x9e3779b97f4a7c15u | 1;
  // A random order of blocks: a walk whose step has no factor in common with their number.
  uint64_t step = 1, start = 0;
  if (policy.order == Order::kRandom) {
    start = Random() % blocks;
    do {
      step = Random() % blocks + 1;
    } while (std::gcd(step, blocks) != 1);
  }

  race::OnLaunchBegin();
  for (uint64_t i = 0; i < blocks && error_.empty(); ++i) {
    const uint64_t block =
        policy.order == Order::kReverse ? blocks - 1 - i : (start + i * step) % blocks;
    RunBlock({static_cast<unsigned>(block % config.grid.x),
              static_cast<unsigned>(block / config.grid.x % config.grid.y),
              static_cast<unsigned>(block / config.grid.x / config.grid.y)});
  }
  race::OnLaunchEnd();
  if (error_.empty()) return;
  // The fibers of an abandoned launch hold threads that will never end: begin them anew.
  idle_.clear();
  for (const auto& fiber : fibers_) {
    Prepare(fiber.get(), &FiberMain);
    idle_.push_back(fiber.get());
  }
  throw ExecutionError(error_);
}

}  // namespace touchstone::simt
