#include "reference/checkpoint/safetensors.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>

#include "reference/checkpoint/bad_checkpoint.h"
#include "reference/checkpoint/two_level_json.h"
#include "reference/formats/require.h"

namespace touchstone::checkpoint {
namespace {

static_assert(std::endian::native == std::endian::little,
              "data are copied as they lie in the file");

constexpr uint64_t kLengthBytes = 8;
constexpr uint64_t kMaxInt64 = std::numeric_limits<int64_t>::max();

struct DtypeBits {
  std::string_view name;
  uint64_t bits;
};

// Every dtype of the format.
constexpr std::array kDtypes{
    DtypeBits{"BOOL", 8},        DtypeBits{"F4", 4},          DtypeBits{"F6_E2M3", 6},
    DtypeBits{"F6_E3M2", 6},     DtypeBits{"U8", 8},          DtypeBits{"I8", 8},
    DtypeBits{"F8_E5M2", 8},     DtypeBits{"F8_E4M3", 8},     DtypeBits{"F8_E8M0", 8},
    DtypeBits{"F8_E4M3FNUZ", 8}, DtypeBits{"F8_E5M2FNUZ", 8}, DtypeBits{"I16", 16},
    DtypeBits{"U16", 16},        DtypeBits{"F16", 16},        DtypeBits{"BF16", 16},
    DtypeBits{"I32", 32},        DtypeBits{"U32", 32},        DtypeBits{"F32", 32},
    DtypeBits{"C64", 64},        DtypeBits{"F64", 64},        DtypeBits{"I64", 64},
    DtypeBits{"U64", 64},
};

const DtypeBits* FindDtype(std::string_view name) {
  const auto* const found = std::find_if(kDtypes.begin(), kDtypes.end(),
                                         [name](const DtypeBits& d) { return d.name == name; });
  return found == kDtypes.end() ? nullptr : found;
}

// Rule 6. The extents of 0 are left out of the bound so that it does not depend on their place.
std::optional<uint64_t> DataBits(uint64_t element_bits, const UnsignedList& shape) {
  uint64_t product = element_bits;
  bool is_empty = false;
  for (const uint64_t extent : shape) {
    if (extent == 0) {
      is_empty = true;
    } else if (extent > kMaxInt64 / product) {
      return std::nullopt;
    } else {
      product *= extent;
    }
  }
  return is_empty ? 0 : product;
}

// A tensor of the header, with its place in the data.
struct Placed {
  std::string name;
  uint64_t begin = 0;
  uint64_t end = 0;
  Entry entry;
};

// Elements of any alignment, in the order they lie.
template <typename From, typename To>
void Convert(const std::byte* from, To* to, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    From x;
    std::memcpy(&x, from + i * sizeof x, sizeof x);
    to[i] = Narrow<To>(Widen(x));
  }
}

void Convert(const std::byte* from, Dtype stored, Tensor* to, size_t first, size_t count) {
  if (stored == to->dtype) {
    const size_t size = ElementBytes(stored);
    std::memcpy(to->data.data() + first * size, from, count * size);
  } else if (stored == Dtype::kBf16) {
    Convert<Bf16>(from, to->values<float>() + first, count);
  } else {
    Convert<float>(from, to->values<Bf16>() + first, count);
  }
}

// Rules 3 to 7.
class Header : public TwoLevelJson {
 public:
  explicit Header(const std::string& file) : file_(file) {}

  void Member(const std::string& outer, const std::string& inner, JsonValue value) override {
    if (outer == kMetadata) {
      if (!std::holds_alternative<std::string>(value)) {
        Fail(outer, Quoted(inner) + " is " + Describe(value) + ", expected text");
      }
    } else if (inner == "dtype") {
      dtype_ = KnownDtype(outer, value);
    } else if (inner == "shape") {
      shape_ = List(outer, inner, std::move(value));
    } else if (inner == "data_offsets") {
      offsets_ = List(outer, inner, std::move(value));
      if (offsets_->size() != 2 || (*offsets_)[0] > (*offsets_)[1]) {
        Fail(outer, "data_offsets are " + Shown(*offsets_) + ", expected [begin, end]");
      }
    } else {
      Fail(outer, "the key " + Quoted(inner) + ", expected dtype, shape and data_offsets alone");
    }
  }

  void End(const std::string& outer) override {
    if (outer == kMetadata) return;
    if (dtype_ == nullptr || !shape_ || !offsets_) {
      Fail(outer, std::string("no ") +
                      (dtype_ == nullptr ? "dtype"
                       : !shape_         ? "shape"
                                         : "data_offsets") +
                      ", expected dtype, shape and data_offsets");
    }
    const std::optional<uint64_t> bits = DataBits(dtype_->bits, *shape_);
    if (!bits) Fail(outer, "shape " + Shown(*shape_) + ", expected less than 2^63 bits of data");
    if (*bits % 8 != 0) {
      Fail(outer, "shape " + Shown(*shape_) + " of " + std::string(dtype_->name) + " is " +
                      std::to_string(*bits) + " bits, expected whole bytes");
    }
    const uint64_t bytes = *bits / 8;
    const uint64_t begin = (*offsets_)[0];
    const uint64_t end = (*offsets_)[1];
    if (end - begin != bytes) {
      Fail(outer, "data_offsets " + Shown(*offsets_) + " span " + std::to_string(end - begin) +
                      " bytes, expected " + std::to_string(bytes) + " for shape " + Shown(*shape_) +
                      " of " + std::string(dtype_->name));
    }
    Entry entry{std::string(dtype_->name), {shape_->begin(), shape_->end()}, nullptr, bytes};
    placed_.push_back({outer, begin, end, std::move(entry)});
    dtype_ = nullptr;
    shape_.reset();
    offsets_.reset();
  }

  // Rules 8 and 9, for data of so many bytes.
  std::vector<Placed> TakeFilling(uint64_t data_bytes) {
    std::sort(placed_.begin(), placed_.end(), [](const Placed& a, const Placed& b) {
      return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
    });
    uint64_t filled = 0;
    for (const Placed& tensor : placed_) {
      if (tensor.begin != filled) {
        Fail(tensor.name, "its data begin at " + std::to_string(tensor.begin) +
                              ", expected where the tensor before it ends, at " +
                              std::to_string(filled));
      }
      filled = tensor.end;
    }
    if (filled != data_bytes) {
      throw BadCheckpoint(file_ + ": " + std::to_string(data_bytes) +
                          " bytes of data, expected those of the tensors, " +
                          std::to_string(filled));
    }
    return std::move(placed_);
  }

 private:
  static constexpr std::string_view kMetadata = "__metadata__";

  [[noreturn]] void Fail(const std::string& name, const std::string& what) const {
    throw BadCheckpoint(file_ + ": " + Quoted(name) + ": " + what);
  }

  static std::string Shown(const UnsignedList& list) {
    constexpr size_t kShown = 8;
    std::string text = "[";
    for (size_t i = 0; i < std::min(list.size(), kShown); ++i) {
      text += (i == 0 ? "" : ", ") + std::to_string(list[i]);
    }
    return text + (list.size() > kShown ? ", ...]" : "]");
  }

  const DtypeBits* KnownDtype(const std::string& outer, const JsonValue& value) const {
    const auto* const text = std::get_if<std::string>(&value);
    const DtypeBits* const dtype = text == nullptr ? nullptr : FindDtype(*text);
    if (dtype == nullptr) {
      Fail(outer, "dtype is " + Describe(value) + ", expected one that safetensors defines");
    }
    return dtype;
  }

  UnsignedList List(const std::string& outer, const std::string& inner, JsonValue value) const {
    auto* const list = std::get_if<UnsignedList>(&value);
    if (list == nullptr ||
        std::any_of(list->begin(), list->end(), [](uint64_t n) { return n > kMaxInt64; })) {
      const std::string found = list == nullptr ? Describe(value) : Shown(*list);
      Fail(outer, inner + " is " + found + ", expected a list of unsigned integers below 2^63");
    }
    return std::move(*list);
  }

  const std::string& file_;
  std::vector<Placed> placed_;
  // Of the tensor that is being read.
  const DtypeBits* dtype_ = nullptr;
  std::optional<UnsignedList> shape_;
  std::optional<UnsignedList> offsets_;
};

}  // namespace

Entries ParseSafetensors(std::span<const std::byte> bytes, const std::string& file) {
  if (bytes.size() < kLengthBytes) {
    throw BadCheckpoint(file + ": " + std::to_string(bytes.size()) +
                        " bytes, expected the 8 of the header's length at least");
  }
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, bytes.data(), kLengthBytes);
  const uint64_t behind = bytes.size() - kLengthBytes;
  const uint64_t most = std::min<uint64_t>(kMaxJsonBytes, behind);
  if (header_bytes > most) {
    throw BadCheckpoint(file + ": a header of " + std::to_string(header_bytes) +
                        " bytes, expected at most " + std::to_string(most) +
                        (most == behind ? ", which the file has" : ", the limit of the format"));
  }
  Header header(file);
  header.Read(file, {reinterpret_cast<const char*>(bytes.data()) + kLengthBytes, header_bytes});
  const std::byte* const data = bytes.data() + kLengthBytes + header_bytes;
  Entries entries;
  for (Placed& tensor : header.TakeFilling(behind - header_bytes)) {
    tensor.entry.data = data + tensor.begin;
    entries.emplace(std::move(tensor.name), std::move(tensor.entry));
  }
  return entries;
}

SafetensorsFile::SafetensorsFile(const std::string& path)
    : path_(path), file_(path), entries_(ParseSafetensors(file_.bytes(), path)) {
  file_.Drop();
}

std::vector<std::string> SafetensorsFile::names() const {
  std::vector<std::string> names;
  names.reserve(entries_.size());
  for (const auto& [name, entry] : entries_) names.push_back(name);
  return names;
}

const Entry& SafetensorsFile::Find(const std::string& name) const {
  const auto found = entries_.find(name);
  if (found == entries_.end()) Fail(name, "no such tensor in the file");
  return found->second;
}

void SafetensorsFile::Fail(const std::string& name, const std::string& what) const {
  throw BadCheckpoint(path_ + ": " + Quoted(name) + ": " + what);
}

Tensor SafetensorsFile::Copy(const std::string& name, const Entry& entry,
                             std::vector<int64_t> shape, size_t first_byte,
                             std::optional<Dtype> storage) const {
  if (entry.dtype != "F32" && entry.dtype != "BF16") {
    Fail(name, "dtype " + entry.dtype + ", expected one that is read: F32 or BF16");
  }
  const Dtype stored = entry.dtype == "F32" ? Dtype::kF32 : Dtype::kBf16;
  Tensor tensor(storage.value_or(stored), std::move(shape));
  TOUCHSTONE_REQUIRE(tensor.dtype == Dtype::kF32 || tensor.dtype == Dtype::kBf16);
  // In blocks, so that the file's own pages never add up to a second copy.
  constexpr size_t kBlock = size_t{1} << 21;
  const auto count = static_cast<size_t>(tensor.count());
  for (size_t first = 0; first < count; first += kBlock) {
    const size_t block = std::min(kBlock, count - first);
    const std::byte* const from = entry.data + first_byte + first * ElementBytes(stored);
    Convert(from, stored, &tensor, first, block);
    file_.Drop();
  }
  return tensor;
}

Tensor SafetensorsFile::Read(const std::string& name, std::optional<Dtype> storage) const {
  const Entry& entry = Find(name);
  return Copy(name, entry, entry.shape, 0, storage);
}

Tensor SafetensorsFile::ReadRows(const std::string& name, int64_t first, int64_t count,
                                 std::optional<Dtype> storage) const {
  const Entry& entry = Find(name);
  TOUCHSTONE_REQUIRE(first >= 0 && count >= 0);
  if (entry.shape.empty()) Fail(name, "a scalar, expected a tensor that has rows");
  const int64_t rows = entry.shape[0];
  if (first > rows || count > rows - first) {
    Fail(name, std::to_string(rows) + " rows, expected " + std::to_string(count) +
                   " of them from row " + std::to_string(first) + " on");
  }
  std::vector<int64_t> shape = entry.shape;
  shape[0] = count;
  const size_t row_bytes = rows == 0 ? 0 : entry.bytes / static_cast<size_t>(rows);
  return Copy(name, entry, std::move(shape), static_cast<size_t>(first) * row_bytes, storage);
}

}  // namespace touchstone::checkpoint
