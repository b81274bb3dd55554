// What the lab and the process of a stranger's kernel say to each other.
//
// Three processes: the lab; a keeper, which holds no foreign code, keeps the end of what the kernel
// prints, and kills all that the kernel started; and the worker, the keeper's child, which loads
// the library and calls it. Lab and worker share a socket (the channel) and the arena, one file in
// memory that both have mapped; lab and keeper share another socket (the control), which the worker
// closes.
//
// The channel carries one message each way a call. Sockets keep the bounds of messages, and each
// has a kind, the sequence number of its request and a checksum: whatever else arrives was written
// by the kernel. That tells accidents from answers. A kernel that forges an answer says no more
// than that run returned; the tensors are what the lab finds in its own mapping of the arena.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace touchstone::lab {

// The worker's descriptors when it starts. 0, 1 and 2 are /dev/null.
inline constexpr int kChannelFd = 3;
inline constexpr int kArenaFd = 4;
inline constexpr int kControlFd = 5;

// Both map this much of the arena at once, so that it grows without another mapping: its addresses
// never change.
inline constexpr size_t kArenaBytes = size_t{1} << 38;

inline constexpr int kMostTensors = 32;
inline constexpr int kMostAttributes = 16;
inline constexpr int kMostAxes = 6;
inline constexpr size_t kNameBytes = 64;

// How the worker ends itself where it cannot answer any more.
inline constexpr int kChannelGone = 86;

enum class MessageKind : uint32_t { kLoaded = 1, kAskWorkspace, kRun, kReply };

struct Header {
  uint64_t magic = 0;
  MessageKind kind = MessageKind::kLoaded;
  uint32_t bytes = 0;
  uint64_t sequence = 0;  // of the request that is answered; 0 in kLoaded
  uint64_t checksum = 0;  // of the whole message with this field 0
};

// How the loading ended.
enum class Loading : uint32_t {
  kDone,
  kNotLoaded,     // text: what the loader says
  kNoSymbol,      // the library has no such symbol
  kNoKernel,      // the symbol is no constant of a kernel's size; text: what it is
  kOtherVersion,  // abi or bytes are not ours; nothing else was read
  kBadText,       // text: which of its strings cannot be read or is too long
  kNoDevice,      // text: why its device cannot be used
};

struct Loaded {
  Header header = {};
  Loading loading = Loading::kDone;
  uint32_t abi = 0, bytes = 0, recipes = 0;
  int32_t device = 0;
  uint32_t has_run = 0, has_workspace = 0, reserved = 0;
  char name[128] = {}, op[kNameBytes] = {}, needs[256] = {}, text[512] = {};
};

struct TensorPlace {
  uint64_t offset = 0;  // in the arena
  int32_t axes = 0;
  uint8_t code = 0, bits = 0;  // of touchstone_dtype
  uint16_t is_output = 0;
  int64_t shape[kMostAxes] = {};
};

struct AttributeValue {
  char name[kNameBytes] = {};
  double value = 0.0;
};

// One call: kAskWorkspace or kRun.
struct Request {
  Header header = {};
  uint32_t recipe = 0;
  int32_t threads = 1;
  int32_t tensors_count = 0, attributes_count = 0;
  double processor_seconds = 0.0;  // that the call may use, of all threads together
  uint64_t workspace_offset = 0, workspace_bytes = 0;
  uint64_t arena_bytes = 0;                // that the call's blocks and their guard bands take
  TensorPlace tensors[kMostTensors] = {};  // inputs first
  AttributeValue attributes[kMostAttributes] = {};
};

enum class Outcome : uint32_t {
  kReturned,
  kThrew,         // text: what
  kDeviceFailed,  // text: the driver's complaint; the process is of no use any more
};

// What a kernel left switched on in the processor, as a set of bits.
enum FloatState : uint32_t { kFlushes = 1, kRoundsOtherwise = 2, kTraps = 4 };

struct Reply {
  Header header = {};
  Outcome outcome = Outcome::kReturned;
  int32_t returned = 0;
  uint64_t workspace_bytes = 0;  // of kAskWorkspace
  double device_seconds = 0.0;   // of kRun on a device, by its events
  uint32_t float_state = 0;
  uint32_t left_process = 0;  // whether a process that the kernel began was still there
  char text[256] = {};
};

// Lab to keeper, one byte.
enum class Order : char { kShowOutput = 'o', kEnd = 'e' };

// Keeper to lab: the answer to an order, or the news that the worker has ended. After the latter
// nothing that the worker started is left, and the keeper ends too.
struct KeeperReport {
  uint32_t has_ended = 0;
  int32_t status = 0;  // as waitpid gives it
  uint32_t output_bytes = 0;
  uint32_t reserved = 0;
  char output[2048] = {};  // the end of what was printed
};

// A constant of this layout: a worker of another build is refused.
inline constexpr uint64_t kMagic =
    0x746f756368313031u ^ (sizeof(Loaded) << 40) ^ (sizeof(Request) << 20) ^ sizeof(Reply);

template <typename Message>
uint64_t ChecksumOf(Message message) {
  static_assert(std::is_trivially_copyable_v<Message> && sizeof(Message) % 8 == 0);
  message.header.checksum = 0;
  uint64_t sum = 0;
  for (size_t i = 0; i < sizeof(Message); i += 8) {
    uint64_t word;
    std::memcpy(&word, reinterpret_cast<const char*>(&message) + i, 8);
    sum = (sum ^ word) * 0x9e3779b97f4a7c15u;
    sum ^= sum >> 29;
  }
  return sum;
}

template <typename Message>
void Seal(Message* message, MessageKind kind, uint64_t sequence) {
  message->header = {kMagic, kind, sizeof(Message), sequence, 0};
  message->header.checksum = ChecksumOf(*message);
}

// Whether `received` bytes are a whole message of one of the kinds that Message may be.
template <typename Message>
bool IsSealed(const Message& message, size_t received) {
  return received == sizeof(Message) && message.header.magic == kMagic &&
         message.header.bytes == sizeof(Message) && message.header.checksum == ChecksumOf(message);
}

}  // namespace touchstone::lab
