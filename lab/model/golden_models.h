// Golden hashes of whole small models: every activation of each model under golden/models/, on the
// inputs beside it, in every recipe. The tensors are not stored; golden/MANIFEST holds their hashes
// under models/<model>/<recipe>:<path>, and whoever computes them must get the same.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "golden/manifest.h"
#include "reference/formats/dtype.h"
#include "reference/formats/tensor.h"
#include "reference/model/backend.h"

namespace touchstone::lab {

// The folders under golden/models/, sorted.
std::vector<std::string> GoldenModels(const std::string& root);

// Every activation of a model, by path: (B, T, ...).
std::map<std::string, Tensor> ModelActivations(const std::string& root, const std::string& model,
                                               Dtype recipe, int64_t prefill, int threads,
                                               const Backend& backend = {});

// "models/scout-tiny/bf16:layer.00/attention/q"
std::string ModelEntryName(const std::string& model, Dtype recipe, const std::string& path);

// The entries of all models in all recipes. Prefill and decode give the same ones.
std::map<std::string, golden::Entry> ModelEntries(const std::string& root, int threads);

}  // namespace touchstone::lab
