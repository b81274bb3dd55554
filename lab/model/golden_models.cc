#include "lab/model/golden_models.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "golden/hdf5_file.h"
#include "lab/recording/recording.h"
#include "reference/checkpoint/text_weights.h"
#include "reference/model/forward.h"

namespace touchstone::lab {
namespace {

std::string Folder(const std::string& root, const std::string& model) {
  return root + "/golden/models/" + model;
}

}  // namespace

std::vector<std::string> GoldenModels(const std::string& root) {
  std::vector<std::string> models;
  const std::filesystem::path folder = root + "/golden/models";
  if (!std::filesystem::is_directory(folder)) return models;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.is_directory()) models.push_back(entry.path().filename().string());
  }
  std::sort(models.begin(), models.end());
  return models;
}

std::map<std::string, Tensor> ModelActivations(const std::string& root, const std::string& model,
                                               Dtype recipe, int64_t prefill, int threads,
                                               const Backend& backend) {
  const std::string folder = Folder(root, model), input_file = folder + "/input.h5";
  const checkpoint::TextModelFolder opened = checkpoint::OpenTextModel(folder, recipe);
  const TextConfig& config = opened.config.text;
  const golden::Reader reader(input_file);
  const TextInputs inputs = ReadTextInputs(reader, input_file, config.vocabulary);
  std::vector<std::vector<int64_t>> sequences;
  for (int64_t b = 0; b < inputs.batch; ++b) sequences.push_back(inputs.ids_of(b));

  return WholeActivations(config, opened.weights.get(), sequences, {prefill, threads, {}, backend});
}

std::string ModelEntryName(const std::string& model, Dtype recipe, const std::string& path) {
  return fmt::format("models/{}/{}:{}", model, Name(recipe), path);
}

std::map<std::string, golden::Entry> ModelEntries(const std::string& root, int threads) {
  std::map<std::string, golden::Entry> entries;
  for (const std::string& model : GoldenModels(root)) {
    for (const Dtype recipe : {Dtype::kF32, Dtype::kBf16}) {
      for (const auto& [path, tensor] : ModelActivations(root, model, recipe, 0, threads)) {
        entries.emplace(ModelEntryName(model, recipe, path), golden::EntryOf(tensor));
      }
    }
  }
  return entries;
}

}  // namespace touchstone::lab
