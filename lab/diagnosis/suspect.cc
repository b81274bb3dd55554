#include "lab/diagnosis/suspect.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstring>

namespace touchstone::lab {
namespace {

// Whether the bound of element j of an output says anything.
bool IsDecided(const Suspect& suspect, const Argument& output, const Tensor& got, int64_t j) {
  if (got.dtype == Dtype::kI64) return true;
  if (suspect.expected.results.reals.at(output.name).undecidable.data()[j]) return false;
  if (!output.dims.starts_with('T') || suspect.expected.open_tokens.empty()) return true;
  const int64_t token = got.count() / suspect.c.size('T');
  return !suspect.expected.open_tokens.contains(j / token);
}

// Whether the bound of element j of an output says nothing, or accepts element i of `got`.
bool InBound(const Suspect& suspect, const Argument& output, const Tensor& got, int64_t i,
             int64_t j) {
  const size_t at = static_cast<size_t>(j);
  if (got.dtype == Dtype::kI64) {
    const auto& accepted = suspect.expected.results.choices.at(output.name).at(at);
    return std::find(accepted.begin(), accepted.end(), got.values<int64_t>()[i]) != accepted.end();
  }
  if (!IsDecided(suspect, output, got, j)) return true;
  const exact::Enclosure& e = suspect.expected.results.reals.at(output.name);
  const double x = got.Real(i);
  if (std::isnan(e.value.data()[j])) return std::isnan(x);
  return exact::RoundReal(e.lower.data()[j], got.dtype) <= x &&
         x <= exact::RoundReal(e.upper.data()[j], got.dtype);
}

}  // namespace

bool SameBits(const Tensor& a, int64_t i, const Tensor& b, int64_t j) {
  if (a.dtype == Dtype::kI64) return a.values<int64_t>()[i] == b.values<int64_t>()[j];
  const double x = a.Real(i), y = b.Real(j);
  if (std::isnan(x) || std::isnan(y)) return std::isnan(x) && std::isnan(y);
  return x == y && std::signbit(x) == std::signbit(y);
}

std::vector<int64_t> CoordinatesOf(const std::vector<int64_t>& shape, int64_t i) {
  std::vector<int64_t> at(shape.size());
  for (size_t d = shape.size(); d-- > 0;) {
    at[d] = i % shape[d];
    i /= shape[d];
  }
  return at;
}

int64_t IndexOf(const std::vector<int64_t>& shape, const std::vector<int64_t>& at) {
  int64_t i = 0;
  for (size_t d = 0; d < shape.size(); ++d) i = i * shape[d] + at[d];
  return i;
}

char LowerCase(char letter) {
  return static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
}

bool Accepts(const Suspect& suspect, const Argument& output, int64_t i, int64_t j) {
  const Tensor& got = suspect.got.at(output.name);
  if (SameBits(got, i, suspect.right.at(output.name), j)) return true;
  return suspect.outside && InBound(suspect, output, got, i, j);
}

bool IsTelling(const Suspect& suspect, const Argument& output, int64_t i, int64_t j) {
  constexpr int64_t kOthers = 64;
  constexpr int64_t kMostByChance = 8;  // one of so many, at most
  const Tensor& got = suspect.got.at(output.name);
  const Tensor& right = suspect.right.at(output.name);
  if (!IsDecided(suspect, output, got, j)) return false;
  const double value = right.Real(j);
  if (got.dtype != Dtype::kI64 && (value == 0.0 || !std::isfinite(value))) return false;
  int64_t asked = 0, accepted = 0;
  for (int64_t n = 1; n <= kOthers; ++n) {
    // A large odd step does not stay in one row or column.
    const int64_t k = (j + n * 1000003) % right.count();
    if (k == j) continue;
    ++asked;
    accepted += Accepts(suspect, output, i, k) || SameBits(right, k, right, j) ||
                        (suspect.outside && InBound(suspect, output, right, k, j))
                    ? 1
                    : 0;
  }
  return asked > 0 && accepted * kMostByChance <= asked;
}

Suspect SuspectOf(const Sample& sample, const Tensors& right) {
  Suspect suspect{sample.c, sample.inputs, sample.got, right, {}, false, {}};
  for (const Argument& argument : sample.c.op->arguments) {
    if (argument.role != Role::kOut) continue;
    suspect.inputs.insert_or_assign(
        argument.name, Tensor(DtypeOf(sample.c, argument), ShapeOf(sample.c, argument)));
  }
  suspect.expected =
      Enclose(sample.c, suspect.inputs, AllPlaces(*sample.c.op, exact::Place::kHull));
  for (const Argument& argument : sample.c.op->arguments) {
    if (argument.role == Role::kIn) continue;
    const Tensor& got = suspect.got.at(argument.name);
    const Tensor& wanted = right.at(argument.name);
    if (got.dtype != wanted.dtype || got.shape != wanted.shape) continue;
    std::vector<int64_t> outside, other_bits;
    for (int64_t i = 0; i < got.count(); ++i) {
      if (!InBound(suspect, argument, got, i, i)) outside.push_back(i);
      if (!SameBits(got, i, wanted, i)) other_bits.push_back(i);
    }
    suspect.outside |= !outside.empty();
    suspect.wrong[argument.name] = outside.empty() ? other_bits : outside;
  }
  if (suspect.outside) {
    // Other bits within the bound are no fault beside an element outside it.
    for (auto& [name, wrong] : suspect.wrong) {
      const Argument& output = sample.c.op->argument(name);
      std::erase_if(wrong, [&, &which = name](int64_t i) {
        return InBound(suspect, output, suspect.got.at(which), i, i);
      });
    }
  }
  return suspect;
}

}  // namespace touchstone::lab
