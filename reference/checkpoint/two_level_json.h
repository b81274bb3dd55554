// JSON as checkpoints use it: one object of objects of plain values. Read strictly and in one pass,
// so that what a file makes us keep is decided by the caller, member by member.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace touchstone::checkpoint {

// The most bytes of JSON that are read: the limit of the safetensors format, used for both files.
inline constexpr size_t kMaxJsonBytes = 100'000'000;

// A value that nobody here asks for, in words.
struct OtherValue {
  std::string what;
};

using UnsignedList = std::vector<uint64_t>;
using JsonValue = std::variant<std::string, uint64_t, UnsignedList, OtherValue>;

// What was found, for a message.
std::string Describe(const JsonValue& value);

// Derive from it to take the members.
class TwoLevelJson {
 public:
  virtual ~TwoLevelJson() = default;

  // Throws BadCheckpoint, which names `file`, unless the text
  //   is JSON in UTF-8 whose first byte is {, so without a byte order mark, and has no byte 0;
  //   is one object, whose members are objects, whose members are not;
  //   has no key twice in one object, escapes resolved.
  void Read(const std::string& file, std::string_view text);

  // The value of `inner` in the object `outer`.
  virtual void Member(const std::string& outer, const std::string& inner, JsonValue value) = 0;
  // The object `outer` is complete.
  virtual void End(const std::string& outer) = 0;
};

}  // namespace touchstone::checkpoint
