#include "lab/decoys/edits.h"

#include <algorithm>
#include <cctype>
#include <exception>
#include <utility>

namespace touchstone::lab {
namespace {

// A row-major tensor about one axis: `outer` blocks of `extent` slices of `inner` bytes.
struct Axis {
  size_t outer = 1, extent = 1, inner = 1;
};

Axis AxisOf(const Tensor& tensor, size_t d) {
  Axis axis;
  for (size_t i = 0; i < tensor.shape.size(); ++i) {
    const size_t extent = static_cast<size_t>(tensor.shape[i]);
    (i < d ? axis.outer : i == d ? axis.extent : axis.inner) *= extent;
  }
  axis.inner *= ElementBytes(tensor.dtype);
  return axis;
}

}  // namespace

void ZeroSlice(size_t d, int64_t begin, int64_t end, Tensor* tensor) {
  const Axis axis = AxisOf(*tensor, d);
  for (size_t o = 0; o < axis.outer; ++o) {
    const auto block =
        tensor->data.begin() + static_cast<std::ptrdiff_t>(o * axis.extent * axis.inner);
    std::fill(block + begin * static_cast<std::ptrdiff_t>(axis.inner),
              block + end * static_cast<std::ptrdiff_t>(axis.inner), std::byte{0});
  }
}

void CopySlice(const Tensor& from, size_t d, int64_t begin, int64_t end, Tensor* to) {
  const Axis axis = AxisOf(from, d);
  for (size_t o = 0; o < axis.outer; ++o) {
    const auto block = static_cast<std::ptrdiff_t>(o * axis.extent * axis.inner);
    const auto inner = static_cast<std::ptrdiff_t>(axis.inner);
    std::copy(from.data.begin() + block + begin * inner, from.data.begin() + block + end * inner,
              to->data.begin() + block + begin * inner);
  }
}

void Permute(size_t d, const std::function<int64_t(int64_t)>& source, Tensor* tensor) {
  const Axis axis = AxisOf(*tensor, d);
  const std::vector<std::byte> was = tensor->data;
  const auto inner = static_cast<std::ptrdiff_t>(axis.inner);
  for (size_t o = 0; o < axis.outer; ++o) {
    const auto block = static_cast<std::ptrdiff_t>(o * axis.extent * axis.inner);
    for (int64_t i = 0; i < tensor->shape[d]; ++i) {
      const auto from = was.begin() + block + source(i) * inner;
      std::copy(from, from + inner, tensor->data.begin() + block + i * inner);
    }
  }
}

void Rotate(size_t d, Tensor* tensor) {
  const int64_t n = tensor->shape[d];
  Permute(
      d, [n](int64_t i) { return (i + 1) % n; }, tensor);
}

Tensor Shortened(const Tensor& tensor, size_t d, int64_t count) {
  const Axis axis = AxisOf(tensor, d);
  std::vector<int64_t> shape = tensor.shape;
  shape[d] -= count;
  Tensor shorter(tensor.dtype, shape);
  const size_t kept = static_cast<size_t>(shape[d]) * axis.inner;
  for (size_t o = 0; o < axis.outer; ++o) {
    const auto block =
        tensor.data.begin() + static_cast<std::ptrdiff_t>(o * axis.extent * axis.inner);
    std::copy(block, block + static_cast<std::ptrdiff_t>(kept),
              shorter.data.begin() + static_cast<std::ptrdiff_t>(o * kept));
  }
  return shorter;
}

Tensors OutputsAmong(const Case& c, const Tensors& tensors) {
  Tensors outputs;
  for (const Argument& argument : c.op->arguments) {
    if (argument.role != Role::kIn) outputs.emplace(argument.name, tensors.at(argument.name));
  }
  return outputs;
}

std::optional<Tensors> Rerun(const Case& c, Tensors inputs) {
  try {
    Run(c, &inputs, 1);
  } catch (const std::exception&) {
    return {};
  }
  return OutputsAmong(c, inputs);
}

std::string AxisName(char letter) {
  if (std::isupper(static_cast<unsigned char>(letter)) == 0) return "entry";
  return {static_cast<char>(std::tolower(static_cast<unsigned char>(letter)))};
}

const std::vector<Part>& LostParts() {
  using Range = std::pair<int64_t, int64_t>;
  static const std::vector<Part> parts = {
      {"first", "a loop that begins at 1", [](int64_t n) { return Range(0, n > 0 ? 1 : 0); }},
      {"middle", "a tile in the middle that no block of threads took",
       [](int64_t n) { return n > 2 ? Range(n / 2, n / 2 + 1) : Range(0, 0); }},
      {"last", "a loop that ends one early",
       [](int64_t n) { return n > 1 ? Range(n - 1, n) : Range(0, 0); }},
      {"tail after 4s", "a vector loop of 4 without its tail",
       [](int64_t n) { return n > 4 ? Range(n - n % 4, n) : Range(0, 0); }},
      {"tail after 32s", "tiles of 32 without the partial last one",
       [](int64_t n) { return n > 32 ? Range(n - n % 32, n) : Range(0, 0); }},
      {"all after 512s", "one block of 512 where there are more",
       [](int64_t n) { return n > 512 ? Range(512, n) : Range(0, 0); }},
  };
  return parts;
}

std::string ContractedLetters(const OpSpec& op) {
  std::string inputs, outputs;
  for (const Argument& argument : op.arguments) {
    (argument.role == Role::kIn ? inputs : outputs) += argument.dims;
  }
  std::string contracted;
  for (const char letter : inputs) {
    const bool upper = std::isupper(static_cast<unsigned char>(letter)) != 0;
    if (upper && outputs.find(letter) == std::string::npos &&
        contracted.find(letter) == std::string::npos) {
      contracted += letter;
    }
  }
  return contracted;
}

}  // namespace touchstone::lab
