#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "lab/diff/diff_report.h"
#include "reference/formats/contract_version.h"

namespace touchstone::lab {
namespace {

using nlohmann::ordered_json;

ordered_json Finite(double x) { return std::isfinite(x) ? ordered_json(x) : ordered_json(); }

ordered_json Margin(const std::optional<double>& margin) {
  return margin ? Finite(*margin) : ordered_json();
}

ordered_json Side(const DiffSide& side) {
  return {{"file", side.file},
          {"made_by", side.made_by},
          {"run", side.run},
          {"prefill", side.prefill > 0 ? ordered_json(side.prefill) : ordered_json()},
          {"recipe", Name(side.recipe)},
          {"contract", side.is_trace ? ordered_json(kContractVersion) : ordered_json()},
          {"only_here", side.only_here},
          {"other_runs", side.other_runs},
          {"unknown", side.unknown}};
}

}  // namespace

std::string DiffJson(const TraceDiff& diff) {
  ordered_json incomparable = ordered_json::array(), tensors = ordered_json::array();
  ordered_json experts = ordered_json::array(), argmax = ordered_json::array();
  for (const auto& [path, found] : diff.incomparable) {
    incomparable.push_back({{"path", path}, {"found", found}});
  }
  for (const TensorDistance& tensor : diff.tensors) {
    tensors.push_back({{"path", tensor.path},
                       {"dtype_a", Name(tensor.dtype_a)},
                       {"dtype_b", Name(tensor.dtype_b)},
                       {"elements", tensor.elements},
                       {"differ", tensor.differ},
                       {"zero_signs", tensor.zero_signs},
                       {"tokens", tensor.tokens},
                       {"largest_absolute", Finite(tensor.largest_absolute)},
                       {"largest_relative", Finite(tensor.largest_relative())},
                       {"where", tensor.where}});
  }
  for (const ExpertChange& change : diff.experts) {
    experts.push_back({{"layer", change.layer},
                       {"b", change.sequence},
                       {"t", change.token},
                       {"from", change.from},
                       {"to", change.to},
                       {"margin_a", Margin(change.margin_a)},
                       {"margin_b", Margin(change.margin_b)}});
  }
  for (const ArgmaxChange& change : diff.argmax) {
    argmax.push_back({{"b", change.sequence},
                      {"t", change.token},
                      {"from", change.from},
                      {"to", change.to},
                      {"margin_a", Finite(change.margin_a)},
                      {"margin_b", Finite(change.margin_b)}});
  }
  ordered_json first;
  if (diff.first) {
    first = {{"path", diff.first->path},
             {"op", diff.first->op},
             {"at", diff.first->at},
             {"a", diff.first->a},
             {"b", diff.first->b},
             {"zero_sign", diff.first->is_zero_sign},
             {"equal_before", diff.first->equal_before}};
  }
  const ordered_json report = {
      {"format", 1},
      {"contract", kContractVersion},
      {"identical", diff.is_identical()},
      {"elements", diff.elements()},
      {"a", Side(diff.a)},
      {"b", Side(diff.b)},
      {"lengths", diff.lengths},
      {"incomparable", incomparable},
      {"first", first},
      {"tensors", tensors},
      {"experts",
       {{"choices", diff.choices}, {"changed", diff.expert_changes}, {"listed", experts}}},
      {"argmax",
       {{"tokens", diff.argmaxes}, {"changed", diff.argmax_changes}, {"listed", argmax}}}};
  // Names of files and makers may be no UTF-8.
  return report.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace touchstone::lab
