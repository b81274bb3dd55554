#include "lab/chain.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <type_traits>

#include "lab/errors.h"

namespace touchstone::lab {
namespace {

using exact::Enclosure;
using exact::FloatMatrix;
using exact::Integers;
using exact::Operands;
using exact::Place;
using exact::Profile;
using exact::Results;

bool IsOutput(const Argument& argument) { return argument.role != Role::kIn; }
bool IsInput(const Argument& argument) { return argument.role != Role::kOut; }

int64_t Columns(const std::vector<int64_t>& shape) { return shape.empty() ? 1 : shape.back(); }

int64_t RowCount(const std::vector<int64_t>& shape) {
  int64_t rows = 1;
  for (size_t d = 0; d + 1 < shape.size(); ++d) rows *= shape[d];
  return rows;
}

// The same elements, row-major, with another number of columns.
template <typename Array>
Array Reshaped(const Array& x, const std::vector<int64_t>& shape) {
  const int64_t rows = RowCount(shape), cols = Columns(shape);
  if (x.rows() == rows && x.cols() == cols) return x;
  TOUCHSTONE_REQUIRE(x.rows() * x.cols() == rows * cols);
  return Eigen::Map<const Array>(x.data(), rows, cols);
}

Enclosure Reshaped(const Enclosure& x, const std::vector<int64_t>& shape) {
  return {Reshaped(x.value, shape), Reshaped(x.lower, shape), Reshaped(x.upper, shape),
          Reshaped(x.undecidable, shape)};
}

FloatMatrix AsFloats(const Tensor& tensor) {
  FloatMatrix x(RowCount(tensor.shape), Columns(tensor.shape));
  for (int64_t i = 0; i < x.size(); ++i) x.data()[i] = static_cast<float>(tensor.Real(i));
  return x;
}

template <typename Real>
Real FromTensor(const Tensor& tensor) {
  if constexpr (std::is_same_v<Real, Enclosure>) {
    return exact::Exactly(tensor);
  } else {
    return AsFloats(tensor);
  }
}

// The values of a case's tensors, or of a chain's so far.
template <typename Real>
struct Values {
  std::map<std::string, Real> reals;
  std::map<std::string, Integers> integers;
};

// The inputs of a case that `wanted` names, or all.
template <typename Real>
Values<Real> InputsOf(const Case& c, const Tensors& tensors,
                      const std::set<std::string>* wanted = nullptr) {
  Values<Real> values;
  for (const Argument& argument : c.op->arguments) {
    if (!IsInput(argument) || (wanted != nullptr && !wanted->contains(argument.name))) continue;
    const Tensor& tensor = tensors.at(argument.name);
    if (tensor.dtype == Dtype::kI64) {
      const int64_t* first = tensor.values<int64_t>();
      values.integers[argument.name] = Integers(first, first + tensor.count());
    } else {
      values.reals[argument.name] = FromTensor<Real>(tensor);
    }
  }
  return values;
}

// The operands of an op's case; `tensor_of` names the value that each argument is. The reals that
// `taken` names are needed no more.
template <typename Real>
Operands<Real> OperandsOf(const Case& c, Values<Real>* all_values,
                          const std::map<std::string, std::string>* tensor_of,
                          const std::set<std::string>& taken = {}) {
  Values<Real>& values = *all_values;
  const auto read = [](Real x) {
    if constexpr (std::is_same_v<Real, Enclosure>) {
      return exact::MayBeFlushed(std::move(x));
    } else {
      return x;
    }
  };
  Operands<Real> in;
  in.attributes = c.attributes;
  in.sizes = c.sizes;
  in.storage = c.recipe;
  in.output = c.recipe;
  for (const Argument& argument : c.op->arguments) {
    if (!IsInput(argument)) continue;
    const std::string& name = tensor_of ? tensor_of->at(argument.name) : argument.name;
    if (argument.stored == Stored::kI64) {
      in.integers[argument.name] = values.integers.at(name);
    } else {
      Real& real = values.reals.at(name);
      const std::vector<int64_t> shape = ShapeOf(c, argument);
      const bool can_move =
          taken.contains(name) && real.rows() == RowCount(shape) && real.cols() == Columns(shape);
      in.reals[argument.name] = read(can_move ? std::move(real) : Reshaped(real, shape));
    }
  }
  return in;
}

bool IsOutputOf(const Case& chain, const std::string& tensor) {
  return std::any_of(chain.op->arguments.begin(), chain.op->arguments.end(),
                     [&](const Argument& a) { return a.name == tensor && IsOutput(a); });
}

// Tokens for which a choice with rows of tokens has more than one accepted value.
void NoteOpenTokens(const exact::Choices& choices, int64_t per_token, std::set<int64_t>* open) {
  for (size_t i = 0; i < choices.size(); ++i) {
    if (choices[i].size() > 1)
      open->insert(static_cast<int64_t>(i) / std::max<int64_t>(per_token, 1));
  }
}

// The tensors that step `number` of a chain names, and no step before it.
std::set<std::string> FirstReads(const std::vector<StepCase>& steps, size_t number) {
  std::set<std::string> first;
  for (const auto& [argument, name] : steps[number].step->tensors) first.insert(name);
  for (size_t i = 0; i < number; ++i) {
    for (const auto& [argument, name] : steps[i].step->tensors) first.erase(name);
  }
  return first;
}

// The tensors that step `number` of a chain names once, and no later one at all. Weights are large,
// and few of them have to be there at the same time.
std::set<std::string> LastReads(const std::vector<StepCase>& steps, size_t number) {
  std::multiset<std::string> reads;
  std::set<std::string> last;
  for (size_t i = number; i < steps.size(); ++i) {
    for (const auto& [argument, name] : steps[i].step->tensors) {
      reads.insert(name);
      if (i == number) last.insert(name);
    }
  }
  std::erase_if(last, [&](const std::string& name) { return reads.count(name) > 1; });
  return last;
}

}  // namespace

std::vector<int64_t> ShapeOf(const Case& c, const Argument& argument) {
  std::vector<int64_t> shape;
  for (const char letter : argument.dims) {
    shape.push_back('0' <= letter && letter <= '9' ? letter - '0' : c.size(letter));
  }
  return shape;
}

Dtype DtypeOf(const Case& c, const Argument& argument) {
  if (argument.stored == Stored::kRecipe) return c.recipe;
  return argument.stored == Stored::kF32 ? Dtype::kF32 : Dtype::kI64;
}

int64_t ElementsOf(const Case& c) {
  int64_t elements = 0;
  for (const Argument& argument : c.op->arguments) {
    int64_t count = 1;
    for (const int64_t extent : ShapeOf(c, argument)) count *= extent;
    elements += count;
  }
  return elements;
}

std::vector<StepCase> StepsOf(const Case& chain) {
  std::vector<StepCase> all;
  for (const Step& step : chain.op->steps) {
    const OpSpec* op = FindOp(step.op);
    if (op == nullptr || op->is_chain()) {
      throw UsageError(fmt::format("chain {}: '{}' is no op", chain.op->name, step.op));
    }
    StepCase next{&step, Case{op, chain.recipe, chain.input_class, {}, op->attributes, chain.seed}};
    const auto letter_of = [&](char letter) {
      const auto renamed = step.letters.find(letter);
      return renamed == step.letters.end() ? letter : renamed->second;
    };
    for (const Argument& argument : op->arguments) {
      if (!step.tensors.contains(argument.name)) {
        throw UsageError(fmt::format("chain {}, step {}: no tensor is its argument {}",
                                     chain.op->name, step.op, argument.name));
      }
      for (const char letter : argument.dims) {
        if (letter < '0' || '9' < letter) next.c.sizes[letter] = chain.size(letter_of(letter));
      }
    }
    for (const auto& [letter, size] : op->sizes) {
      if (!next.c.sizes.contains(letter)) next.c.sizes[letter] = chain.size(letter_of(letter));
    }
    for (auto& [name, value] : next.c.attributes) {
      if (const auto fixed = step.attributes.find(name); fixed != step.attributes.end()) {
        value = fixed->second;
      } else if (const auto same = chain.attributes.find(name); same != chain.attributes.end()) {
        value = same->second;
      }
    }
    all.push_back(std::move(next));
  }
  return all;
}

void Run(const Case& c, const Implementation& implementation, Tensors* tensors, int threads) {
  if (!c.op->is_chain() || !implementation.functions.empty()) {
    c.op->run(c, implementation, tensors, threads);
    return;
  }
  for (const StepCase& next : StepsOf(c)) {
    Tensors mine;
    for (const Argument& argument : next.c.op->arguments) {
      const std::string& name = next.step->tensors.at(argument.name);
      Tensor tensor(DtypeOf(next.c, argument), ShapeOf(next.c, argument));
      if (const auto found = tensors->find(name); found != tensors->end()) {
        TOUCHSTONE_REQUIRE(found->second.data.size() == tensor.data.size());
        tensor.data = found->second.data;
      }
      mine.emplace(argument.name, std::move(tensor));
    }
    Run(next.c, next.c.op->implementations.front(), &mine, threads);
    for (const Argument& argument : next.c.op->arguments) {
      if (!IsOutput(argument)) continue;
      const auto [place, born] = tensors->try_emplace(next.step->tensors.at(argument.name));
      Tensor& result = mine.at(argument.name);
      if (!born) result.shape = place->second.shape;
      place->second = std::move(result);
    }
  }
}

void Run(const Case& c, Tensors* tensors, int threads) {
  Run(c, c.op->implementations.front(), tensors, threads);
}

Places AllPlaces(const OpSpec& op, Place place) {
  Places places;
  for (const exact::RoundingPlace where : op.places) places[where] = place;
  for (const Step& step : op.steps) {
    for (const auto& [output, where] : step.places) places[where] = place;
    for (const auto& [where, inner] : AllPlaces(*FindOp(step.op), place)) places[where] = inner;
  }
  return places;
}

Expected Enclose(const Case& c, const Tensors& tensors, const Places& places,
                 const exact::Allowance& allowance) {
  const exact::Allowing allowing(allowance);
  Expected expected;
  Values<Enclosure> values;
  if (!c.op->is_chain()) {
    values = InputsOf<Enclosure>(c, tensors);
    Operands<Enclosure> in = OperandsOf(c, &values, nullptr);
    in.places = places;
    exact::FindSecondReference(c.op->name).enclose(in, &expected.results);
    for (auto& [name, y] : expected.results.reals) y = exact::MayBeFlushed(std::move(y));
    return expected;
  }
  const std::vector<StepCase> steps = StepsOf(c);
  for (size_t i = 0; i < steps.size(); ++i) {
    const StepCase& next = steps[i];
    const std::set<std::string> read_now = FirstReads(steps, i);
    Values<Enclosure> inputs = InputsOf<Enclosure>(c, tensors, &read_now);
    values.reals.merge(inputs.reals);
    values.integers.merge(inputs.integers);
    Operands<Enclosure> in = OperandsOf(next.c, &values, &next.step->tensors, LastReads(steps, i));
    in.places = places;
    Results<Enclosure> out;
    exact::FindSecondReference(next.c.op->name).enclose(in, &out);
    for (const Argument& argument : next.c.op->arguments) {
      if (!IsOutput(argument)) continue;
      const std::string& name = next.step->tensors.at(argument.name);
      if (argument.stored == Stored::kI64) {
        const exact::Choices& choices = out.choices.at(argument.name);
        if (argument.dims.starts_with('T')) {
          NoteOpenTokens(choices, Columns(ShapeOf(next.c, argument)), &expected.open_tokens);
        }
        Integers first;
        for (const auto& accepted : choices) first.push_back(accepted.at(0));
        values.integers[name] = std::move(first);
        expected.results.choices[name] = choices;
        continue;
      }
      Enclosure& real = out.reals.at(argument.name);
      real = exact::MayBeFlushed(std::move(real));
      expected.results.reals[name] = real;
      // What the next step reads: stored in binary32 at least, and rounded where there is a place.
      const Dtype stored = DtypeOf(next.c, argument);
      if (stored == Dtype::kF32) real = exact::Rounded(real);
      const auto where = next.step->places.find(argument.name);
      const auto place =
          where == next.step->places.end() ? places.end() : places.find(where->second);
      Enclosure& value = values.reals[name];
      value = exact::AtPlace(real, stored, place == places.end() ? Place::kOn : place->second);
      value.undecidable = value.undecidable || exact::MayOverflow(value);
    }
  }
  return expected;
}

exact::Results<FloatMatrix> Evaluate(const Case& c, const Tensors& tensors, const Profile& profile,
                                     bool round_output) {
  Results<FloatMatrix> results;
  Values<FloatMatrix> values = InputsOf<FloatMatrix>(c, tensors);
  if (!c.op->is_chain()) {
    Operands<FloatMatrix> in = OperandsOf(c, &values, nullptr);
    if (!round_output) in.output = Dtype::kF32;
    exact::Evaluate(c.op->name, profile, std::move(in), &results);
    return results;
  }
  for (const StepCase& next : StepsOf(c)) {
    Operands<FloatMatrix> in = OperandsOf(next.c, &values, &next.step->tensors);
    // A step's outputs are rounded together: never where a place of theirs is left out.
    bool rounds = true;
    for (const Argument& argument : next.c.op->arguments) {
      const auto where = next.step->places.find(argument.name);
      if (where != next.step->places.end()) {
        rounds = rounds && !profile.left_out.contains(where->second);
      } else if (IsOutput(argument) && IsOutputOf(c, next.step->tensors.at(argument.name))) {
        rounds = rounds && round_output;
      }
    }
    in.output = rounds ? next.c.recipe : Dtype::kF32;
    Results<FloatMatrix> out;
    exact::Evaluate(next.c.op->name, profile, std::move(in), &out);
    for (const Argument& argument : next.c.op->arguments) {
      if (!IsOutput(argument)) continue;
      const std::string& name = next.step->tensors.at(argument.name);
      if (argument.stored == Stored::kI64) {
        Integers first;
        for (const auto& accepted : out.choices.at(argument.name)) first.push_back(accepted.at(0));
        values.integers[name] = std::move(first);
        results.choices[name] = out.choices.at(argument.name);
      } else {
        FloatMatrix& real = out.reals.at(argument.name);
        values.reals[name] = real;
        // A kernel that goes on with the unrounded value still stores the rounded one.
        if (!rounds && round_output) {
          const Dtype stored = DtypeOf(next.c, argument);
          real = real.unaryExpr([&](float x) { return profile.Output(x, stored); });
        }
        results.reals[name] = std::move(real);
      }
    }
  }
  return results;
}

}  // namespace touchstone::lab
