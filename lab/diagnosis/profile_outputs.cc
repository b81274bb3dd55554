#include "lab/diagnosis/profile_outputs.h"

#include <set>

#include "lab/judge.h"

namespace touchstone::lab {
namespace {

double WorkOfOp(const Case& c) {
  double elements = 0.0;
  std::set<char> summed, kept;
  for (const Argument& argument : c.op->arguments) {
    double count = 1.0;
    for (const int64_t extent : ShapeOf(c, argument)) count *= static_cast<double>(extent);
    if (argument.role == Role::kIn) {
      summed.insert(argument.dims.begin(), argument.dims.end());
    } else {
      kept.insert(argument.dims.begin(), argument.dims.end());
      elements += count;
    }
  }
  for (const char letter : summed) {
    const bool is_letter = letter < '0' || '9' < letter;
    if (is_letter && !kept.contains(letter)) elements *= static_cast<double>(c.size(letter));
  }
  return elements;
}

}  // namespace

Tensors ProfileOutputs(const Case& c, const Tensors& inputs, const exact::Profile& profile) {
  const exact::Results<exact::FloatMatrix> results = Evaluate(c, inputs, profile, true);
  Tensors outputs;
  for (const Argument& argument : c.op->arguments) {
    if (argument.role == Role::kIn) continue;
    Tensor tensor(DtypeOf(c, argument), ShapeOf(c, argument));
    if (tensor.dtype == Dtype::kI64) {
      const exact::Choices& choices = results.choices.at(argument.name);
      for (int64_t i = 0; i < tensor.count(); ++i) {
        tensor.values<int64_t>()[i] = choices.at(static_cast<size_t>(i)).at(0);
      }
    } else {
      const exact::FloatMatrix& values = results.reals.at(argument.name);
      TOUCHSTONE_REQUIRE(values.size() == tensor.count());
      for (int64_t i = 0; i < tensor.count(); ++i) tensor.SetReal(i, values.data()[i]);
    }
    outputs.emplace(argument.name, std::move(tensor));
  }
  return outputs;
}

namespace {

// +0 for every zero of the case's real outputs.
Tensors WithoutSignsOfZero(const Case& c, Tensors tensors) {
  for (const Argument& argument : c.op->arguments) {
    if (argument.role == Role::kIn || argument.stored == Stored::kI64) continue;
    Tensor& tensor = tensors.at(argument.name);
    for (int64_t i = 0; i < tensor.count(); ++i) {
      if (tensor.Real(i) == 0.0) tensor.SetReal(i, 0.0f);
    }
  }
  return tensors;
}

}  // namespace

bool SameOutputs(const Case& c, const Tensors& a, const Tensors& b, bool any_zero) {
  if (any_zero) return SameOutputs(c, WithoutSignsOfZero(c, a), WithoutSignsOfZero(c, b));
  for (const Argument& argument : c.op->arguments) {
    if (argument.role == Role::kIn) continue;
    const Comparison bits =
        CompareBits(argument.name, argument.dims, a.at(argument.name), b.at(argument.name));
    if (bits.outside > 0) return false;
  }
  return true;
}

double WorkOf(const Case& c) {
  if (!c.op->is_chain()) return WorkOfOp(c);
  double work = 0.0;
  for (const StepCase& step : StepsOf(c)) work += WorkOfOp(step.c);
  return work;
}

}  // namespace touchstone::lab
