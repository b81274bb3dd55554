// What wrong kernels are made of: slices of tensors that are lost, moved or exchanged, and the
// reference run again on edited inputs.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lab/decoys/decoys.h"

namespace touchstone::lab {

inline bool IsReal(const Argument& argument) { return argument.stored != Stored::kI64; }

// Along axis d of a row-major tensor. Extents of 0 are allowed.
void ZeroSlice(size_t d, int64_t begin, int64_t end, Tensor* tensor);
void CopySlice(const Tensor& from, size_t d, int64_t begin, int64_t end, Tensor* to);
// Element i becomes what element i + 1 was, the last what the first was.
void Rotate(size_t d, Tensor* tensor);
// Element i becomes what element source(i) was, the source a permutation of 0 to the extent - 1.
void Permute(size_t d, const std::function<int64_t(int64_t i)>& source, Tensor* tensor);
// Without its last `count` elements along the axis.
Tensor Shortened(const Tensor& tensor, size_t d, int64_t count);

// The outputs among a case's tensors.
Tensors OutputsAmong(const Case& c, const Tensors& tensors);

// The reference on these inputs, and its outputs; nothing where it refuses them.
std::optional<Tensors> Rerun(const Case& c, Tensors inputs);

// "c" of the letter C, and "entry" of an axis that has a number for a letter.
std::string AxisName(char letter);

// The letters of inputs that no output has: contractions and choices run over them.
std::string ContractedLetters(const OpSpec& op);

// Where along an axis of n elements a part is lost: [begin, end), empty where it has none.
struct Part {
  const char* name;
  const char* meaning;
  std::pair<int64_t, int64_t> (*range)(int64_t n);
};
const std::vector<Part>& LostParts();

// The families of decoys; each adds those that the op's spec allows.
void AddOutputEdits(const OpSpec& op, std::vector<Decoy>* decoys);       // output_decoys.cc
void AddInputEdits(const OpSpec& op, std::vector<Decoy>* decoys);        // input_decoys.cc
void AddIndexEdits(const OpSpec& op, std::vector<Decoy>* decoys);        // index_decoys.cc
void AddAttributeEdits(const OpSpec& op, std::vector<Decoy>* decoys);    // index_decoys.cc
void AddArithmeticFaults(const OpSpec& op, std::vector<Decoy>* decoys);  // arithmetic_decoys.cc

}  // namespace touchstone::lab
