// Stage 2b of the lab, the strength of an op's suite: planted faults that the cases must tell from
// the right answer. They follow from the op's spec alone; no op has decoys of its own.
//
// A decoy is a wrong kernel: it is given what a kernel is given and makes wrong outputs, by an edit
// of the right outputs (zeros, a stale row, truncated instead of rounded), of the inputs (the last
// index of a contraction left out, an expert's weights missing, positions off by one, two tensors
// of one shape exchanged), of the attributes, or by an unsound profile (partial sums in bf16).
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "lab/chain.h"
#include "lab/spec.h"

namespace touchstone::lab {

struct Decoy {
  std::string name;     // "last c dropped from weight"
  std::string meaning;  // the fault in a kernel that it stands for
  // Outputs of the wrong kernel for a case; nothing where the fault cannot be made in it. `inputs`
  // are a case's tensors before the run, `right` the same after the reference has run.
  std::function<std::optional<Tensors>(const Case& c, const Tensors& inputs, const Tensors& right)>
      outputs;
};

std::vector<Decoy> DecoysOf(const OpSpec& op);

enum class DecoyFate {
  kRejected,  // some case's comparison does not accept it
  kPassed,    // wrong beyond the bound in some case of the op's whole list, and none of the cases
              // that ran rejects it: the suite is underpowered
  kWithin,    // other bits in some case, within the bound wherever tried: only exact sees it
  kNotRun,    // no fault in any case that ran (a tail where there is none), and wrong beyond the
              // bound in one that the kernel refused: nothing was claimed of such
  kSameBits,  // the right bits in every case where it could be made: no fault here
};

struct DecoyResult {
  std::string name, meaning;
  DecoyFate fate = DecoyFate::kSameBits;
  // kRejected: the first case that rejects it; kPassed and kNotRun: a case that would
  std::string by;
};

// What judged a kernel.
struct TriedSuite {
  std::vector<Case> cases = {};
  std::set<std::string> not_run = {};  // names of cases that it refused, or that were left out
  bool exact = false;                  // it compared bits
  exact::Allowance allowance = {};     // it widened the bound
};

// Tries every decoy on the suite, and where none of its cases rejects it on the op's whole default
// list. Runs on `threads` threads.
std::vector<DecoyResult> TryDecoys(const OpSpec& op, const TriedSuite& suite, int threads);

}  // namespace touchstone::lab
