// The golden files of ops: golden/ops/<op>.h5, one group a case, one dataset a tensor, and
// golden/MANIFEST with the hash of every tensor.
//
//   <recipe>/<class>/<sizes>/<tensor>      inputs as generated, intermediates of chains, outputs;
//                                          <tensor>_before: one that is both, before the run
//   group attributes                       the op's attributes of the case (f64), seed, input class
#pragma once

#include <map>
#include <string>
#include <vector>

#include "lab/spec.h"

namespace touchstone::lab {

// "golden/ops/rmsnorm.h5", below the root.
std::string GoldenFile(const std::string& op);

// The frozen tensors of every case of an op. `found` is false where there is no file.
struct Frozen {
  bool found = false;
  std::map<std::string, Tensors> cases;  // by Case::Name
};
Frozen ReadFrozen(const OpSpec& op);

// The name of an in and out tensor's first value.
std::string BeforeName(const std::string& tensor);

// The case's tensors after the reference has run: what a golden file holds.
Tensors MakeGolden(const Case& c, int threads);

// Writes the golden files of these ops (all, and the hashes of the repository's golden models,
// where empty) below `root`, and the manifest anew.
void WriteGolden(const std::vector<std::string>& ops, const std::string& root, int threads);

// The files and the golden models' activations, computed again, against the manifest; and the
// manifest against both: one line a problem, at most twenty. `tensors` counts what was hashed.
std::vector<std::string> CheckGolden(const std::string& root, int threads, int64_t* tensors);

}  // namespace touchstone::lab
