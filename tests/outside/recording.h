// One run of one model by another implementation, as golden/foreign/ holds it: which tensors it
// recorded, of which tokens the rows, and the weights that it ran on.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "golden/hdf5_file.h"
#include "reference/exact/second_reference.h"
#include "tests/outside/text_config.h"

namespace touchstone::outside {

struct Model {
  explicit Model(const std::string& file);

  golden::Reader reader;
  std::set<std::string> paths;
  TextConfig config;
  exact::Integers ids;  // one a token
};

// Names are those of transformers' modules, whoever recorded them.
class Recording {
 public:
  // where: "transformers/bf16/decode".
  Recording(const Model& model, std::string where);

  const std::string& where() const { return where_; }
  const std::string& implementation() const { return implementation_; }
  Dtype recipe() const { return recipe_; }
  bool is_decode() const { return is_decode_; }
  const TextConfig& config() const { return model_.config; }
  const exact::Integers& rows() const { return rows_; }  // tokens whose rows were kept
  exact::Integers ids_of_rows() const;
  int64_t tokens() const { return static_cast<int64_t>(model_.ids.size()); }

  bool Has(const std::string& name) const { return model_.paths.contains(where_ + "/" + name); }
  Tensor Read(const std::string& name) const { return model_.reader.Read(where_ + "/" + name); }
  // Rows of the kept tokens alone: the file has those, or all of which these are selected.
  Tensor Rows(const std::string& name) const;

  Tensor Weight(const std::string& name) const { return model_.reader.Read("weight/" + name); }

 private:
  const Model& model_;
  std::string where_, implementation_;
  Dtype recipe_ = Dtype::kF32;
  bool is_decode_ = false;
  exact::Integers rows_;
};

// Every run in a model's file.
std::vector<Recording> RecordingsOf(const Model& model);

}  // namespace touchstone::outside
