#include "lab/spec.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>

#include "all_ops.h"
#include "lab/errors.h"
#include "lab/input_class.h"

namespace touchstone::lab {

#define OP(op, Function) extern const OpSpec kSpec_##op;
#define OP_F32(op, Function) OP(op, Function)
#define CHAIN(op, parts) OP(op, parts)
#include "reference/ops.def"
#undef OP
#undef OP_F32
#undef CHAIN

namespace {

using Functions = std::map<Dtype, void (*)()>;

// Function templates of the recipes' storage, or one function whose tensors are f32 in every
// recipe.
template <typename F32, typename B16>
Functions ByRecipe(F32* f32, B16* bf16) {
  return {{Dtype::kF32, reinterpret_cast<void (*)()>(f32)},
          {Dtype::kBf16, reinterpret_cast<void (*)()>(bf16)}};
}

std::vector<OpSpec> NamedSpecs() {
  std::vector<OpSpec> named;
  const auto add = [&](const OpSpec& spec, const char* word, const Functions& reference) {
    named.push_back(spec);
    named.back().name = word;
    named.back().implementations.push_back({"reference", reference});  // a chain's: its steps
  };
#define OP(op, Function) add(kSpec_##op, #op, ByRecipe(&Function<float>, &Function<Bf16>));
#define OP_F32(op, Function) add(kSpec_##op, #op, ByRecipe(&Function, &Function));
#define CHAIN(op, steps)    \
  add(kSpec_##op, #op, {}); \
  named.back().parts = #steps;
#include "reference/ops.def"
#undef OP
#undef OP_F32
#undef CHAIN
  return named;
}

[[maybe_unused]] void AddOnGpu(std::vector<OpSpec>* named, const char* word, const char* name) {
  for (OpSpec& op : *named) {
    if (op.name == word) op.only_on_gpu.push_back(name);
  }
}

[[maybe_unused]] void AddCandidate(std::vector<OpSpec>* named, const char* word, const char* name,
                                   const Functions& functions) {
  for (OpSpec& op : *named) {
    if (op.name == word) {
      op.implementations.push_back({name, functions});
    }
  }
}

}  // namespace
}  // namespace touchstone::lab

// The promise that each file under optimized/ and kernels/ must keep: its name, and the types of
// the reference's function.
#define CANDIDATE(folder, op, Function, algorithm) \
  namespace touchstone::folder::op {               \
  decltype(Function<float>) algorithm;             \
  decltype(Function<Bf16>) algorithm;              \
  }
#define CANDIDATE_F32(folder, op, Function, algorithm) \
  namespace touchstone::folder::op {                   \
  decltype(Function) algorithm;                        \
  }
#define CANDIDATE_CUBLAS(folder, op, Function, algorithm)
#include "candidates.def"
#undef CANDIDATE
#undef CANDIDATE_F32
#undef CANDIDATE_CUBLAS

namespace touchstone::lab {

const std::vector<const OpSpec*>& AllOps() {
  static const std::vector<const OpSpec*> all = [] {
    static std::vector<OpSpec> named = NamedSpecs();
#define CANDIDATE(folder, op, Function, algorithm)                                      \
  AddCandidate(&named, #op, #folder "/" #algorithm,                                     \
               ByRecipe(static_cast<decltype(Function<float>)*>(folder::op::algorithm), \
                        static_cast<decltype(Function<Bf16>)*>(folder::op::algorithm)));
#define CANDIDATE_F32(folder, op, Function, algorithm) \
  AddCandidate(&named, #op, #folder "/" #algorithm,    \
               ByRecipe(folder::op::algorithm, folder::op::algorithm));
#define CANDIDATE_CUBLAS(folder, op, Function, algorithm) \
  AddOnGpu(&named, #op, #folder "/" #algorithm);
#include "candidates.def"
#undef CANDIDATE
#undef CANDIDATE_F32
#undef CANDIDATE_CUBLAS
    std::vector<const OpSpec*> pointers;
    for (const OpSpec& spec : named) pointers.push_back(&spec);
    return pointers;
  }();
  return all;
}

const OpSpec* FindOp(const std::string& name) {
  for (const OpSpec* op : AllOps()) {
    if (op->name == name) return op;
  }
  return nullptr;
}

const Argument& OpSpec::argument(const std::string& which) const {
  const auto found = std::find_if(arguments.begin(), arguments.end(),
                                  [&](const Argument& a) { return a.name == which; });
  if (found == arguments.end()) throw UsageError(name + " has no argument " + which);
  return *found;
}

std::string Case::Name() const {
  std::string text = fmt::format("{}/{}/", touchstone::Name(recipe), input_class);
  std::string separator;
  for (const auto& [letter, size] : sizes) {
    const bool derived = !op->sizes.contains(letter);
    if (derived) continue;
    text += fmt::format("{}{}{}", separator, letter, size);
    separator = "_";
  }
  for (const auto& [attribute, value] : attributes) {
    if (value == op->attributes.at(attribute)) continue;
    text += fmt::format("{}{}={}", separator, attribute, value);
    separator = "_";
  }
  if (seed != 1) text += fmt::format("{}seed={}", separator, seed);
  return text;
}

std::vector<Case> CasesOf(const OpSpec& op, Suite suite) {
  std::vector<Case> all;
  for (const Dtype recipe : op.recipes) {
    for (const CaseRow& row : op.cases) {
      if (row.suite == Suite::kFull && suite != Suite::kFull) continue;
      Case c{&op, recipe, row.input_class, op.sizes, op.attributes, 1};
      for (const auto& [letter, size] : row.sizes) c.sizes.at(letter) = size;
      for (const auto& [name, value] : row.attributes) c.attributes.at(name) = value;
      c.hashed = row.hashed;
      if (op.derive) op.derive(&c.sizes);
      all.push_back(std::move(c));
    }
  }
  return all;
}

Case CaseFromName(const OpSpec& op, const std::string& name) {
  const auto refuse = [&](const std::string& why) -> UsageError {
    return UsageError(
        fmt::format("{}: cannot read the case '{}': {}; expected RECIPE/CLASS/SIZES, say '{}'",
                    op.name, name, why, CasesOf(op).front().Name()));
  };
  const size_t first = name.find('/');
  const size_t second = first == std::string::npos ? first : name.find('/', first + 1);
  if (second == std::string::npos) throw refuse("it has fewer than three parts");

  Case c{&op, Dtype::kF32, name.substr(first + 1, second - first - 1), op.sizes, op.attributes, 1};
  const std::optional<Dtype> recipe = DtypeFromName(name.substr(0, first));
  if (!recipe || std::count(op.recipes.begin(), op.recipes.end(), *recipe) == 0) {
    throw refuse("the op has no recipe '" + name.substr(0, first) + "'");
  }
  c.recipe = *recipe;
  const bool own_class = std::any_of(op.cases.begin(), op.cases.end(), [&](const CaseRow& row) {
    return row.input_class == c.input_class;
  });
  const auto& general = GeneralClassNames();
  if (!own_class && std::find(general.begin(), general.end(), c.input_class) == general.end()) {
    throw refuse("no input class '" + c.input_class + "'");
  }

  // SIZES: letter and number, or name=number, joined by '_' (a name may hold '_' itself).
  std::string rest = name.substr(second + 1);
  while (!rest.empty()) {
    if (rest[0] == '_') rest.erase(0, 1);
    const size_t equals = rest.find('=');
    const bool letter = std::isupper(static_cast<unsigned char>(rest[0])) != 0;
    const size_t begin = letter ? 1 : equals + 1;
    if (rest.empty() || (!letter && equals == std::string::npos)) throw refuse("bad sizes");
    double value = 0.0;
    const auto [end, error] =
        std::from_chars(rest.data() + begin, rest.data() + rest.size(), value);
    if (error != std::errc()) throw refuse("'" + rest + "' has no number");
    const std::string key = rest.substr(0, letter ? 1 : equals);
    if (letter && c.sizes.contains(key[0])) {
      if (value < 0 || value > 1e9 || value != std::floor(value)) throw refuse("a bad size");
      c.sizes[key[0]] = static_cast<int64_t>(value);
    } else if (!letter && key == "seed") {
      if (value < 0 || value > 0x1p53 || value != std::floor(value)) throw refuse("a bad seed");
      c.seed = static_cast<uint64_t>(value);
    } else if (!letter && c.attributes.contains(key)) {
      c.attributes[key] = value;
    } else {
      throw refuse("the op has no size or attribute '" + key + "'");
    }
    rest.erase(0, static_cast<size_t>(end - rest.data()));
  }
  if (op.derive) op.derive(&c.sizes);
  return c;
}

std::vector<CaseRow> GeneralClasses(const Sizes& sizes) {
  std::vector<CaseRow> rows;
  for (const std::string& name : GeneralClassNames()) rows.push_back({name, sizes});
  return rows;
}

std::vector<CaseRow> Rows(std::initializer_list<std::vector<CaseRow>> lists) {
  std::vector<CaseRow> all;
  for (const auto& list : lists) all.insert(all.end(), list.begin(), list.end());
  return all;
}

}  // namespace touchstone::lab
