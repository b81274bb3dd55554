// The starter in C: what unpacks a call and, for a chain, what calls the steps.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "lab/files/starter.h"
#include "lab/kernel/call_attributes.h"
#include "lab/repository.h"
#include "lab/spec.h"

namespace touchstone::lab {
namespace {

// The functions that a starter may need. Each is written only where one after it, or the starter
// itself, calls it.
struct Piece {
  const char* name;
  const char* text;
};
constexpr Piece kPieces[] = {
    {"widen", R"(
// A bf16 is the upper half of a binary32.
static float widen(uint16_t x) {
  const uint32_t bits = (uint32_t)x << 16;
  float value;
  memcpy(&value, &bits, sizeof(value));
  return value;
}
)"},
    {"narrow", R"(
// To the nearest bf16, ties to even; subnormals stay, every NaN becomes 0x7fc0.
static uint16_t narrow(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof(bits));
  if (isnan(x)) return 0x7fc0;
  return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
)"},
    {"rn", R"(
// RN of the contract: one rounding to the recipe's storage; none in recipe f32.
static float rn(int bf16, float x) { return bf16 ? widen(narrow(x)) : x; }
)"},
    {"take", R"(
typedef struct {
  void* blocks[64];
  int count;
} memory;

static void* take(memory* held, int64_t elements, size_t bytes) {
  void* block = held->count < 64 ? malloc((size_t)elements * bytes + 1) : NULL;
  if (block == NULL) abort();
  held->blocks[held->count++] = block;
  return block;
}

static void release(memory* held) {
  while (held->count > 0) free(held->blocks[--held->count]);
}
)"},
    {"elements", R"(
static int64_t elements(const touchstone_tensor* tensor) {
  int64_t product = 1;
  for (int32_t i = 0; i < tensor->ndim; ++i) product *= tensor->shape[i];
  return product;
}
)"},
    {"load", R"(
// The elements as floats, which is exact.
static float* load(memory* held, const touchstone_tensor* tensor) {
  const int64_t count = elements(tensor);
  float* values = (float*)take(held, count, sizeof(float));
  for (int64_t i = 0; i < count; ++i) {
    values[i] = tensor->dtype.code == TOUCHSTONE_BFLOAT ? widen(((const uint16_t*)tensor->data)[i])
                                                        : ((const float*)tensor->data)[i];
  }
  return values;
}
)"},
    {"store", R"(
static void store(const touchstone_tensor* tensor, const float* values) {
  const int64_t count = elements(tensor);
  for (int64_t i = 0; i < count; ++i) {
    if (tensor->dtype.code == TOUCHSTONE_BFLOAT) {
      ((uint16_t*)tensor->data)[i] = narrow(values[i]);
    } else {
      ((float*)tensor->data)[i] = values[i];
    }
  }
}
)"},
    {"attribute", R"(
static double attribute(const touchstone_call* call, const char* name) {
  for (int32_t i = 0; i < call->attributes_count; ++i) {
    if (strcmp(call->attributes[i].name, name) == 0) return call->attributes[i].value;
  }
  abort();
}
)"},
};

bool Calls(const std::string& text, const std::string& name) {
  for (size_t at = text.find(name + "("); at != std::string::npos;
       at = text.find(name + "(", at + 1)) {
    const char before = at == 0 ? ' ' : text[at - 1];
    if (std::isalnum(static_cast<unsigned char>(before)) == 0 && before != '_') return true;
  }
  return false;
}

std::string PiecesFor(const std::string& code) {
  std::string all = code;
  for (size_t i = std::size(kPieces); i-- > 0;) {
    if (Calls(all, kPieces[i].name)) all = kPieces[i].text + all;
  }
  return all.substr(0, all.size() - code.size());
}

// Letters of a chain that are no extent of its arguments follow from others.
const std::map<char, std::string>& DerivedLetters() {
  static const std::map<char, std::string> derived = {{'H', "Q / D"}, {'J', "D / 2"},
                                                      {'O', "E + 1"}, {'Q', "H * D"},
                                                      {'R', "T * A"}, {'W', "G * D"}};
  return derived;
}

// Declarations of sizes: of the letters in `wanted`, and of those that they follow from.
class SizeDeclarations {
 public:
  explicit SizeDeclarations(const OpSpec& op) : op_(op) {}

  void Declare(char letter) {
    if (done_.find(letter) != std::string::npos) return;
    done_ += letter;
    std::string value = FromShape(letter);
    if (value.empty() && LettersWithoutShape(op_).find(letter) != std::string::npos &&
        !DerivedLetters().contains(letter)) {
      value = fmt::format("(int64_t)attribute(call, \"{}\")", letter);
    }
    if (value.empty()) {
      value = DerivedLetters().at(letter);
      for (const char other : value) {
        if ('A' <= other && other <= 'Z') Declare(other);
      }
    }
    text_ += fmt::format("  const int64_t {} = {};\n", letter, value);
  }
  const std::string& text() const { return text_; }

 private:
  std::string FromShape(char letter) const {
    for (const Argument& argument : op_.arguments) {
      const size_t axis = argument.dims.find(letter);
      if (axis == std::string::npos) continue;
      return fmt::format("{}.shape[{}]", PlaceInCall(op_, argument), axis);
    }
    return "";
  }

  const OpSpec& op_;
  std::string done_, text_;
};

std::string AttributeText(const std::string& name) {
  return fmt::format("attribute(call, \"{}\")", name);
}

// op_<op>(bf16, letters, inputs, attributes, outputs)
std::vector<std::string> ArgumentsOf(const OpSpec& op, const std::map<char, char>& letters,
                                     const std::map<std::string, std::string>& tensors,
                                     const std::map<std::string, std::string>& attributes) {
  std::vector<std::string> words = {"bf16"};
  for (const char letter : ShapeLetters(op)) {
    const auto renamed = letters.find(letter);
    words.emplace_back(1, renamed == letters.end() ? letter : renamed->second);
  }
  const auto name_of = [&](const Argument& argument) {
    const auto renamed = tensors.find(argument.name);
    return renamed == tensors.end() ? argument.name : renamed->second;
  };
  for (const Argument& argument : op.arguments) {
    if (argument.role == Role::kIn) words.push_back(name_of(argument));
  }
  for (const auto& [name, value] : op.attributes) words.push_back(attributes.at(name));
  for (const Argument& argument : op.arguments) {
    if (argument.role != Role::kIn) words.push_back(name_of(argument));
  }
  return words;
}

// The chain's tensors that are none of its arguments.
std::string DeclareBetween(const OpSpec& chain, const Step& step, const OpSpec& op) {
  std::string text;
  for (const Argument& argument : op.arguments) {
    if (argument.role == Role::kIn) continue;
    const std::string& name = step.tensors.at(argument.name);
    if (std::any_of(chain.arguments.begin(), chain.arguments.end(),
                    [&](const Argument& own) { return own.name == name; })) {
      continue;
    }
    std::string extents;
    for (const char letter : argument.dims) {
      const auto renamed = step.letters.find(letter);
      extents += fmt::format("{}{}", extents.empty() ? "" : " * ",
                             renamed == step.letters.end() ? letter : renamed->second);
    }
    const char* type = argument.stored == Stored::kI64 ? "int64_t" : "float";
    text += fmt::format("  {0}* {1} = ({0}*)take(&held, {2}, sizeof({0}));\n", type, name, extents);
  }
  return text;
}

std::string StepCalls(const OpSpec& chain, SizeDeclarations* sizes) {
  std::string text;
  for (const Step& step : chain.steps) {
    const OpSpec& op = *FindOp(step.op);
    for (const char letter : ShapeLetters(op)) {
      const auto renamed = step.letters.find(letter);
      sizes->Declare(renamed == step.letters.end() ? letter : renamed->second);
    }
    std::map<std::string, std::string> attributes;
    for (const auto& [name, value] : op.attributes) {
      const auto fixed = step.attributes.find(name);
      attributes[name] = fixed != step.attributes.end()    ? fmt::format("{}", fixed->second)
                         : chain.attributes.contains(name) ? AttributeText(name)
                                                           : fmt::format("{}", value);
    }
    text += DeclareBetween(chain, step, op);
    text +=
        CallText("  ", "op_" + op.name, ArgumentsOf(op, step.letters, step.tensors, attributes));
  }
  return text;
}

std::string OneCall(const OpSpec& op, SizeDeclarations* sizes) {
  for (const char letter : ShapeLetters(op)) sizes->Declare(letter);
  std::map<std::string, std::string> attributes;
  for (const auto& [name, value] : op.attributes) attributes[name] = AttributeText(name);
  return CallText("  ", "op_" + op.name, ArgumentsOf(op, {}, {}, attributes));
}

std::string DeclareArgument(const OpSpec& op, const Argument& argument) {
  const std::string place = PlaceInCall(op, argument);
  const bool is_input = argument.role == Role::kIn;
  if (argument.stored == Stored::kI64) {
    const std::string type = is_input ? "const int64_t*" : "int64_t*";
    return fmt::format("  {0} {1} = ({0}){2}.data;\n", type, argument.name, place);
  }
  if (argument.role == Role::kOut) {
    return fmt::format("  float* {} = (float*)take(&held, elements(&{}), sizeof(float));\n",
                       argument.name, place);
  }
  return fmt::format("  {}float* {} = load(&held, &{});\n", is_input ? "const " : "", argument.name,
                     place);
}

std::string RunFunction(const OpSpec& op) {
  SizeDeclarations sizes(op);
  const std::string calls = op.is_chain() ? StepCalls(op, &sizes) : OneCall(op, &sizes);
  std::string text = fmt::format(
      "\nstatic int run(const touchstone_call* call) {{\n"
      "  const int bf16 = call->recipe == TOUCHSTONE_BF16;\n"
      "{}"
      "  memory held = {{{{0}}, 0}};\n",
      sizes.text());
  for (const Argument& argument : op.arguments) text += DeclareArgument(op, argument);
  text += "\n" + calls + "\n";
  for (const Argument& argument : op.arguments) {
    if (argument.role == Role::kIn || argument.stored == Stored::kI64) continue;
    text += fmt::format("  store(&{}, {});\n", PlaceInCall(op, argument), argument.name);
  }
  return text + "  release(&held);\n  return 0;\n}\n";
}

}  // namespace

std::string StarterInC(const OpSpec& op, const std::string& file) {
  const std::string stem = file.substr(0, file.rfind('.'));
  const std::string include = RepositoryIncludeFlag();
  std::string functions;
  std::vector<std::string> seen;
  std::vector<std::string> words = {op.name};
  if (op.is_chain()) {
    words.clear();
    for (const Step& step : op.steps) words.push_back(step.op);
  }
  for (const std::string& word : words) {
    if (std::find(seen.begin(), seen.end(), word) != seen.end()) continue;
    seen.push_back(word);
    functions += "\n" + StarterPart(word + ".c");
  }
  const std::string run = RunFunction(op);
  const std::string kernel = fmt::format(
      "\nTOUCHSTONE_KERNEL({0}) = {{\n"
      "    TOUCHSTONE_ABI, sizeof(touchstone_kernel), \"{0}\", \"{0}\",\n"
      "    {1}, TOUCHSTONE_CPU, 0, 0, run}};\n",
      op.name, RecipeFlags(op));
  const std::vector<std::string> commands = {
      fmt::format("gcc -std=c99 -O2 -shared -fPIC {} {} -o {}.so -lm", include, file, stem),
      fmt::format("{}/touchstone verify {} --kernel ./{}.so", RepositoryRoot(), op.name, stem)};
  return StarterComment(op, commands, true) +
         "#include <math.h>\n#include <stdint.h>\n#include <stdlib.h>\n#include <string.h>\n\n"
         "#include \"touchstone.h\"\n" +
         PiecesFor(functions + run) + functions + run + kernel;
}

}  // namespace touchstone::lab
