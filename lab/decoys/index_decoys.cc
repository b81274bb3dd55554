// Wrong integers, choices and attributes.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <utility>

#include "lab/decoys/edits.h"

namespace touchstone::lab {
namespace {

using IntegerEdit = std::function<int64_t(int64_t)>;

// Edited within [least, most], the values at `first` and after, up to `end`.
Tensor Edited(const Tensor& was, const IntegerEdit& edit, int64_t least, int64_t most,
              int64_t first, int64_t end) {
  Tensor tensor = was;
  for (int64_t i = first; i < end; ++i) {
    int64_t& value = tensor.values<int64_t>()[i];
    value = std::clamp(edit(value), least, most);
  }
  return tensor;
}

// An input's integers edited. Where the op refuses them so, they keep the range that they had, and
// where it refuses that too (offsets), the first and the last value.
std::optional<Tensors> WithIntegers(const Case& c, const Tensors& inputs, const std::string& name,
                                    const IntegerEdit& edit) {
  const Tensor& was = inputs.at(name);
  const int64_t n = was.count();
  if (n == 0) return {};
  const int64_t* values = was.values<int64_t>();
  const int64_t least = *std::min_element(values, values + n);
  const int64_t most = *std::max_element(values, values + n);
  for (const Tensor& tensor :
       {Edited(was, edit, 0, std::numeric_limits<int64_t>::max(), 0, n),
        Edited(was, edit, least, most, 0, n), Edited(was, edit, least, most, 1, n - 1)}) {
    Tensors edited = inputs;
    edited.at(name) = tensor;
    if (auto wrong = Rerun(c, std::move(edited))) return wrong;
  }
  return {};
}

struct NamedIntegerEdit {
  const char* name;
  const char* meaning;
  int64_t (*edit)(int64_t);
};

constexpr NamedIntegerEdit kIntegerEdits[] = {
    {"one more", "an index counted from 1, or a mask that lets one more through",
     [](int64_t x) { return x + 1; }},
    {"one less", "an index counted from -1, or a mask that lets one less through",
     [](int64_t x) { return x - 1; }},
    {"in 8 bits", "indices kept in bytes", [](int64_t x) { return x & 0xff; }},
    {"in 16 bits", "indices kept in half words", [](int64_t x) { return x & 0xffff; }},
    {"in bf16", "positions converted to the storage of the activations",
     [](int64_t x) { return static_cast<int64_t>(Widen(NarrowToBf16(static_cast<float>(x)))); }},
    {"all zero", "an index tensor that was not read", [](int64_t) { return int64_t{0}; }},
};

// The real input whose rows an integer output chooses from: one letter more, which no output has.
const Argument* ChosenFrom(const OpSpec& op, const Argument& output) {
  const std::string contracted = ContractedLetters(op);
  for (const Argument& input : op.arguments) {
    if (input.role != Role::kIn || input.stored == Stored::kI64 || input.dims.size() != 2) continue;
    if (input.dims[0] == output.dims[0] && contracted.find(input.dims[1]) != std::string::npos) {
      return &input;
    }
  }
  return nullptr;
}

// What the chosen index held becomes the lowest finite number: the next best is chosen.
std::optional<Tensors> WithoutBest(const Case& c, const Tensors& inputs, const Tensors& right,
                                   const Argument& from, const Argument& output) {
  Tensors edited = inputs;
  Tensor& values = edited.at(from.name);
  const Tensor& chosen = right.at(output.name);
  const int64_t rows = values.shape[0];
  if (rows == 0 || chosen.count() == 0) return {};
  const float lowest = -std::ldexp(1.0f, 120);
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t best = chosen.values<int64_t>()[row * (chosen.count() / rows)];
    values.SetReal(row * values.shape[1] + best, lowest);
  }
  return Rerun(c, std::move(edited));
}

// Of the values that arithmetic cannot tell apart the last in place of the first.
std::optional<Tensors> OtherChoice(const Case& c, const Tensors& inputs, const Tensors& right,
                                   const Argument& output) {
  const Expected expected = Enclose(c, inputs, AllPlaces(*c.op, exact::Place::kOn));
  const exact::Choices& choices = expected.results.choices.at(output.name);
  std::optional<Tensors> wrong = OutputsAmong(c, right);
  Tensor& chosen = wrong->at(output.name);
  const int64_t of_one = output.dims.ends_with('A') ? chosen.shape.back() : 1;
  std::set<int64_t> taken;
  for (int64_t i = 0; i < chosen.count(); ++i) {
    if (i % of_one == 0) taken.clear();
    std::vector<int64_t> accepted = choices.at(static_cast<size_t>(i));
    std::sort(accepted.rbegin(), accepted.rend());
    const auto free = std::find_if(accepted.begin(), accepted.end(),
                                   [&](int64_t value) { return !taken.contains(value); });
    if (free != accepted.end()) chosen.values<int64_t>()[i] = *free;
    taken.insert(chosen.values<int64_t>()[i]);
  }
  return wrong;
}

void AddChoices(const OpSpec& op, const Argument& output, std::vector<Decoy>* decoys) {
  const Argument* from = ChosenFrom(op, output);
  if (from == nullptr || op.is_chain()) return;
  decoys->push_back({fmt::format("second best of {}", output.name),
                     "a choice that passes over the best",
                     [from, &output](const Case& c, const Tensors& in, const Tensors& right) {
                       return WithoutBest(c, in, right, *from, output);
                     }});
  decoys->push_back({fmt::format("last of equals in {}", output.name),
                     "a comparison with >= in place of >",
                     [&output](const Case& c, const Tensors& in, const Tensors& right) {
                       return OtherChoice(c, in, right, output);
                     }});
}

struct AttributeEdit {
  std::string name;
  double (*edit)(double);
};

void AddAttribute(const std::string& attribute, double value, std::vector<Decoy>* decoys) {
  std::vector<AttributeEdit> edits = {
      {"zero", [](double) { return 0.0; }},
      {"doubled", [](double x) { return 2.0 * x; }},
      {"one", [](double) { return 1.0; }},
  };
  if (value == std::floor(value)) {
    edits.push_back({"one more", [](double x) { return x + 1.0; }});
    edits.push_back({"one less", [](double x) { return std::max(x - 1.0, 0.0); }});
  }
  if (0.0 < value && value < 1e-3) {
    edits.push_back({"a tenth", [](double x) { return x / 10.0; }});
    edits.push_back({"ten times as large", [](double x) { return x * 10.0; }});
  }
  for (const AttributeEdit& edit : edits) {
    decoys->push_back({fmt::format("{} {}", attribute, edit.name),
                       "a constant that was not read, or another model's",
                       [attribute, change = edit.edit](const Case& c, const Tensors& inputs,
                                                       const Tensors&) -> std::optional<Tensors> {
                         Case other = c;
                         double& now = other.attributes.at(attribute);
                         const double was = std::exchange(now, change(now));
                         if (now == was) return {};
                         return Rerun(other, inputs);
                       }});
  }
}

}  // namespace

void AddIndexEdits(const OpSpec& op, std::vector<Decoy>* decoys) {
  for (const Argument& argument : op.arguments) {
    if (argument.stored != Stored::kI64) continue;
    if (argument.role != Role::kIn) {
      AddChoices(op, argument, decoys);
      continue;
    }
    for (const NamedIntegerEdit& edit : kIntegerEdits) {
      decoys->push_back({fmt::format("{} {}", argument.name, edit.name), edit.meaning,
                         [name = argument.name, change = edit.edit](
                             const Case& c, const Tensors& inputs, const Tensors&) {
                           return WithIntegers(c, inputs, name, change);
                         }});
    }
  }
}

void AddAttributeEdits(const OpSpec& op, std::vector<Decoy>* decoys) {
  for (const auto& [attribute, value] : op.attributes) AddAttribute(attribute, value, decoys);
}

}  // namespace touchstone::lab
