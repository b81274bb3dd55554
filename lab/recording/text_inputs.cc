// The inputs of recording.h.
#include <fmt/format.h>

#include <algorithm>

#include "lab/recording/recording.h"
#include "reference/formats/require.h"

namespace touchstone::lab {
namespace {

constexpr char kIds[] = "input/input_ids";
constexpr char kLengths[] = "input/lengths";
constexpr char kMask[] = "input/attention_mask";
constexpr char kPositions[] = "input/position_ids";

class InputReader {
 public:
  InputReader(const golden::Reader& reader, const std::string& file)
      : reader_(reader), file_(file), paths_(reader.Paths()) {}

  TextInputs Read(int64_t vocabulary) const {
    TextInputs inputs;
    if (!Has(kIds)) throw Bad(kIds, "no such tensor", "the token ids, (B, T) i64");
    inputs.ids = ReadIntegers(kIds);
    const std::vector<int64_t>& shape = inputs.ids.shape;
    if (shape.size() != 2 || inputs.ids.count() == 0) {
      throw Bad(kIds, fmt::format("the shape ({})", fmt::join(shape, ", ")),
                "(B, T), both 1 or more");
    }
    inputs.batch = shape[0];
    inputs.tokens = shape[1];
    inputs.lengths.assign(static_cast<size_t>(inputs.batch), inputs.tokens);
    if (Has(kLengths)) ReadLengths(&inputs);
    if (Has(kMask)) ReadMask(&inputs);
    if (Has(kPositions)) CheckPositions(inputs);
    CheckIds(inputs, vocabulary);
    return inputs;
  }

 private:
  golden::BadFile Bad(const std::string& where, const std::string& found,
                      const std::string& expected) const {
    return golden::BadFile(
        fmt::format("{}: {}: found {}, expected {}", file_, where, found, expected));
  }

  bool Has(const char* path) const {
    return std::binary_search(paths_.begin(), paths_.end(), path);
  }

  Tensor ReadIntegers(const char* path) const {
    Tensor tensor = reader_.Read(path);
    if (tensor.dtype != Dtype::kI64) {
      throw Bad(path, fmt::format("dtype {}", Name(tensor.dtype)), "i64");
    }
    return tensor;
  }

  Tensor ReadIntegers(const char* path, const std::vector<int64_t>& shape) const {
    Tensor tensor = ReadIntegers(path);
    if (tensor.shape != shape) {
      throw Bad(path, fmt::format("the shape ({})", fmt::join(tensor.shape, ", ")),
                fmt::format("({}), as input_ids says", fmt::join(shape, ", ")));
    }
    return tensor;
  }

  void ReadLengths(TextInputs* inputs) const {
    const Tensor lengths = ReadIntegers(kLengths, {inputs->batch});
    for (int64_t b = 0; b < inputs->batch; ++b) {
      const int64_t length = lengths.values<int64_t>()[b];
      if (length < 1 || length > inputs->tokens) {
        throw Bad(fmt::format("{}[b={}]", kLengths, b), fmt::format("{}", length),
                  fmt::format("1 to {}", inputs->tokens));
      }
      inputs->lengths[static_cast<size_t>(b)] = length;
    }
  }

  void ReadMask(TextInputs* inputs) const {
    const Tensor mask = ReadIntegers(kMask, {inputs->batch, inputs->tokens});
    for (int64_t b = 0; b < inputs->batch; ++b) {
      const int64_t* row = mask.values<int64_t>() + b * inputs->tokens;
      int64_t length = 0;
      for (int64_t t = 0; t < inputs->tokens; ++t) {
        const std::string where = fmt::format("{}[b={} t={}]", kMask, b, t);
        if (row[t] != 0 && row[t] != 1) throw Bad(where, fmt::format("{}", row[t]), "0 or 1");
        if (row[t] == 1 && length < t) {
          throw Bad(where, "a real token after padding",
                    "padding on the right only: record each sequence from its first real token");
        }
        length += row[t];
      }
      int64_t& known = inputs->lengths[static_cast<size_t>(b)];
      if (length == 0) throw Bad(fmt::format("{}[b={}]", kMask, b), "no real token", "1 at least");
      if (Has(kLengths) && known != length) {
        throw Bad(fmt::format("{}[b={}]", kMask, b), fmt::format("{} real tokens", length),
                  fmt::format("the {} of {}", known, kLengths));
      }
      known = length;
    }
  }

  void CheckPositions(const TextInputs& inputs) const {
    const Tensor positions = ReadIntegers(kPositions, {inputs.batch, inputs.tokens});
    for (int64_t b = 0; b < inputs.batch; ++b) {
      const int64_t* row = positions.values<int64_t>() + b * inputs.tokens;
      for (int64_t t = 0; t < inputs.lengths[static_cast<size_t>(b)]; ++t) {
        if (row[t] == t) continue;
        throw Bad(fmt::format("{}[b={} t={}]", kPositions, b, t), fmt::format("{}", row[t]),
                  fmt::format("{}: positions count from 0", t));
      }
    }
  }

  // Padding may be any number.
  void CheckIds(const TextInputs& inputs, int64_t vocabulary) const {
    for (int64_t b = 0; b < inputs.batch; ++b) {
      const std::vector<int64_t> ids = inputs.ids_of(b);
      for (size_t t = 0; t < ids.size(); ++t) {
        if (ids[t] >= 0 && (vocabulary == 0 || ids[t] < vocabulary)) continue;
        throw Bad(fmt::format("{}[b={} t={}]", kIds, b, t), fmt::format("{}", ids[t]),
                  vocabulary == 0 ? "an id, 0 or more"
                                  : fmt::format("an id from 0 to {}", vocabulary - 1));
      }
    }
  }

  const golden::Reader& reader_;
  const std::string& file_;
  std::vector<std::string> paths_;
};

}  // namespace

std::vector<int64_t> TextInputs::ids_of(int64_t sequence) const {
  TOUCHSTONE_REQUIRE(sequence >= 0 && sequence < batch);
  const int64_t* row = ids.values<int64_t>() + sequence * tokens;
  return {row, row + lengths[static_cast<size_t>(sequence)]};
}

TextInputs ReadTextInputs(const golden::Reader& reader, const std::string& file,
                          int64_t vocabulary) {
  return InputReader(reader, file).Read(vocabulary);
}

}  // namespace touchstone::lab
