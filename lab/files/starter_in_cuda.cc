// The starter in CUDA C++: storage types, what unpacks a call, and the kernel of
// lab/starter/<op>.cu.
#include <fmt/format.h>

#include <string>
#include <vector>

#include "lab/files/cuda_source.h"
#include "lab/files/starter.h"
#include "lab/repository.h"
#include "lab/spec.h"

namespace touchstone::lab {
namespace {

constexpr char kStorage[] = R"(
namespace {

constexpr int kThreads = 256;  // of a block

struct Bf16 {
  uint16_t bits;
};

__device__ float widen(float x) { return x; }
__device__ float widen(Bf16 x) {
  return __uint_as_float(static_cast<unsigned>(x.bits) << 16);
}

// One rounding to storage: to nearest, ties to even; subnormals stay, every NaN becomes 0x7fc0.
template <typename Storage>
__device__ Storage narrow(float x);
template <>
__device__ float narrow<float>(float x) {
  return x;
}
template <>
__device__ Bf16 narrow<Bf16>(float x) {
  const unsigned bits = __float_as_uint(x);
  if (x != x) return {0x7fc0};
  return {static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16)};
}

)";

std::string TypeOf(const Argument& argument) {
  return argument.stored == Stored::kRecipe ? "Storage"
         : argument.stored == Stored::kF32  ? "float"
                                            : "int64_t";
}

std::string CallOf(const OpSpec& op) {
  std::vector<std::string> words;
  std::string text = "template <typename Storage>\nint run_in(const touchstone_call* call) {\n";
  for (const char letter : ShapeLetters(op)) {
    for (const Argument& argument : op.arguments) {
      const size_t axis = argument.dims.find(letter);
      if (axis == std::string::npos) continue;
      text += fmt::format("  const int64_t {} = {}.shape[{}];\n", letter, PlaceInCall(op, argument),
                          axis);
      break;
    }
    words.emplace_back(1, letter);
  }
  const auto pass = [&](const Argument& argument) {
    const std::string type = (argument.role == Role::kIn ? "const " : "") + TypeOf(argument) + "*";
    words.push_back(fmt::format("static_cast<{}>({}.data)", type, PlaceInCall(op, argument)));
  };
  for (const Argument& argument : op.arguments) {
    if (argument.role == Role::kIn) pass(argument);
  }
  for (const auto& [name, value] : op.attributes) {
    words.push_back(fmt::format("attribute(call, \"{}\")", name));
  }
  for (const Argument& argument : op.arguments) {
    if (argument.role != Role::kIn) pass(argument);
  }
  words.emplace_back("static_cast<cudaStream_t>(call->stream)");
  text += CallText("  ", fmt::format("op_{}<Storage>", op.name), words);
  return text + "  return cudaGetLastError() == cudaSuccess ? 0 : 2;\n}\n";
}

// The other way to have a CUDA kernel judged.
std::string WithoutGpu(const OpSpec& op) {
  return fmt::format(
      "//\n"
      "// Without a GPU, or without what unpacks a call: a file with a __global__ function and a "
      "line\n"
      "//   {}\n"
      "// is judged as it is, {}/touchstone verify {} --kernel ./mine.cu\n"
      "// (docs/chapters/verify_your_kernel.md).\n",
      ExampleLaunch(op), RepositoryRoot(), op.name);
}

// Written only where they are called.
std::string HostFunctions(const OpSpec& op, const std::string& kernel) {
  std::string text;
  if (kernel.find("blocks_for(") != std::string::npos) {
    text +=
        "// Blocks for that many threads.\n"
        "unsigned blocks_for(int64_t threads) {\n"
        "  return static_cast<unsigned>((threads + kThreads - 1) / kThreads);\n}\n\n";
  }
  if (op.attributes.empty()) return text;
  return text +
         "double attribute(const touchstone_call* call, const char* name) {\n"
         "  for (int32_t i = 0; i < call->attributes_count; ++i) {\n"
         "    if (std::strcmp(call->attributes[i].name, name) == 0) return "
         "call->attributes[i].value;\n"
         "  }\n"
         "  std::abort();\n}\n\n";
}

}  // namespace

std::string StarterInCuda(const OpSpec& op, const std::string& file) {
  const std::string kernel = StarterPart(op.name + ".cu");
  const std::string stem = file.substr(0, file.rfind('.'));
  const std::string build =
      fmt::format("nvcc -O2 -std=c++17 -arch=native -shared -Xcompiler -fPIC {} {} -o {}.so",
                  RepositoryIncludeFlag(), file, stem);
  const std::string includes =
      std::string("#include <cstdint>\n") +
      (op.attributes.empty() ? "" : "#include <cstdlib>\n#include <cstring>\n") +
      "\n#include \"touchstone.h\"\n";
  return StarterComment(op, file, build) + WithoutGpu(op) + includes + kStorage +
         HostFunctions(op, kernel) + kernel + "\n" + CallOf(op) +
         "\nint run(const touchstone_call* call) {\n"
         "  return call->recipe == TOUCHSTONE_BF16 ? run_in<Bf16>(call) : run_in<float>(call);\n"
         "}\n\n}  // namespace\n\n" +
         fmt::format(
             "TOUCHSTONE_KERNEL({0}) = {{\n"
             "    TOUCHSTONE_ABI, sizeof(touchstone_kernel), \"{0}\", \"{0}\",\n"
             "    {1}, TOUCHSTONE_CUDA, nullptr, nullptr, run}};\n",
             op.name, RecipeFlags(op));
}

}  // namespace touchstone::lab
