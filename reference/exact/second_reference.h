// The second reference: every op again, from its formula, in binary64 matrix notation, with a bound
// for each element; and every op in binary32 under a declared profile.
//
// reference/exact/<op>.cc defines both, under names made from the op's word, so that an op without
// a second reference is a link error:
//
//   TOUCHSTONE_ENCLOSE(rmsnorm) { ... in.real("x") ... out->reals["y"] = ...; }
//   TOUCHSTONE_EVALUATE(rmsnorm) { ... in.real("x") ... out->reals["y"] = ...; }
//
// Tensors are matrices: (T, H, D) is flattened to T * H rows of D; a vector is one row. This
// library links formats and nothing of arithmetic: elementary functions come from the C library.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "reference/exact/enclosure.h"
#include "reference/exact/profile.h"
#include "reference/formats/dtype.h"

namespace touchstone::exact {

using Integers = std::vector<int64_t>;  // row-major
using FloatMatrix = Eigen::Array<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// A choice (an expert, a token): for every element, the values that a sound kernel may give. The
// first is the one of real arithmetic with ties to the lowest index.
using Choices = std::vector<std::vector<int64_t>>;

// What an op is given. Real is Enclosure for the bound, FloatMatrix for a profile.
template <typename Real>
struct Operands {
  std::map<std::string, Real> reals;
  std::map<std::string, Integers> integers;
  std::map<std::string, double> attributes;  // as in the configuration, not yet rounded (N12)
  std::map<char, int64_t> sizes;
  Dtype storage = Dtype::kF32;  // what RN rounds to at inner places
  Dtype output = Dtype::kF32;   // what a profile's outputs are rounded to; enclosures ignore it
  // Read by enclosures only. Not named: kOn for the contract's places, kOff for all others.
  std::map<RoundingPlace, Place> places;
  bool fast_exponential = false;  // attention's exp(s - m), where storage has 16 bits

  const Real& real(const std::string& name) const { return reals.at(name); }
  const Integers& integer(const std::string& name) const { return integers.at(name); }
  double attribute(const std::string& name) const { return attributes.at(name); }
  // Rule N12: the configuration's decimal in binary64, rounded to binary32 once.
  float constant(const std::string& name) const { return static_cast<float>(attributes.at(name)); }
  int64_t size(char letter) const { return sizes.at(letter); }
  Place place(RoundingPlace where) const {
    const auto found = places.find(where);
    if (found != places.end()) return found->second;
    return OutsideContract(where) ? Place::kOff : Place::kOn;
  }
};

// What an op gives. Integer outputs that are no choice have one accepted value each.
template <typename Real>
struct Results {
  std::map<std::string, Real> reals;
  std::map<std::string, Choices> choices;
};

// One row of reference/ops.def.
struct SecondReference {
  std::string op;
  void (*enclose)(const Operands<Enclosure>& in, Results<Enclosure>* out);
  void (*evaluate)(const Profile& profile, const Operands<FloatMatrix>& in,
                   Results<FloatMatrix>* out);
};

const SecondReference& FindSecondReference(const std::string& op);

// An op under a profile, which may read subnormal inputs as zeros.
void Evaluate(const std::string& op, const Profile& profile, Operands<FloatMatrix> in,
              Results<FloatMatrix>* out);

// One accepted value each: integer outputs that are not a matter of rounding.
Choices Certain(const Integers& values);

}  // namespace touchstone::exact

#define TOUCHSTONE_ENCLOSE(op)                                                           \
  namespace touchstone::exact {                                                          \
  void Enclose_##op(const Operands<Enclosure>& in, Results<Enclosure>* out);             \
  }                                                                                      \
  void ::touchstone::exact::Enclose_##op([[maybe_unused]] const Operands<Enclosure>& in, \
                                         Results<Enclosure>* out)

#define TOUCHSTONE_EVALUATE(op)                                                             \
  namespace touchstone::exact {                                                             \
  void Evaluate_##op(const Profile& profile, const Operands<FloatMatrix>& in,               \
                     Results<FloatMatrix>* out);                                            \
  }                                                                                         \
  void ::touchstone::exact::Evaluate_##op([[maybe_unused]] const Profile& profile,          \
                                          [[maybe_unused]] const Operands<FloatMatrix>& in, \
                                          Results<FloatMatrix>* out)
