// The golden files of ops: golden/ops/<op>.h5, one group a case, one dataset a tensor, and
// golden/MANIFEST with the hash of every tensor.
//
//   <recipe>/<class>/<sizes>/<tensor>      inputs as generated, intermediates of chains, outputs;
//                                          <tensor>_before: one that is both, before the run
//   group attributes                       the op's attributes of the case (f64), seed, input class
//
// Of a case that is `hashed` the manifest alone knows: the hashes of its arguments after the run.
// Those of cases of the full suite alone take a minute, and are computed where Suite::kFull is
// asked for.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "golden/manifest.h"
#include "lab/judge.h"
#include "lab/spec.h"

namespace touchstone::lab {

// "golden/ops/rmsnorm.h5", below the root.
std::string GoldenFile(const std::string& op);

// The frozen tensors of every case of an op. `found` is false where there is no file.
struct Frozen {
  bool found = false;
  std::map<std::string, Tensors> cases;          // by Case::Name
  std::map<std::string, golden::Entry> entries;  // of hashed cases, by HashName
};
Frozen ReadFrozen(const OpSpec& op);

// "ops/linear:bf16/normal/C5120_F64_T2/y", the manifest's name for a tensor of a hashed case.
std::string HashName(const Case& c, const std::string& tensor);

// How a tensor of a hashed case differs from the hash, dtype and shape that are frozen.
std::optional<Difference> HashDifference(const Case& c, const Frozen& frozen,
                                         const std::string& name, const Tensor& tensor);

// The name of an in and out tensor's first value.
std::string BeforeName(const std::string& tensor);

// The case's tensors after the reference has run: what a golden file holds.
Tensors MakeGolden(const Case& c, int threads);

// Writes the golden files of these ops (all, and the hashes of the repository's golden models,
// where empty) below `root`, and the manifest anew. Without Suite::kFull the hashes of the cases
// of the full suite alone are taken over from the manifest below `root`, or else the repository's.
void WriteGolden(const std::vector<std::string>& ops, const std::string& root, Suite suite,
                 int threads);

// The files, and hashed cases and the golden models' activations, computed again, against the
// manifest; and the manifest against all of them: one line a problem, at most twenty. `tensors`
// counts what was hashed. Without Suite::kFull, of the cases of the full suite alone only those
// with at most 2^23 elements are computed, and of the others it is seen that they have hashes.
std::vector<std::string> CheckGolden(const std::string& root, Suite suite, int threads,
                                     int64_t* tensors);

}  // namespace touchstone::lab
