// The starters in CUDA C++: the kernel of lab/starter/<op>.cu with the line that names its launch,
// or with what unpacks a call.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <string>
#include <vector>

#include "lab/files/cuda_source.h"
#include "lab/files/starter.h"
#include "lab/kernel/kernel.h"
#include "lab/repository.h"
#include "lab/spec.h"

namespace touchstone::lab {
namespace {

constexpr size_t kColumns = 100;

constexpr char kUsing[] = R"(
using namespace touchstone;

constexpr int kThreads = 256;  // of a block

)";

// The chains of more launches than one.
std::string KernelOf(const OpSpec& op) {
  const std::string name = op.name + ".cu";
  if (std::filesystem::exists(RepositoryRoot() + "/lab/starter/" + name)) return StarterPart(name);
  if (!op.is_chain()) return StarterPart(name);  // which says that it is not there
  std::vector<std::string> steps;
  for (const Step& step : op.steps) {
    if (std::find(steps.begin(), steps.end(), step.op) == steps.end()) steps.push_back(step.op);
  }
  throw KernelUnavailable(
      fmt::format("{0} has no starter in CUDA: it is more than one launch, and a source names one; "
                  "begin with one of its steps ({1}), or with the plug-in in C (`new {0}`), whose "
                  "function may launch what it likes",
                  op.name, fmt::join(steps, ", ")));
}

bool HasWord(const std::string& text, const std::string& word) {
  const auto is_part = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
  };
  for (size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) {
    const size_t end = at + word.size();
    if ((at == 0 || !is_part(text[at - 1])) && (end == text.size() || !is_part(text[end]))) {
      return true;
    }
  }
  return false;
}

constexpr char kAttribute[] = R"(
double attribute(const touchstone_call* call, const char* name) {
  for (int32_t i = 0; i < call->attributes_count; ++i) {
    if (std::strcmp(call->attributes[i].name, name) == 0) return call->attributes[i].value;
  }
  std::abort();
}
)";

// What unpacks a call, makes the launch, and exports the kernel.
std::string PluginAround(const OpSpec& op, const CudaLaunch& launch) {
  const std::string used =
      fmt::format("{} {} {}", launch.grid, launch.shared, fmt::join(launch.arguments, " "));
  const bool by_storage = HasWord(launch.kernel, "Storage");
  std::string text = by_storage ? "\ntemplate <typename Storage>\nint run_in" : "\nint run";
  text += "(const touchstone_call* call) {\n";
  for (const CallVariable& one : CallVariables(op, "call", "attribute")) {
    if (!HasWord(used, one.name)) continue;
    const std::string name = ConstantText(one);
    const bool is_long = name.size() + one.value.size() + 6 > kColumns;
    text += fmt::format("  {} ={}{};\n", name, is_long ? "\n      " : " ", one.value);
  }
  text += fmt::format(
      "  const unsigned blocks = static_cast<unsigned>({});\n"
      "  if (blocks == 0) return 0;\n"
      "  simt::CurrentStream() = static_cast<cudaStream_t>(call->stream);\n",
      launch.grid);
  std::vector<std::string> words = {fmt::format(
      "{{.grid = dim3(blocks), .block = dim3({}){}}}", launch.block,
      launch.shared == "0" ? "" : fmt::format(", .dynamic_shared = {}", launch.shared))};
  words.push_back(launch.kernel);
  words.insert(words.end(), launch.arguments.begin(), launch.arguments.end());
  text += CallText("  ", "simt::Launch", words) + "  return 0;\n}\n";
  if (by_storage) {
    text +=
        "\nint run(const touchstone_call* call) {\n"
        "  return call->recipe == TOUCHSTONE_BF16 ? run_in<Bf16>(call) : run_in<float>(call);\n"
        "}\n";
  }
  const bool has_attributes = text.find("attribute(call") != std::string::npos;
  return fmt::format(
      "\nnamespace {{\n{}{}\n}}  // namespace\n\n"
      "TOUCHSTONE_KERNEL({}) = {{\n"
      "    TOUCHSTONE_ABI, sizeof(touchstone_kernel), \"{}\", \"{}\",\n"
      "    {}, TOUCHSTONE_CUDA, nullptr, nullptr, run}};\n",
      has_attributes ? kAttribute : "", text, op.name, op.name, op.name, RecipeFlags(op));
}

}  // namespace

std::string StarterInCuda(const OpSpec& op, const std::string& file, CudaStarter kind) {
  const std::string kernel = KernelOf(op);
  const std::string verify =
      fmt::format("{}/touchstone verify {} --kernel ./", RepositoryRoot(), op.name);
  const std::string includes =
      "#include \"kernels/simt/simt.cuh\"\n#include \"reference/formats/bf16.h\"\n";
  if (kind == CudaStarter::kSource) {
    const std::vector<std::string> commands = {verify + file,
                                               verify + file + " --device cuda    (on a GPU)"};
    return StarterComment(op, commands, false) + includes + kUsing + kernel;
  }
  std::string rest = kUsing + kernel;
  const CudaLaunch launch = LaunchIn(rest, file, op);
  rest.erase(launch.begin, launch.end + 1 - launch.begin);
  const std::vector<std::string> commands = {PluginBuild(file), verify + PluginLibrary(file)};
  return StarterComment(op, commands, true) +
         "#include <cstdint>\n#include <cstdlib>\n#include <cstring>\n\n" + includes +
         "#include \"touchstone.h\"\n" + rest + PluginAround(op, launch);
}

}  // namespace touchstone::lab
