// Stage 2 of the lab, running a case: an op by one function call, a chain step by step. The same
// steps give the chain's reference bits, its enclosure and its result under a profile, so that a
// chain adds no formula of its own.
//
// A step sees the chain's tensors under its op's argument names and shapes; where the shapes differ
// ((T, Q) and (T, H, D), Q = H D) the elements are the same in the same row-major order.
//
// "Any order" of a sum ends at a step: a kernel that adds the shared expert to a sum of several
// routed ones before that sum is whole computes another chain.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "lab/spec.h"
#include "reference/exact/profile.h"
#include "reference/exact/second_reference.h"

namespace touchstone::lab {

// The shape and the dtype that an argument has in a case.
std::vector<int64_t> ShapeOf(const Case& c, const Argument& argument);
Dtype DtypeOf(const Case& c, const Argument& argument);
// Of all arguments of a case.
int64_t ElementsOf(const Case& c);

// The steps of a chain as cases of their ops, in order. Throws UsageError where a step names an op,
// argument or tensor that does not exist.
struct StepCase {
  const Step* step = nullptr;
  Case c;
};
std::vector<StepCase> StepsOf(const Case& chain);

// Runs the reference, or another implementation of an op. A chain is run by its steps; its
// intermediate tensors are added to `tensors`.
void Run(const Case& c, Tensors* tensors, int threads);
void Run(const Case& c, const Implementation& implementation, Tensors* tensors, int threads);

// What the second reference says of every output of a case; the bound may be widened.
struct Expected {
  exact::Results<exact::Enclosure> results;
  // Chains: tokens whose choice of an expert is not decided. Nothing is said of their rows.
  std::set<int64_t> open_tokens;
};
using Places = std::map<exact::RoundingPlace, exact::Place>;
Expected Enclose(const Case& c, const Tensors& tensors, const Places& places,
                 const exact::Allowance& allowance = {});

// Every inner place of the case's op or chain in the same way.
Places AllPlaces(const OpSpec& op, exact::Place place);

// The case under a numerics profile. Outputs are rounded to `output` in place of the recipe's
// storage where that is f32 (to see the value before its last rounding).
exact::Results<exact::FloatMatrix> Evaluate(const Case& c, const Tensors& tensors,
                                            const exact::Profile& profile, bool round_output);

}  // namespace touchstone::lab
