#include "lab/kernel/plugin_kernel.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "lab/chain.h"
#include "lab/include/touchstone.h"
#include "lab/kernel/call_attributes.h"
#include "lab/kernel/guarded_arena.h"
#include "lab/kernel/plugin_file.h"
#include "lab/kernel/plugin_loading.h"
#include "lab/kernel/worker_process.h"
#include "lab/shown_text.h"

namespace touchstone::lab {
namespace {

constexpr size_t kTensorAlignment = 64, kWorkspaceAlignment = 256;
constexpr int64_t kMostWorkspace = int64_t{16} << 30;
constexpr const char* kWritesToChannel = "writes to the lab's channel";

std::string SignalName(int number) {
  switch (number) {
    case SIGSEGV:
      return "segmentation fault";
    case SIGBUS:
      return "bus error";
    case SIGABRT:
      return "abort";
    case SIGFPE:
      return "arithmetic error";
    case SIGILL:
      return "illegal instruction";
    case SIGKILL:
      return "killed";
    default: {
      const char* text = sigdescr_np(number);
      return text != nullptr ? text : "unknown";
    }
  }
}

// How a process ended, from waitpid's status.
std::string HowItEnded(const std::optional<int>& status) {
  if (!status) return "ends its process, and the one that watches it";
  if (WIFSIGNALED(*status)) {
    return fmt::format("signal {}, {}", WTERMSIG(*status), SignalName(WTERMSIG(*status)));
  }
  return fmt::format("calls exit({})", WEXITSTATUS(*status));
}

// The end of what was printed, at most three lines, in one.
std::string LastLines(std::string output) {
  constexpr size_t kMostBytes = 76;
  while (!output.empty() && (output.back() == '\n' || output.back() == '\r')) output.pop_back();
  size_t begin = output.size();
  for (int line = 0; line < 3 && begin != std::string::npos && begin > 0; ++line) {
    begin = output.rfind('\n', begin - 1);
  }
  if (begin != std::string::npos && begin < output.size()) output = output.substr(begin + 1);
  std::string text;
  for (const char c : output) text += c == '\n' ? std::string(" | ") : std::string(1, c);
  return text.size() > kMostBytes ? "..." + text.substr(text.size() - kMostBytes + 3) : text;
}

uint32_t RecipeBit(Dtype recipe) {
  return recipe == Dtype::kF32 ? uint32_t{TOUCHSTONE_F32} : uint32_t{TOUCHSTONE_BF16};
}

void SetDtype(Dtype dtype, TensorPlace* place) {
  place->bits = static_cast<uint8_t>(8 * ElementBytes(dtype));
  place->code = dtype == Dtype::kF32    ? uint8_t{TOUCHSTONE_FLOAT}
                : dtype == Dtype::kBf16 ? uint8_t{TOUCHSTONE_BFLOAT}
                                        : uint8_t{TOUCHSTONE_INT};
}

// One tensor of the run at hand.
struct Placed {
  const Argument* argument = nullptr;
  Dtype dtype = Dtype::kF32;
  std::vector<int64_t> shape;
  size_t bytes = 0;
  size_t block = 0;
};

}  // namespace

class PluginKernel::Session {
 public:
  Session(const std::string& library_and_symbol, const OpSpec& op, const KernelLimits& limits)
      : op_(op), limits_(limits), name_(PluginNameOf(library_and_symbol, op)) {
    RequireSharedLibrary(name_.library);
    if (limits_.worker.empty()) limits_.worker = WorkerProgram();
    std::random_device device;
    sequence_ = (uint64_t{device()} << 32) | device();
    for (const Argument& argument : op.arguments) {
      if (argument.role == Role::kIn) placed_.push_back({&argument, {}, {}, 0, 0});
    }
    for (const Argument& argument : op.arguments) {
      if (argument.role != Role::kIn) placed_.push_back({&argument, {}, {}, 0, 0});
    }
    TOUCHSTONE_REQUIRE(placed_.size() <= kMostTensors);
    TOUCHSTONE_REQUIRE(op.attributes.size() + LettersWithoutShape(op).size() <= kMostAttributes);
    StartWorker();
  }

  const KernelInfo& info() const { return info_; }

  RunResult Run(const Case& c, const Tensors& inputs, const RunOptions& options) {
    RunResult result;
    if (c.op->name != op_.name) {
      result.what = fmt::format("computes {}, not {}", op_.name, c.op->name);
      return result;
    }
    if (!worker_ && !Restart(&result)) return result;
    bool strays = std::exchange(strays_while_loading_, false);
    strays = worker_->DrainStrays() || strays;
    Place(c, options);
    if (!MakeWorkspace(&result, &strays)) return Closed(std::move(result), strays, inputs);
    arena_.Finish(options.poison);
    request_.arena_bytes = arena_.bytes();
    Fill(inputs, options.poison);
    Exchange(MessageKind::kRun, &result, &strays);
    return Closed(std::move(result), strays, inputs);
  }

 private:
  void StartWorker() {
    worker_.reset();
    worker_ = std::make_unique<WorkerProcess>(limits_.worker, name_.library, name_.symbol,
                                              limits_.memory_bytes, arena_.fd());
    Loaded loaded;
    const auto event =
        worker_->Receive(MessageKind::kLoaded, 0, Deadline(), &loaded, &strays_while_loading_);
    if (event == WorkerProcess::Event::kMessage) {
      info_ = InfoOf(loaded, name_, op_);
      has_workspace_ = loaded.has_workspace != 0;
      return;
    }
    worker_->End();
    const std::string who = TerminalText(name_.library);
    const std::string printed = Printed();
    const std::optional<int> status = worker_->status();
    worker_.reset();
    if (event == WorkerProcess::Event::kTimedOut) {
      throw KernelCrashed(
          RunState::kTimedOut,
          fmt::format("{}: has not been loaded after {} seconds{}", who, limits_.seconds, printed));
    }
    throw KernelCrashed(RunState::kCrashed, fmt::format("{}: crashes while it is loaded: {}{}", who,
                                                        HowItEnded(status), printed));
  }

  bool Restart(RunResult* result) {
    try {
      StartWorker();
      return true;
    } catch (const KernelCrashed& error) {
      result->state = error.state;
      result->what = error.what();
    } catch (const std::exception& error) {
      result->state = RunState::kFailed;
      result->what = std::string("cannot be started again: ") + error.what();
    }
    worker_.reset();
    return false;
  }

  WorkerProcess::Clock::time_point Deadline() const {
    const double seconds = std::clamp(limits_.seconds, 0.0, 1e6);
    return WorkerProcess::Clock::now() + std::chrono::duration_cast<WorkerProcess::Clock::duration>(
                                             std::chrono::duration<double>(seconds));
  }

  // Lays the case's tensors out and describes them to the worker.
  void Place(const Case& c, const RunOptions& options) {
    arena_.Begin();
    request_.recipe = RecipeBit(c.recipe);
    request_.threads = std::max(1, options.threads);
    const double cores = std::max(1u, std::thread::hardware_concurrency());
    request_.processor_seconds = limits_.seconds * std::max<double>(cores, request_.threads);
    request_.tensors_count = static_cast<int32_t>(placed_.size());
    for (size_t i = 0; i < placed_.size(); ++i) {
      Placed& placed = placed_[i];
      placed.dtype = DtypeOf(c, *placed.argument);
      placed.shape = ShapeOf(c, *placed.argument);
      TOUCHSTONE_REQUIRE(placed.shape.size() <= kMostAxes);
      size_t row_bytes = ElementBytes(placed.dtype);
      if (!placed.shape.empty()) row_bytes *= static_cast<size_t>(placed.shape.back());
      placed.bytes = ElementBytes(placed.dtype);
      TensorPlace& place = request_.tensors[i];
      for (size_t d = 0; d < placed.shape.size(); ++d) {
        placed.bytes *= static_cast<size_t>(placed.shape[d]);
        place.shape[d] = placed.shape[d];
      }
      placed.block = arena_.Add(placed.argument->name, placed.bytes, kTensorAlignment, row_bytes);
      place.offset = arena_.offset(placed.block);
      place.axes = static_cast<int32_t>(placed.shape.size());
      place.is_output = placed.argument->role == Role::kIn ? 0 : 1;
      SetDtype(placed.dtype, &place);
    }
    request_.attributes_count = 0;
    for (const auto& [name, value] : CallAttributes(c)) {
      AttributeValue& attribute = request_.attributes[request_.attributes_count++];
      TOUCHSTONE_REQUIRE(name.size() < sizeof attribute.name);
      std::memcpy(attribute.name, name.c_str(), name.size() + 1);
      attribute.value = value;
    }
  }

  // Asks how much workspace the call needs, where the kernel has such a function, and makes it.
  bool MakeWorkspace(RunResult* result, bool* strays) {
    request_.workspace_bytes = request_.workspace_offset = 0;
    if (!has_workspace_) return true;
    if (!Exchange(MessageKind::kAskWorkspace, result, strays)) {
      result->what = "asked for its workspace: " + result->what;
      return false;
    }
    const uint64_t bytes = reply_.workspace_bytes;
    // The lab fills it, so it is no larger than what the lab itself may take.
    const int64_t most = std::clamp<int64_t>(limits_.memory_bytes, 0, kMostWorkspace);
    if (bytes > static_cast<uint64_t>(most)) {
      result->state = RunState::kFailed;
      result->what = fmt::format("asks for a workspace of {} bytes; {} are allowed", bytes, most);
      return false;
    }
    if (bytes == 0) return true;
    workspace_block_ = arena_.Add("the workspace", bytes, kWorkspaceAlignment, 0);
    request_.workspace_offset = arena_.offset(workspace_block_);
    request_.workspace_bytes = bytes;
    return true;
  }

  void Fill(const Tensors& inputs, Poison poison) {
    const int pattern = poison == Poison::kNan ? 0xff : 0x5a;
    for (const Placed& placed : placed_) {
      std::byte* data = arena_.data(placed.block);
      if (placed.argument->role == Role::kOut) {
        std::memset(data, pattern, placed.bytes);
        continue;
      }
      const Tensor& tensor = inputs.at(placed.argument->name);
      TOUCHSTONE_REQUIRE(tensor.dtype == placed.dtype && tensor.data.size() == placed.bytes);
      if (placed.bytes > 0) std::memcpy(data, tensor.data.data(), placed.bytes);
    }
    if (request_.workspace_bytes > 0) {
      std::memset(arena_.data(workspace_block_), poison == Poison::kNan ? 0xff : 0x7f,
                  request_.workspace_bytes);
    }
    is_filled_ = true;
  }

  // Sends the request and waits for its answer; false where run (or workspace) did not return, or
  // not with 0. Where the process does not live on, `worker_` is let go of.
  bool Exchange(MessageKind kind, RunResult* result, bool* strays) {
    Seal(&request_, kind, ++sequence_);
    const auto begin = WorkerProcess::Clock::now();
    const auto deadline = Deadline();
    // Where it cannot be sent, the end of the process is what comes back.
    worker_->Send(&request_, sizeof request_);
    const auto event = worker_->Receive(MessageKind::kReply, sequence_, deadline, &reply_, strays);
    result->seconds = std::chrono::duration<double>(WorkerProcess::Clock::now() - begin).count();
    if (event == WorkerProcess::Event::kMessage) return TakeReply(result);
    worker_->End();
    const std::optional<int> status = worker_->status();
    if (event == WorkerProcess::Event::kTimedOut) {
      result->state = RunState::kTimedOut;
      result->what = fmt::format("does not return within {} seconds", limits_.seconds);
    } else if (status && WIFEXITED(*status) && WEXITSTATUS(*status) == kChannelGone) {
      result->state = RunState::kFailed;
      result->what = "closes the lab's channel";
    } else {
      result->state = RunState::kCrashed;
      result->what = HowItEnded(status);
    }
    result->what += Printed();
    worker_.reset();
    return false;
  }

  bool TakeReply(RunResult* result) {
    const auto left = [&](uint32_t bit, const char* what) {
      if ((reply_.float_state & bit) != 0) result->breaches.push_back(what);
    };
    left(kFlushes, "leaves flush-to-zero switched on");
    left(kRoundsOtherwise, "leaves another rounding mode switched on");
    left(kTraps, "leaves floating-point traps switched on");
    left_process_ = reply_.left_process != 0;
    const std::string text(reply_.text, strnlen(reply_.text, sizeof reply_.text));
    if (reply_.outcome == Outcome::kDeviceFailed) {
      result->state = RunState::kCrashed;
      result->what = TerminalText(text) + Printed();
      worker_.reset();
      return false;
    }
    if (reply_.outcome == Outcome::kThrew) {
      result->state = RunState::kFailed;
      result->what =
          (text.empty() ? "throws an exception" : "throws: " + PrintableText(text)) + Printed();
      return false;
    }
    result->state = RunState::kDone;
    if (reply_.device_seconds > 0.0) result->seconds = reply_.device_seconds;
    if (reply_.returned == TOUCHSTONE_REFUSED) {
      result->state = RunState::kRefused;
      result->what = "does not support these sizes or attributes";
    } else if (reply_.returned != 0) {
      result->state = RunState::kFailed;
      result->what = fmt::format("returns {}", reply_.returned) + Printed();
    }
    return result->state == RunState::kDone;
  }

  std::string Printed() {
    const std::string text = LastLines(worker_->Output());
    return text.empty() ? "" : "; it printed: " + TerminalText(text);
  }

  // The checks after a run, however it ended.
  RunResult Closed(RunResult result, bool strays, const Tensors& inputs) {
    if (strays) result.breaches.push_back(kWritesToChannel);
    if (std::exchange(left_process_, false)) {
      // It may write to the arena at any time: this worker goes, and all that it started.
      result.breaches.push_back("leaves a process behind");
      if (worker_) worker_->End();
      worker_.reset();
    }
    if (std::exchange(is_filled_, false)) {
      for (std::string& breach : arena_.Breaches()) result.breaches.push_back(std::move(breach));
      for (const Placed& placed : placed_) NoteChange(placed, inputs, &result.breaches);
      if (result.state == RunState::kDone) CopyOutputs(&result.outputs);
    }
    const bool returned = result.state == RunState::kDone || result.state == RunState::kRefused;
    if (returned && !result.breaches.empty()) {
      result.state = RunState::kFailed;
      result.what = result.breaches.front() + (worker_ ? Printed() : "");
    }
    return result;
  }

  void NoteChange(const Placed& placed, const Tensors& inputs,
                  std::vector<std::string>* breaches) const {
    if (placed.argument->role != Role::kIn || placed.bytes == 0) return;
    const std::byte* now = arena_.data(placed.block);
    const std::byte* before = inputs.at(placed.argument->name).data.data();
    if (std::memcmp(now, before, placed.bytes) == 0) return;
    const size_t bytes = ElementBytes(placed.dtype);
    size_t count = 0, first = 0;
    for (size_t i = 0; i < placed.bytes; i += bytes) {
      if (std::memcmp(now + i, before + i, bytes) == 0) continue;
      if (count++ == 0) first = i / bytes;
    }
    breaches->push_back(fmt::format("changes {} element{} of its input {}, the first is number {}",
                                    count, count == 1 ? "" : "s", placed.argument->name, first));
  }

  void CopyOutputs(Tensors* outputs) const {
    for (const Placed& placed : placed_) {
      if (placed.argument->role == Role::kIn) continue;
      Tensor tensor(placed.dtype, placed.shape);
      if (placed.bytes > 0) {
        std::memcpy(tensor.data.data(), arena_.data(placed.block), placed.bytes);
      }
      outputs->emplace(placed.argument->name, std::move(tensor));
    }
  }

  const OpSpec& op_;
  KernelLimits limits_;
  PluginName name_;
  KernelInfo info_;
  bool has_workspace_ = false;
  GuardedArena arena_;
  std::unique_ptr<WorkerProcess> worker_;  // none after a crash or a time-out
  bool strays_while_loading_ = false;
  uint64_t sequence_ = 0;
  Request request_;
  Reply reply_;
  std::vector<Placed> placed_;  // inputs first, then outputs, each in the op's order
  size_t workspace_block_ = 0;
  bool is_filled_ = false;     // whether the arena holds the run's tensors
  bool left_process_ = false;  // whether the call began one that was there when it returned
};

PluginKernel::PluginKernel(const std::string& library_and_symbol, const OpSpec& op,
                           const KernelLimits& limits)
    : session_(std::make_unique<Session>(library_and_symbol, op, limits)) {}

PluginKernel::~PluginKernel() = default;

const KernelInfo& PluginKernel::info() const { return session_->info(); }

RunResult PluginKernel::Run(const Case& c, const Tensors& inputs, const RunOptions& options) {
  return session_->Run(c, inputs, options);
}

}  // namespace touchstone::lab
