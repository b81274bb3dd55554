// A candidate that ran somewhere else: the outputs that it wrote, in a file (case_file.h). It cannot
// be run again, so determinism and batch invariance are not judged.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "lab/files/case_file.h"
#include "lab/kernel/kernel.h"

namespace touchstone::lab {

class RecordedKernel : public Kernel {
 public:
  // The outputs that the file holds for `cases`, all of `op`. Throws golden::BadFile, with what,
  // where and what was expected, for what is wrong in the file: another version of the contract, a
  // case of the op that is none of `cases`, a digest that is missing or another, an output that is
  // missing or has another shape or dtype. Cases that the file does not have are refused by Run.
  // Other ops' cases in the file are left alone.
  RecordedKernel(const std::string& path, const OpSpec& op, const std::vector<FileCase>& cases);

  const KernelInfo& info() const override { return info_; }
  RunResult Run(const Case& c, const Tensors& inputs, const RunOptions& options) override;

 private:
  KernelInfo info_;
  std::map<std::string, Tensors> outputs_;      // by case name
  std::map<std::string, std::string> digests_;  // the same
};

}  // namespace touchstone::lab
