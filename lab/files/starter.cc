#include "lab/files/starter.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

#include "lab/kernel/call_attributes.h"
#include "lab/kernel/kernel.h"
#include "lab/repository.h"
#include "lab/shown_text.h"
#include "reference/formats/contract_version.h"

namespace touchstone::lab {
namespace {

constexpr size_t kColumns = 100;

// The comment with which a header of the reference begins.
std::string ContractOf(const std::string& op) {
  const std::string path = fmt::format("{0}/reference/ops/{1}/{1}.h", RepositoryRoot(), op);
  std::ifstream file(path);
  std::string text, line;
  while (std::getline(file, line) && line.starts_with("//")) text += line + "\n";
  if (text.empty()) throw KernelUnavailable(fmt::format("{}: no contract to be read", path));
  return text;
}

std::string ShapeText(const Argument& argument) {
  std::string letters;
  for (const char letter : argument.dims) {
    letters += fmt::format("{}{}", letters.empty() ? "" : ", ", letter);
  }
  return "(" + letters + ")";
}

std::string StoredText(const Argument& argument) {
  if (argument.stored == Stored::kRecipe) return "storage";
  return argument.stored == Stored::kF32 ? "f32" : "i64";
}

std::string StepsText(const OpSpec& op) {
  std::string text = "// Step by step (the tensors of the chain that each step's arguments are):\n";
  for (const Step& step : op.steps) {
    std::string line = fmt::format("//   {}", step.op);
    for (const auto& [argument, tensor] : step.tensors) {
      line += fmt::format("  {}={}", argument, tensor);
    }
    text += line + "\n";
  }
  return text;
}

std::string PlacesText(const OpSpec& op) {
  if (op.places.empty()) return "";
  std::string names;
  for (const exact::RoundingPlace place : op.places) {
    names += fmt::format("{}{}", names.empty() ? "" : ", ", exact::Name(place));
  }
  return fmt::format("// Rounding places inside, in recipe bf16: {}\n", names);
}

}  // namespace

std::string RepositoryIncludeFlag() { return "-I" + RepositoryRoot() + "/lab/include"; }

std::string PluginBuild(const std::string& file) {
  return fmt::format(
      "nvcc -O2 -std=c++20 -arch=native --expt-relaxed-constexpr -shared -Xcompiler "
      "-fPIC -I{} {} {} -o {}",
      RepositoryRoot(), RepositoryIncludeFlag(), ShellWord(file), PluginLibrary(file));
}

std::string PluginLibrary(const std::string& file) {
  return ShellWord(std::filesystem::path(file).stem().string() + ".so");
}

std::string StarterPart(const std::string& name) {
  std::ifstream file(RepositoryRoot() + "/lab/starter/" + name);
  std::stringstream text;
  text << file.rdbuf();
  if (!file.good() || text.str().empty()) {
    throw KernelUnavailable(fmt::format("no starter {} in {}/lab/starter", name, RepositoryRoot()));
  }
  return text.str();
}

std::string ShapeLetters(const OpSpec& op) {
  std::string letters;
  for (const Argument& argument : op.arguments) {
    for (const char letter : argument.dims) {
      const bool digit = '0' <= letter && letter <= '9';
      if (!digit && letters.find(letter) == std::string::npos) letters += letter;
    }
  }
  return letters;
}

std::string RecipeFlags(const OpSpec& op) {
  std::string flags;
  for (const Dtype recipe : op.recipes) {
    flags += fmt::format("{}TOUCHSTONE_{}", flags.empty() ? "" : " | ",
                         recipe == Dtype::kBf16 ? "BF16" : "F32");
  }
  return flags;
}

std::string CallText(const std::string& indentation, const std::string& function,
                     const std::vector<std::string>& arguments) {
  std::string text, line = indentation + function + "(";
  const std::string next(line.size(), ' ');
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string word = arguments[i] + (i + 1 < arguments.size() ? "," : ");");
    const bool fresh = line.back() == '(' || line == next;
    if (!fresh && line.size() + 1 + word.size() > kColumns) {
      text += line + "\n";
      line = next;
    }
    line += (line.back() == '(' || line == next ? "" : " ") + word;
  }
  return text + line + "\n";
}

std::string PlaceInCall(const OpSpec& op, const Argument& argument) {
  size_t inputs = 0, outputs = 0;
  for (const Argument& other : op.arguments) {
    const bool is_input = other.role == Role::kIn;
    if (other.name == argument.name) {
      return is_input ? fmt::format("call->inputs[{}]", inputs)
                      : fmt::format("call->outputs[{}]", outputs);
    }
    ++(is_input ? inputs : outputs);
  }
  throw std::logic_error(op.name + " has no argument " + argument.name);
}

std::string StarterComment(const OpSpec& op, const std::vector<std::string>& commands,
                           bool unpacks) {
  const std::string root = RepositoryRoot();
  std::string text = fmt::format(
      "// A kernel for Touchstone's {} {}: {}.\n"
      "// It passes as it stands; make it yours.\n"
      "//\n",
      op.is_chain() ? "chain" : "op", op.name, op.title);
  for (const std::string& command : commands) text += fmt::format("//   {}\n", command);
  text += "//\n";
  text += fmt::format(
      "// What it computes:\n//   {}\n//\n// What a call brings (storage is what the recipe "
      "says: f32 or bf16):\n",
      op.formula);
  for (const Argument& argument : op.arguments) {
    text += fmt::format("//   {:<18} {:<15} {:<10} {}{}\n",
                        unpacks ? PlaceInCall(op, argument) : "tensor", argument.name,
                        ShapeText(argument), StoredText(argument),
                        argument.role == Role::kInOut ? ", in and out" : "");
  }
  for (const auto& [name, value] : op.attributes) {
    text += fmt::format("//   {:<18} {:<15} {} by default\n", "attribute", name, value);
  }
  for (const char letter : LettersWithoutShape(op)) {
    text += fmt::format("//   {:<18} {:<15} a size that no shape shows\n", "attribute", letter);
  }
  text += "//\n" + PlacesText(op) + (op.places.empty() ? "" : "//\n");
  if (!op.is_chain()) {
    return text + fmt::format("// The contract, version {}:\n//\n{}", kContractVersion,
                              ContractOf(op.name));
  }
  text += StepsText(op);
  text += fmt::format(
      "// A chain adds no formula to those of its steps. Their contracts, version {}, are the "
      "first\n"
      "// lines of\n",
      kContractVersion);
  std::string seen;
  for (const Step& step : op.steps) {
    const std::string line = fmt::format("//   {0}/reference/ops/{1}/{1}.h\n", root, step.op);
    if (seen.find(line) == std::string::npos) seen += line;
  }
  return text + seen;
}

}  // namespace touchstone::lab
