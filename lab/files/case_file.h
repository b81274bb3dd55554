// Cases as files, to be run on another machine: `cases` writes the inputs, whoever runs them writes
// the outputs, `verify --inputs --outputs` judges.
//
//   <op>/<case>/<tensor>   one dataset a tensor: in a file of inputs those before the run, in one
//                          of outputs those after it; the case has its three parts,
//                          rmsnorm/bf16/normal/C80_T3/x
//   group attributes       of a case: op, recipe, input_class, seed, `digest`, and one f64 for each
//                          attribute of the op and each size that no shape shows
//   /                      format, contract (the version of the numerics contract)
//
// The digest is the SHA-256, in lower-case hexadecimal, of these bytes:
//
//   the line "touchstone <contract> <op>/<case>\n"
//   for each tensor that the op reads, in the order of their names (of their bytes):
//     the line "<name> <dtype> <extents like 3x80>\n", then its elements in row-major order,
//     little endian, each NaN canonical (rule N8)
//
// A file of outputs needs the datasets of what the op writes and the group's `digest`, copied from
// the inputs that were run; of other attributes and of the inputs' own datasets nothing is read.
#pragma once

#include <string>
#include <vector>

#include "golden/hdf5_file.h"
#include "lab/spec.h"

namespace touchstone::lab {

struct FileCase {
  Case c;
  Tensors inputs;         // arguments that are in, or in and out, before the run
  std::string digest;     // of the name and the inputs
  bool given = false;     // the values are not those that the name generates (a shrunk case)
  bool kept = false;      // it is one of golden/worst
  std::string file = {};  // the one that repeats it, where it is not among the cases asked for
};

std::string DigestOf(const Case& c, const Tensors& inputs);

// The path of a case's group: rmsnorm/bf16/normal/C80_T3.
std::string GroupOf(const Case& c);

// The case with the inputs that its name generates.
FileCase GeneratedCase(const Case& c);

// Writes a file, case by case. It appears whole in Close(), or not at all. Digests are computed
// anew.
class CaseWriter {
 public:
  explicit CaseWriter(const std::string& path);
  void Write(const FileCase& written);
  void Close() { writer_.Close(); }

 private:
  golden::Writer writer_;
};
void WriteCases(const std::string& path, const std::vector<FileCase>& cases);

// The cases, or those of one op, in the order of their groups' names. Throws golden::BadFile with
// what, where and what was expected: for another version of the contract or format, an op, case or
// tensor that does not exist, a tensor that is missing or has another shape or dtype, inputs that
// are not those of the digest, and inputs that the op's contract refuses.
std::vector<FileCase> ReadCases(const std::string& path, const OpSpec* only = nullptr);

}  // namespace touchstone::lab
