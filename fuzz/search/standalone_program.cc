#include "fuzz/search/standalone_program.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cctype>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <vector>

#include "lab/chain.h"
#include "lab/kernel/call_attributes.h"

namespace touchstone::fuzz {
namespace {

using lab::Argument;

constexpr int64_t kMostElements = 20000;

uint64_t Bits(const Tensor& tensor, int64_t i) {
  switch (tensor.dtype) {
    case Dtype::kF32:
      return reinterpret_cast<const uint32_t*>(tensor.data.data())[i];
    case Dtype::kBf16:
      return reinterpret_cast<const uint16_t*>(tensor.data.data())[i];
    default:
      return static_cast<uint64_t>(tensor.values<int64_t>()[i]);
  }
}

std::string ElementType(Dtype dtype) {
  return dtype == Dtype::kF32 ? "uint32_t" : dtype == Dtype::kBf16 ? "uint16_t" : "int64_t";
}

std::string ElementText(const Tensor& tensor, int64_t i) {
  if (tensor.dtype == Dtype::kI64) return fmt::format("{}", tensor.values<int64_t>()[i]);
  const uint64_t bits = Bits(tensor, i);
  return bits == 0 ? "0" : fmt::format("0x{:x}", bits);
}

// The line that holds a tensor: its elements, then its extents and strides.
std::string DataLine(const Argument& argument, size_t number, const Tensor& tensor, bool input) {
  std::vector<std::string> elements;
  for (int64_t i = 0; input && i < tensor.count(); ++i) elements.push_back(ElementText(tensor, i));
  std::vector<int64_t> layout = tensor.shape, strides(tensor.shape.size());
  int64_t step = 1;
  for (size_t d = tensor.shape.size(); d-- > 0;) {
    strides[d] = step;
    step *= tensor.shape[d];
  }
  layout.insert(layout.end(), strides.begin(), strides.end());
  return fmt::format("alignas(64) {} data{}[{}] = {{{}}}; int64_t layout{}[] = {{{}}};  // {}\n",
                     ElementType(tensor.dtype), number, std::max<int64_t>(tensor.count(), 1),
                     fmt::join(elements, ", "), number, fmt::join(layout, ", "), argument.name);
}

std::string TensorText(size_t number, const Tensor& tensor) {
  const char* dtype = tensor.dtype == Dtype::kF32    ? "{TOUCHSTONE_FLOAT, 32, 1}"
                      : tensor.dtype == Dtype::kBf16 ? "{TOUCHSTONE_BFLOAT, 16, 1}"
                                                     : "{TOUCHSTONE_INT, 64, 1}";
  const size_t rank = tensor.shape.size();
  return fmt::format("{{data{0}, {{TOUCHSTONE_CPU, 0}}, {1}, {2}, layout{0}, layout{0} + {1}, 0}}",
                     number, rank, dtype);
}

// The row-major index of "t=1 c=17".
int64_t IndexOf(const std::string& at, const std::vector<int64_t>& shape) {
  int64_t index = 0;
  size_t d = 0;
  for (size_t equals = at.find('='); equals != std::string::npos;
       equals = at.find('=', equals + 1)) {
    int64_t coordinate = 0;
    std::from_chars(at.data() + equals + 1, at.data() + at.size(), coordinate);
    index = index * (d < shape.size() ? shape[d] : 1) + coordinate;
    ++d;
  }
  return index;
}

std::string FloatText(double x) {
  if (std::isinf(x)) return x > 0 ? "HUGE_VALF" : "-HUGE_VALF";
  return fmt::format("{:a}f", x);
}

// The condition, on `got` and its `bits`, under which the element is right.
std::string Condition(const Trial& trial, const Judgement& judgement, bool exact, int64_t i) {
  const Argument& argument = trial.c.op->argument(judgement.output);
  if (exact) {
    lab::Tensors right = trial.tensors;
    lab::Run(trial.c, &right, 1);
    const Tensor& tensor = right.at(argument.name);
    if (tensor.dtype == Dtype::kI64) return fmt::format("got == {}", ElementText(tensor, i));
    if (std::isnan(tensor.Real(i))) return "got != got";
    const uint64_t bits = Bits(tensor, i) << (tensor.dtype == Dtype::kBf16 ? 16 : 0);
    return fmt::format("bits == 0x{:08x}", bits);
  }
  const lab::Expected expected =
      lab::Enclose(trial.c, trial.tensors, lab::AllPlaces(*trial.c.op, exact::Place::kHull));
  const Tensor& tensor = trial.tensors.at(argument.name);
  if (tensor.dtype == Dtype::kI64) {
    const auto& accepted = expected.results.choices.at(argument.name).at(static_cast<size_t>(i));
    return fmt::format("got == {}", fmt::join(accepted, " || got == "));
  }
  const exact::Enclosure& real = expected.results.reals.at(argument.name);
  if (std::isnan(real.value.data()[i])) return "got != got";
  return fmt::format("{} <= got && got <= {}",
                     FloatText(exact::RoundReal(real.lower.data()[i], tensor.dtype)),
                     FloatText(exact::RoundReal(real.upper.data()[i], tensor.dtype)));
}

// The lines after the call: the element, and whether it is right.
std::string Ending(const Trial& trial, const Judgement& judgement, bool exact, size_t number) {
  if (judgement.output.empty()) {
    return "  std::printf(\"returned %d\\n\", code);\n  return code == 0 ? 0 : 1;\n}\n";
  }
  const Tensor& tensor = trial.tensors.at(judgement.output);
  const int64_t i = IndexOf(judgement.difference.at, tensor.shape);
  const std::string condition = Condition(trial, judgement, exact, i);
  std::string text;
  if (tensor.dtype == Dtype::kI64) {
    text = fmt::format("  const long long got = data{}[{}];\n", number, i);
  } else {
    text = fmt::format("  const uint32_t bits = uint32_t{{data{}[{}]}} << {};\n", number, i,
                       tensor.dtype == Dtype::kBf16 ? 16 : 0) +
           "  float got; std::memcpy(&got, &bits, sizeof got);\n";
  }
  const std::string shown = tensor.dtype == Dtype::kI64 ? "%lld" : "%a";
  return text + fmt::format(
                    "  std::printf(\"returned %d; {} {}: got {}, expected {}\\n\", code, got);\n"
                    "  return code == 0 && ({}) ? 0 : 1;\n}}\n",
                    judgement.output, judgement.difference.at, shown, condition, condition);
}

}  // namespace

Library LibraryOf(const std::string& kernel) {
  const size_t colon = kernel.rfind(':');
  if (colon == std::string::npos || std::filesystem::exists(kernel)) return {kernel, ""};
  return {kernel.substr(0, colon), kernel.substr(colon + 1)};
}

std::string StandaloneProgram(const Trial& trial, const Judgement& judgement, bool exact,
                              const std::string& symbol) {
  const lab::OpSpec& op = *trial.c.op;
  int64_t elements = 0;
  size_t number = 0, failing = 0;
  std::string data;
  std::vector<std::string> inputs, outputs, attributes;
  for (const Argument& argument : op.arguments) {
    const Tensor& tensor = trial.tensors.at(argument.name);
    elements += tensor.count();
    if (argument.name == judgement.output) failing = number;
    data += DataLine(argument, number, tensor, IsInput(argument));
    (argument.role == lab::Role::kIn ? inputs : outputs).push_back(TensorText(number, tensor));
    ++number;
  }
  if (elements > kMostElements) return "";
  for (const auto& [name, value] : lab::CallAttributes(trial.c)) {
    attributes.push_back(fmt::format("{{\"{}\", {}}}", name, value));
  }
  const size_t counts[] = {inputs.size(), outputs.size(), attributes.size()};
  if (inputs.empty()) inputs.push_back("{}");
  if (attributes.empty()) attributes.push_back("{}");
  const std::string name = symbol.empty() ? "touchstone_" + op.name : symbol;
  const char* recipe = trial.c.recipe == Dtype::kF32 ? "TOUCHSTONE_F32" : "TOUCHSTONE_BF16";

  std::string text = fmt::format(
      "// {}, {}: {}. Build with -I lab/include and -ldl; the first argument is the library.\n"
      "#include <dlfcn.h>\n\n#include <cmath>\n#include <cstdio>\n#include <cstdlib>\n"
      "#include <cstring>\n\n#include \"touchstone.h\"\n\n",
      op.name, Describe(trial), Word(judgement.outcome));
  text += data;
  text += "int main(int, char** words) {\n";
  text += "  void* library = dlopen(words[1], RTLD_NOW);\n";
  text += fmt::format("  void* found = library ? dlsym(library, \"{}\") : nullptr;\n", name);
  text += "  if (!found) return std::puts(dlerror()), 3;\n";
  text += "  const auto* kernel = static_cast<const touchstone_kernel*>(found);\n";
  text += fmt::format(
      "  touchstone_tensor in[] = {{{}}}, out[] = {{{}}}; touchstone_attribute attributes[] = "
      "{{{}}};\n"
      "  touchstone_call call = {{TOUCHSTONE_ABI, sizeof call, \"{}\", {}, 1, {}, 0, in, out, "
      "attributes, nullptr, 0, nullptr}};\n",
      fmt::join(inputs, ", "), fmt::join(outputs, ", "), fmt::join(attributes, ", "), op.name,
      recipe, fmt::join(counts, ", "));
  text += "  if (kernel->workspace) call.workspace_bytes = kernel->workspace(&call);\n";
  text += "  call.workspace = std::aligned_alloc(256, (call.workspace_bytes / 256 + 1) * 256);\n";
  text += "  const int code = kernel->run(&call);\n";
  return text + Ending(trial, judgement, exact, failing);
}

}  // namespace touchstone::fuzz
