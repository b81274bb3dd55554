#include "lab/kernel/plugin_loading.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <filesystem>

#include "lab/include/touchstone.h"
#include "lab/kernel/plugin_file.h"
#include "lab/kernel/processor_flags.h"
#include "lab/shown_text.h"

namespace touchstone::lab {
namespace {

constexpr size_t kMostNamed = 8;  // symbols

bool IsIdentifier(const std::string& text) {
  const auto is_letter = [](char c) {
    return std::isalpha(static_cast<unsigned char>(c)) || c == '_';
  };
  const auto is_digit = [](char c) { return '0' <= c && c <= '9'; };
  return !text.empty() && is_letter(text[0]) &&
         std::all_of(text.begin(), text.end(), [&](char c) { return is_letter(c) || is_digit(c); });
}

// A field of fixed size that should end in 0, but comes from a stranger's process.
template <size_t kBytes>
std::string Text(const char (&field)[kBytes]) {
  return std::string(field, std::find(field, field + kBytes, '\0'));
}

std::string NoSymbol(const PluginName& name) {
  const std::vector<std::string> there = ExportedKernels(name.library);
  std::vector<std::string> shown;
  for (const std::string& symbol : there) {
    if (shown.size() < kMostNamed) shown.push_back(TerminalText(symbol));
  }
  if (there.size() > kMostNamed) {
    shown.push_back(fmt::format("and {} more", there.size() - kMostNamed));
  }
  return fmt::format("exports no symbol {}; {}", TerminalText(name.symbol),
                     shown.empty() ? "nor any other that begins with touchstone_"
                                   : fmt::format("it has {}", fmt::join(shown, ", ")));
}

std::string OtherVersion(const Loaded& loaded) {
  if (loaded.abi != TOUCHSTONE_ABI) {
    return fmt::format(
        "was built for version {} of the plug-in interface; this program has version {} "
        "(lab/include/touchstone.h)",
        loaded.abi, TOUCHSTONE_ABI);
  }
  return fmt::format("says that a touchstone_kernel has {} bytes; in version {} it has {}",
                     loaded.bytes, TOUCHSTONE_ABI, sizeof(touchstone_kernel));
}

std::vector<Dtype> RecipesOf(uint32_t bits, const OpSpec& op) {
  std::vector<Dtype> recipes;
  for (const Dtype recipe : op.recipes) {
    const uint32_t bit = recipe == Dtype::kF32    ? uint32_t{TOUCHSTONE_F32}
                         : recipe == Dtype::kBf16 ? uint32_t{TOUCHSTONE_BF16}
                                                  : 0u;
    if ((bits & bit) != 0) recipes.push_back(recipe);
  }
  return recipes;
}

// Why nothing can be called; empty where the loading succeeded.
std::string WhyNotLoaded(const Loaded& loaded, const PluginName& name) {
  switch (loaded.loading) {
    case Loading::kDone:
      return {};
    case Loading::kNotLoaded:
      return "cannot be loaded: " + TerminalText(Text(loaded.text));
    case Loading::kNoSymbol:
      return NoSymbol(name);
    case Loading::kNoKernel:
      return fmt::format("{} is no touchstone_kernel, but {}", TerminalText(name.symbol),
                         TerminalText(Text(loaded.text)));
    case Loading::kOtherVersion:
      return OtherVersion(loaded);
    case Loading::kBadText:
      return fmt::format("the `{}` of {} is no text, or too long a one",
                         TerminalText(Text(loaded.text)), TerminalText(name.symbol));
    case Loading::kNoDevice:
      return "computes on a CUDA device: " + TerminalText(Text(loaded.text));
  }
  return "its process speaks another language";
}

std::string WhyNotThisOne(const Loaded& loaded, const OpSpec& op,
                          const std::vector<Dtype>& recipes) {
  if (Text(loaded.op) != op.name) {
    return fmt::format("computes {}, not {}", TerminalText(Text(loaded.op)), op.name);
  }
  if (loaded.has_run == 0) return "has no function: `run` is null";
  if (recipes.empty()) {
    std::vector<std::string_view> known;
    for (const Dtype recipe : op.recipes) known.push_back(Name(recipe));
    return fmt::format("supports none of the recipes of {} ({}): `recipes` is {:#x}", op.name,
                       fmt::join(known, ", "), loaded.recipes);
  }
  if (loaded.device == TOUCHSTONE_CUDA) return {};
  if (loaded.device != TOUCHSTONE_CPU) {
    return fmt::format("computes on device {}, which is none of touchstone.h", loaded.device);
  }
  const std::vector<std::string> missing = MissingFlags(Text(loaded.needs), ProcessorFlags());
  if (missing.empty()) return {};
  std::vector<std::string> shown;
  for (const std::string& flag : missing) shown.push_back(TerminalText(flag));
  return fmt::format("needs what this processor lacks: {}", fmt::join(shown, ", "));
}

}  // namespace

PluginName PluginNameOf(const std::string& library_and_symbol, const OpSpec& op) {
  PluginName name{library_and_symbol, "touchstone_" + op.name};
  const size_t colon = library_and_symbol.rfind(':');
  std::error_code error;
  if (colon != std::string::npos && !std::filesystem::exists(library_and_symbol, error) &&
      IsIdentifier(library_and_symbol.substr(colon + 1))) {
    name = {library_and_symbol.substr(0, colon), library_and_symbol.substr(colon + 1)};
  }
  if (name.library.find('/') == std::string::npos) name.library = "./" + name.library;
  return name;
}

KernelInfo InfoOf(const Loaded& loaded, const PluginName& name, const OpSpec& op) {
  KernelInfo info;
  std::string why = WhyNotLoaded(loaded, name);
  if (why.empty()) {
    info.recipes = RecipesOf(loaded.recipes, op);
    why = WhyNotThisOne(loaded, op, info.recipes);
  }
  if (!why.empty()) throw KernelUnavailable(TerminalText(name.library) + ": " + why);
  info.name = Text(loaded.name);
  info.origin = name.library + ":" + name.symbol;
  info.op = op.name;
  if (loaded.device == TOUCHSTONE_CUDA) info.device = "cuda";
  return info;
}

}  // namespace touchstone::lab
