// What is timed: a row of bench/kernel_sizes.tsv, an op at sizes of the published models.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "reference/formats/dtype.h"
#include "reference/ops/rope_frequencies/rope_frequencies.h"
#include "reference/ops/sampling/sampling.h"

namespace touchstone::bench {

struct Problem {
  std::string where;  // "qkv, decode"
  std::string op;
  Dtype recipe = Dtype::kBf16;
  std::map<char, int64_t> sizes;
  std::map<std::string, double> attributes;
  std::string case_name;  // the row's text: "bf16 C5120_F7168_T1"

  int64_t size(char letter) const;  // a digit is itself
  bool has(char letter) const { return sizes.contains(letter); }
  double attribute(const std::string& name) const;
};

// Throws std::runtime_error that names the line.
std::vector<Problem> ReadProblems(const std::string& path);

// The value of element i of an index tensor with these letters.
int64_t IndexOf(const Problem& problem, const std::string& letters, int64_t i);

// The letter whose index numbers rows that do not depend on each other, where the reference is
// asked for some rows alone; 0: it is asked for all.
char RowsOf(const std::string& op);

// Arguments that are no tensors, by their order.
void SetScalar(const Problem& problem, int number, float* value);
void SetScalar(const Problem& problem, int number, int64_t* value);
void SetScalar(const Problem& problem, int number, int* threads);
void SetScalar(const Problem& problem, int number, RopeScaling* scaling);
void SetScalar(const Problem& problem, int number, SamplingChoice* choice);

// Of one call: operations of the binary32 products and sums of contractions, and the bytes that
// must pass through memory, each tensor once, of caches and weights those parts that are used.
struct Counts {
  double flops = 0.0, bytes = 0.0;
};
// `all_bytes` are those of all tensors.
Counts CountsOf(const Problem& problem, double all_bytes);

}  // namespace touchstone::bench
