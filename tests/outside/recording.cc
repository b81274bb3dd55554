#include "tests/outside/recording.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace touchstone::outside {
namespace {

exact::Integers ToIntegers(const Tensor& tensor) {
  const int64_t* first = tensor.values<int64_t>();
  return {first, first + tensor.count()};
}

}  // namespace

Model::Model(const std::string& file) : reader(file) {
  for (std::string& path : reader.Paths()) paths.insert(std::move(path));
  const auto text = reader.Text("", "config");
  if (!text) throw std::runtime_error(file + ": no attribute 'config' at the root");
  config = ReadTextConfig(*text);
  ids = ToIntegers(reader.Read("input/input_ids"));
}

Recording::Recording(const Model& model, std::string where)
    : model_(model), where_(std::move(where)) {
  const size_t first = where_.find('/'), second = where_.rfind('/');
  implementation_ = where_.substr(0, first);
  recipe_ = DtypeFromName(where_.substr(first + 1, second - first - 1)).value();
  is_decode_ = where_.substr(second + 1) == "decode";
  rows_ = ToIntegers(Read("rows"));
}

exact::Integers Recording::ids_of_rows() const {
  exact::Integers ids;
  for (const int64_t row : rows_) ids.push_back(model_.ids.at(static_cast<size_t>(row)));
  return ids;
}

Tensor Recording::Rows(const std::string& name) const {
  Tensor all = Read(name);
  const int64_t kept = static_cast<int64_t>(rows_.size());
  if (all.shape.at(0) == kept) return all;
  if (all.shape.at(0) != tokens()) {
    throw std::runtime_error(where_ + "/" + name + " has " + std::to_string(all.shape.at(0)) +
                             " rows, expected " + std::to_string(kept) + " or " +
                             std::to_string(tokens()));
  }
  std::vector<int64_t> shape = all.shape;
  shape[0] = kept;
  Tensor some(all.dtype, shape);
  const size_t row = all.data.size() / static_cast<size_t>(tokens());
  for (int64_t i = 0; i < kept; ++i) {
    const size_t from = static_cast<size_t>(rows_.at(static_cast<size_t>(i)));
    std::memcpy(some.data.data() + static_cast<size_t>(i) * row, all.data.data() + from * row, row);
  }
  return some;
}

std::vector<Recording> RecordingsOf(const Model& model) {
  std::vector<Recording> recordings;
  for (const std::string& path : model.paths) {
    if (path.ends_with("/rows")) recordings.emplace_back(model, path.substr(0, path.rfind('/')));
  }
  return recordings;
}

}  // namespace touchstone::outside
