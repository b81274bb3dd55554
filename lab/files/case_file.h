// Cases as files, to be run on another machine: `cases` writes the inputs, whoever runs them writes
// the outputs, `verify --inputs --outputs` judges.
//
//   <case>/<tensor>        one dataset a tensor: in a file of inputs those before the run, in a file
//                          of outputs those after it
//   group attributes       op, recipe, input_class, seed, one f64 for each attribute of the op, and
//                          `digest`: SHA-256 over the case's name and its inputs' bytes (docs)
//   /                      format, contract
#pragma once

#include <string>
#include <vector>

#include "lab/spec.h"

namespace touchstone::lab {

struct FileCase {
  Case c;
  Tensors inputs;      // arguments that are in, or in and out, before the run
  std::string digest;  // of the name and the inputs, in hexadecimal
  bool given = false;  // the values are not those that the name generates (a shrunk case)
};

std::string DigestOf(const Case& c, const Tensors& inputs);

// Writes the file whole or not at all.
void WriteCases(const std::string& path, const std::vector<FileCase>& cases);
// Throws golden::BadFile with what, where and what was expected.
std::vector<FileCase> ReadCases(const std::string& path);

}  // namespace touchstone::lab
