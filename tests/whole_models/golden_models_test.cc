// Whole small models: every activation against an independent reading of the contract
// (golden/foreign/contract_hashes.json), prefill against decode, the committed hashes, and the text
// that the trained model writes.
#include "lab/model/golden_models.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "golden/hdf5_file.h"
#include "golden/manifest.h"
#include "lab/model/backends.h"
#include "lab/recording/foreign_names.h"
#include "lab/repository.h"
#include "reference/checkpoint/text_weights.h"
#include "reference/model/activation_paths.h"
#include "reference/model/generation.h"

namespace touchstone::lab {
namespace {

using Activations = std::map<std::string, Tensor>;

// Computed once; the tests only look at them.
const Activations& Prefilled(const std::string& model, Dtype recipe) {
  static std::map<std::pair<std::string, Dtype>, Activations> all;
  const auto [found, is_new] = all.try_emplace({model, recipe});
  if (is_new) found->second = ModelActivations(RepositoryRoot(), model, recipe, 0, 2);
  return found->second;
}

nlohmann::json ReadJson(const std::string& path) {
  std::ifstream stream(RepositoryRoot() + "/" + path);
  return nlohmann::json::parse(stream);
}

TextConfig ConfigOf(const std::string& model) {
  return checkpoint::ReadConfigFile(RepositoryRoot() + "/golden/models/" + model + "/config.json")
      .text;
}

// Scores as that reading has them: (B, T, E), +0 where an expert is not chosen.
Tensor OfAllExperts(const Tensor& scores, const Tensor& chosen, int64_t experts) {
  const int64_t A = scores.shape.at(2), rows = scores.count() / A;
  Tensor all(scores.dtype, {scores.shape[0], scores.shape[1], experts});
  for (int64_t i = 0; i < scores.count(); ++i) {
    const int64_t column = chosen.values<int64_t>()[i];
    all.SetReal(i / A * experts + column, static_cast<float>(scores.Real(i)));
  }
  EXPECT_EQ(all.count(), rows * experts);
  return all;
}

class GoldenModel : public testing::TestWithParam<std::tuple<std::string, Dtype>> {
 protected:
  std::string model() const { return std::get<0>(GetParam()); }
  Dtype recipe() const { return std::get<1>(GetParam()); }
};

TEST_P(GoldenModel, EqualsTheIndependentReadingTensorForTensor) {
  const nlohmann::json hashes =
      ReadJson("golden/foreign/contract_hashes.json").at(model()).at(std::string(Name(recipe())));
  const TextConfig config = ConfigOf(model());
  const Activations& ours = Prefilled(model(), recipe());
  std::set<std::string> compared;
  for (const auto& [name, entry] : hashes.items()) {
    SCOPED_TRACE(name);
    const auto found = FindForeignName(name == "output/logits" ? "lm_head" : name, &config, false);
    ASSERT_TRUE(found);
    std::string path = found->path;
    if (!ours.contains(path)) path = path == "lm_head" ? "output/logits" : path;
    ASSERT_TRUE(ours.contains(path)) << path;
    Tensor tensor = ours.at(path);
    if (path.ends_with("/scores")) {
      const std::string chosen = path.substr(0, path.size() - 6) + "chosen";
      tensor = OfAllExperts(tensor, ours.at(chosen), config.experts);
    }
    // lm_head is in the recipe's storage there; output/logits, of the same values, f32.
    if (entry.at(0) == "bf16" && tensor.dtype == Dtype::kF32) {
      Tensor narrow(Dtype::kBf16, tensor.shape);
      for (int64_t i = 0; i < tensor.count(); ++i) {
        narrow.SetReal(i, tensor.values<float>()[i]);
      }
      tensor = narrow;
    }
    EXPECT_EQ(entry.at(0), std::string(Name(tensor.dtype)));
    int64_t elements = 1;
    for (const auto& extent : entry.at(1)) elements *= extent.get<int64_t>();
    EXPECT_EQ(elements, tensor.count());
    EXPECT_EQ(entry.at(2), golden::Sha256(tensor));
    compared.insert(path);
  }
  // We have more: what lies inside experts, the stream after attention.
  EXPECT_GT(compared.size(), 40u) << "too few to speak of a whole model";
}

TEST_P(GoldenModel, DecodeEqualsPrefillBitForBit) {
  const Activations& prefilled = Prefilled(model(), recipe());
  for (const int64_t prefill : {1, 19}) {
    SCOPED_TRACE(prefill);
    const Activations decoded = ModelActivations(RepositoryRoot(), model(), recipe(), prefill, 2);
    ASSERT_EQ(decoded.size(), prefilled.size());
    for (const auto& [path, tensor] : prefilled) {
      EXPECT_EQ(tensor.data, decoded.at(path).data) << path;
    }
  }
}

TEST_P(GoldenModel, HasTheHashesOfTheManifest) {
  const golden::Manifest manifest = golden::ReadManifest(RepositoryRoot() + "/golden/MANIFEST");
  const Activations& ours = Prefilled(model(), recipe());
  EXPECT_EQ(ours.size(), ActivationPaths(ConfigOf(model())).size());
  for (const auto& [path, tensor] : ours) {
    const auto entry = manifest.entries.find(ModelEntryName(model(), recipe(), path));
    ASSERT_NE(entry, manifest.entries.end()) << path;
    EXPECT_EQ(entry->second, golden::EntryOf(tensor)) << path;
  }
}

// 19 tokens together and the others one by one, so that both ways of the optimized linear run.
TEST_P(GoldenModel, HasTheSameBitsWithTheOptimizedBackend) {
  const Backend optimized = BackendOf({.name = "optimized"});
  ASSERT_NE(optimized.f32.linear, Backend().f32.linear);
  ASSERT_NE(optimized.bf16.rmsnorm, Backend().bf16.rmsnorm);
  const golden::Manifest manifest = golden::ReadManifest(RepositoryRoot() + "/golden/MANIFEST");
  const Activations ours = ModelActivations(RepositoryRoot(), model(), recipe(), 19, 2, optimized);
  EXPECT_EQ(ours.size(), ActivationPaths(ConfigOf(model())).size());
  for (const auto& [path, tensor] : ours) {
    EXPECT_EQ(manifest.entries.at(ModelEntryName(model(), recipe(), path)), golden::EntryOf(tensor))
        << path;
  }
}

// Every op by a CUDA kernel under the execution model: slow, so two models of the five.
class ModelByKernels : public testing::TestWithParam<std::tuple<std::string, Dtype>> {};

TEST_P(ModelByKernels, HasTheHashesOfTheManifest) {
  const auto& [model, recipe] = GetParam();
  const Backend kernels = BackendOf({.device = "simt"});
  ASSERT_NE(kernels.bf16.attention, Backend().bf16.attention);
  const golden::Manifest manifest = golden::ReadManifest(RepositoryRoot() + "/golden/MANIFEST");
  const Activations ours = ModelActivations(RepositoryRoot(), model, recipe, 19, 2, kernels);
  EXPECT_EQ(ours.size(), ActivationPaths(ConfigOf(model)).size());
  for (const auto& [path, tensor] : ours) {
    EXPECT_EQ(manifest.entries.at(ModelEntryName(model, recipe, path)), golden::EntryOf(tensor))
        << path;
  }
}

std::string TestName(const testing::TestParamInfo<std::tuple<std::string, Dtype>>& instance) {
  std::string name =
      std::get<0>(instance.param) + "_" + std::string(Name(std::get<1>(instance.param)));
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(All, GoldenModel,
                         testing::Combine(testing::Values("scout-tiny", "scout-launch-rope",
                                                          "maverick-tiny", "guard-tiny",
                                                          "scout-bytes"),
                                          testing::Values(Dtype::kF32, Dtype::kBf16)),
                         TestName);

INSTANTIATE_TEST_SUITE_P(Two, ModelByKernels,
                         testing::Values(std::tuple{"scout-tiny", Dtype::kBf16},
                                         std::tuple{"maverick-tiny", Dtype::kF32}),
                         TestName);

TEST(GoldenModels, AreTheFoldersThere) {
  EXPECT_EQ(GoldenModels(RepositoryRoot()),
            (std::vector<std::string>{"guard-tiny", "maverick-tiny", "scout-bytes",
                                      "scout-launch-rope", "scout-tiny"}));
}

TEST(TrainedModel, WritesTheExpectedText) {
  const nlohmann::json expected = ReadJson("golden/models/scout-bytes/expected.json");
  const checkpoint::TextModelFolder model =
      checkpoint::OpenTextModel(RepositoryRoot() + "/golden/models/scout-bytes", Dtype::kF32);
  const auto wanted = expected.at("greedy_ids").get<std::vector<int64_t>>();
  GenerationChoice choice;
  choice.max_new = static_cast<int64_t>(wanted.size());
  const std::vector<int64_t> tokens =
      Generate(model.config.text, model.weights.get(),
               expected.at("prompt_ids").get<std::vector<int64_t>>(), choice);
  EXPECT_EQ(tokens, wanted);
}

TEST(TrainedModel, HasTheExpectedLikelihoodOnHeldOutText) {
  const nlohmann::json expected = ReadJson("golden/models/scout-bytes/expected.json");
  const golden::Reader reader(RepositoryRoot() + "/golden/models/scout-bytes/input.h5");
  const Tensor ids = reader.Read("input/input_ids");
  const Tensor& logits = Prefilled("scout-bytes", Dtype::kF32).at("output/logits");
  const int64_t T = ids.shape.at(1), V = logits.shape.at(2);
  double sum = 0.0;
  for (int64_t t = 0; t + 1 < T; ++t) {
    double total = 0.0;
    for (int64_t v = 0; v < V; ++v) total += std::exp(logits.Real(t * V + v));
    sum += std::log(total) - logits.Real(t * V + ids.values<int64_t>()[t + 1]);
  }
  // Binary32 logits of another implementation: they agree to about 1e-6.
  EXPECT_NEAR(sum / static_cast<double>(T - 1), expected.at("mean_nll_of_input_ids"), 1e-5);
}

}  // namespace
}  // namespace touchstone::lab
