// The fibers of one block and who runs next.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kernels/simt/execution_model.h"
#include "kernels/simt/fiber.h"

namespace touchstone::simt {

inline constexpr unsigned kMaxThreads = 1024;
inline constexpr size_t kMaxSharedBytes = 227 * 1024;  // a block's, of sm_90

enum class State : unsigned char { kReady, kAtBarrier, kAtCollective, kDone };

struct Copy {
  void* to;
  const void* from;
  size_t bytes, filled_bytes;
  bool landed;  // its wait is to come
};

struct Thread {
  uint3 index = {};
  unsigned rank = 0;
  State state = State::kReady;
  Fiber* fiber = nullptr;  // none before it starts
  unsigned mask = 0;       // of the collective that it waits in
  LaneFunction function = nullptr;
  void* record = nullptr;
  const char* waits_in = "";
  Line line = {};
  std::vector<std::vector<Copy>> copies = {};  // closed groups, then the open one
};

struct SharedMemory {
  const void* key;  // of SharedObject; null: the launch's dynamic shared memory
  size_t bytes;
  std::unique_ptr<void, void (*)(void*)> memory;
  bool untouched;  // by this block
};

class Scheduler {
 public:
  ~Scheduler();
  // Runs the blocks of a grid one after the other; throws the launch's ExecutionError.
  void RunGrid(const LaunchConfig& config, Body body, void* context);

  // Called by the running thread.
  void WaitAtBarrier(Line line);
  void WaitInCollective(unsigned mask, LaneFunction function, void* record, const char* name,
                        Line line);
  // Ends the launch: Fail says why, Leave gives up the thread. Its stack is never unwound, so that
  // no text may be alive there.
  void Fail(const std::string& why, Line line);
  [[noreturn]] void Leave();
  void* Shared(const void* key, size_t bytes);
  void* DynamicShared();
  Thread* current() { return current_; }
  uint64_t Random();

 private:
  void RunBlock(uint3 block);
  void StartThreads();
  Fiber* NewFiber();
  void Release(Thread* first, unsigned count);
  Thread* Next();
  void Resume(Thread* next);
  void CompleteBarrier();
  void CompleteCollective(unsigned warp, unsigned mask);
  void EndThread();
  std::string Deadlock() const;
  static void FiberMain();

  const LaunchConfig* config_ = nullptr;
  Body body_ = nullptr;
  void* context_ = nullptr;
  std::string error_;  // why the launch was abandoned

  std::vector<Thread> threads_;
  std::vector<Thread*> ready_;                        // the next one last
  std::vector<unsigned> waiting_lanes_, done_lanes_;  // a mask for each warp
  unsigned live_ = 0, at_barrier_ = 0;
  Line barrier_ = {};
  Thread* current_ = nullptr;
  uint64_t random_ = 0;

  char* stacks_ = nullptr;
  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::vector<Fiber*> idle_;  // fibers that hold no thread
  Fiber hub_;                 // the OS thread itself
  Fiber* running_ = nullptr;
  std::vector<SharedMemory> shared_;
};

Scheduler& CurrentScheduler();  // of the calling OS thread

}  // namespace touchstone::simt
