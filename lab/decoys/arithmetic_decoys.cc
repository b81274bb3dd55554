// Wrong arithmetic: roundings in a wrong place or of a wrong kind, numbers that were changed when
// they were read.
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <utility>

#include "lab/decoys/edits.h"
#include "reference/exact/profile.h"

namespace touchstone::lab {
namespace {

using RealEdit = std::function<float(float x, Dtype dtype)>;

// Every real input read through `edit`.
std::optional<Tensors> WithReals(const Case& c, const Tensors& inputs, const RealEdit& edit) {
  Tensors edited = inputs;
  for (const Argument& argument : c.op->arguments) {
    if (argument.role == Role::kOut || !IsReal(argument)) continue;
    Tensor& tensor = edited.at(argument.name);
    for (int64_t i = 0; i < tensor.count(); ++i) {
      tensor.SetReal(i, edit(static_cast<float>(tensor.Real(i)), tensor.dtype));
    }
  }
  return Rerun(c, std::move(edited));
}

// Asks the exponent's bits, not std::isfinite: with that one g++ 12.2 gives back x for 16 bits.
float WithoutLow(float x, int bits) {
  const uint32_t word = std::bit_cast<uint32_t>(x);
  if ((word & 0x7f800000u) == 0x7f800000u) return x;
  return std::bit_cast<float>(word & ~((uint32_t{1} << bits) - 1));
}

float Flushed(float x, Dtype) { return std::fabs(x) < 0x1p-126f ? std::copysign(0.0f, x) : x; }

// The contract's values before their last rounding to bf16, stored by `store`. Integer outputs are
// right.
std::optional<Tensors> StoredBy(const Case& c, const Tensors& inputs, const Tensors& right,
                                float (*store)(float)) {
  const exact::Profile contract;
  const auto values = Evaluate(c, inputs, contract, false);
  std::optional<Tensors> wrong = OutputsAmong(c, right);
  for (const Argument& argument : c.op->arguments) {
    if (argument.role == Role::kIn || !IsReal(argument)) continue;
    const exact::FloatMatrix& real = values.reals.at(argument.name);
    Tensor& tensor = wrong->at(argument.name);
    for (int64_t i = 0; i < tensor.count(); ++i) tensor.SetReal(i, store(real.data()[i]));
  }
  return wrong;
}

float Truncated(float x) { return WithoutLow(x, 16); }

// Rounding to nearest, but halves away from zero.
float HalvesAway(float x) {
  const uint32_t word = std::bit_cast<uint32_t>(x);
  if ((word & 0x7f800000u) == 0x7f800000u) return x;
  return std::bit_cast<float>((word + 0x8000u) & 0xffff0000u);
}

float Unrounded(float x) { return x; }

// Sums that are rounded to bf16 after every addition.
std::optional<Tensors> InPartialSums(const Case& c, const Tensors& inputs, const Tensors& right) {
  exact::Profile profile;
  profile.partial = exact::PartialFormat::kBf16;
  const auto values = Evaluate(c, inputs, profile, true);
  std::optional<Tensors> wrong = OutputsAmong(c, right);
  for (const Argument& argument : c.op->arguments) {
    if (argument.role == Role::kIn) continue;
    Tensor& tensor = wrong->at(argument.name);
    for (int64_t i = 0; i < tensor.count(); ++i) {
      if (IsReal(argument)) {
        tensor.SetReal(i, values.reals.at(argument.name).data()[i]);
      } else {
        const exact::Choices& choices = values.choices.at(argument.name);
        tensor.values<int64_t>()[i] = choices.at(static_cast<size_t>(i)).at(0);
      }
    }
  }
  return wrong;
}

void AddRead(const std::string& name, const std::string& meaning, bool f32_only, RealEdit edit,
             std::vector<Decoy>* decoys) {
  decoys->push_back({name, meaning,
                     [f32_only, edit = std::move(edit)](const Case& c, const Tensors& inputs,
                                                        const Tensors&) -> std::optional<Tensors> {
                       if (f32_only && c.recipe != Dtype::kF32) return {};
                       return WithReals(c, inputs, edit);
                     }});
}

void AddStore(const std::string& name, const std::string& meaning, float (*store)(float),
              std::vector<Decoy>* decoys) {
  decoys->push_back({name, meaning,
                     [store](const Case& c, const Tensors& inputs,
                             const Tensors& right) -> std::optional<Tensors> {
                       if (c.recipe == Dtype::kF32) return {};
                       return StoredBy(c, inputs, right, store);
                     }});
}

}  // namespace

void AddArithmeticFaults(const OpSpec& op, std::vector<Decoy>* decoys) {
  const bool reads = std::any_of(op.arguments.begin(), op.arguments.end(), [](const Argument& a) {
    return a.role != Role::kOut && IsReal(a);
  });
  if (reads) {
    AddRead(
        "inputs in tf32", "products on tensor cores without being asked for", true,
        [](float x, Dtype) { return WithoutLow(x, 13); }, decoys);
    AddRead(
        "inputs in bf16", "a conversion to 16 bits on the way in", true,
        [](float x, Dtype) { return Widen(NarrowToBf16(x)); }, decoys);
    AddRead("subnormal inputs flushed", "a processor mode that reads subnormals as 0", false,
            Flushed, decoys);
    AddRead(
        "NaN read as 0", "a maximum or a comparison that drops NaN", false,
        [](float x, Dtype) { return std::isnan(x) ? 0.0f : x; }, decoys);
    AddRead(
        "infinities read as finite", "a saturating conversion", false,
        [](float x, Dtype dtype) {
          const float largest =
              dtype == Dtype::kF32 ? std::numeric_limits<float>::max() : Widen(Bf16{0x7f7f});
          return std::isinf(x) ? std::copysign(largest, x) : x;
        },
        decoys);
    AddRead(
        "signs of zero lost", "a comparison with 0 that writes +0", false,
        [](float x, Dtype) { return x == 0.0f ? 0.0f : x; }, decoys);
  }
  decoys->push_back({"subnormal outputs flushed", "a processor mode that writes subnormals as 0",
                     [](const Case& c, const Tensors&, const Tensors& right) {
                       std::optional<Tensors> wrong = OutputsAmong(c, right);
                       for (auto& [name, tensor] : *wrong) {
                         if (tensor.dtype == Dtype::kI64) continue;
                         for (int64_t i = 0; i < tensor.count(); ++i) {
                           tensor.SetReal(
                               i, Flushed(static_cast<float>(tensor.Real(i)), tensor.dtype));
                         }
                       }
                       return wrong;
                     }});
  if (std::count(op.recipes.begin(), op.recipes.end(), Dtype::kBf16) > 0) {
    AddStore("truncated in place of rounded", "the upper half of the binary32 word stored",
             Truncated, decoys);
    AddStore("halves rounded away from 0", "a half added to the last bit", HalvesAway, decoys);
    const bool wide = std::any_of(op.arguments.begin(), op.arguments.end(), [](const Argument& a) {
      return a.role == Role::kOut && a.stored == Stored::kF32;
    });
    if (wide) AddStore("not rounded", "a result left in binary32", Unrounded, decoys);
  }
  decoys->push_back({"partial sums in bf16", "an accumulator of 16 bits", InPartialSums});
}

}  // namespace touchstone::lab
