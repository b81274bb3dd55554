// Trace files: what a run writes is what the decoder computed; padding never reaches a bit; nothing
// half-written stays.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "golden/hdf5_file.h"
#include "lab/model/golden_models.h"
#include "lab/model/trace_file.h"
#include "lab/repository.h"
#include "reference/checkpoint/text_weights.h"
#include "reference/model/activation_paths.h"
#include "tests/temporary_folder.h"

namespace touchstone::lab {
namespace {

constexpr Dtype kRecipe = Dtype::kBf16;

checkpoint::TextModelFolder OpenScoutTiny() {
  return checkpoint::OpenTextModel(RepositoryRoot() + "/golden/models/scout-tiny", kRecipe);
}

TextInputs InputsOf(const std::vector<std::vector<int64_t>>& sequences, int64_t tokens) {
  TextInputs inputs;
  inputs.batch = static_cast<int64_t>(sequences.size());
  inputs.tokens = tokens;
  inputs.ids = Tensor(Dtype::kI64, {inputs.batch, tokens});
  for (size_t b = 0; b < sequences.size(); ++b) {
    std::copy(sequences[b].begin(), sequences[b].end(),
              inputs.ids.values<int64_t>() + static_cast<int64_t>(b) * tokens);
    inputs.lengths.push_back(static_cast<int64_t>(sequences[b].size()));
  }
  return inputs;
}

std::vector<int64_t> Ids(int64_t count, int64_t step) {
  std::vector<int64_t> ids;
  for (int64_t i = 0; i < count; ++i) ids.push_back((i * step + 7) % 200);
  return ids;
}

TEST(Trace, HoldsEveryActivation) {
  const TemporaryFolder folder;
  const std::string file = folder.path() / "t.h5";
  checkpoint::TextModelFolder model = OpenScoutTiny();
  const TextConfig& config = model.config.text;
  const golden::Reader input(RepositoryRoot() + "/golden/models/scout-tiny/input.h5");
  const TextInputs inputs = ReadTextInputs(input, "input.h5", config.vocabulary);
  const int64_t tensors = WriteTrace(config, model.weights.get(), inputs, {}, file);

  const auto computed = ModelActivations(RepositoryRoot(), "scout-tiny", kRecipe, 0, 1);
  const golden::Reader trace(file);
  trace.RequireContractVersion();
  EXPECT_EQ(tensors, static_cast<int64_t>(computed.size()));
  EXPECT_EQ(trace.Paths().size(), computed.size() + 2);  // and the inputs
  for (const auto& [path, tensor] : computed) {
    const Tensor written = trace.Read(path);
    EXPECT_EQ(written.shape, tensor.shape) << path;
    EXPECT_EQ(written.data, tensor.data) << path;
  }
  EXPECT_EQ(trace.Text("", "recipe"), "bf16");
}

TEST(Trace, PaddingIsZeroAndReachesNoBit) {
  const TemporaryFolder folder;
  checkpoint::TextModelFolder model = OpenScoutTiny();
  const TextConfig& config = model.config.text;
  const std::vector<int64_t> longer = Ids(20, 3), shorter = Ids(7, 5);
  const std::string together = folder.path() / "b.h5", alone = folder.path() / "a.h5";
  WriteTrace(config, model.weights.get(), InputsOf({shorter, longer}, 20), {}, together);
  WriteTrace(config, model.weights.get(), InputsOf({shorter}, 7), {}, alone);
  const golden::Reader batch(together), single(alone);
  for (const std::string& path : ActivationPaths(config)) {
    const Tensor a = single.Read(path), b = batch.Read(path);
    ASSERT_EQ(b.shape.at(0), 2);
    const auto length = static_cast<std::ptrdiff_t>(a.data.size());
    EXPECT_TRUE(std::equal(a.data.begin(), a.data.end(), b.data.begin())) << path;
    const auto rest = static_cast<std::ptrdiff_t>(b.data.size()) / 2;
    EXPECT_TRUE(std::all_of(b.data.begin() + length, b.data.begin() + rest, [](std::byte x) {
      return x == std::byte{0};
    })) << path;
  }
  EXPECT_EQ(batch.Read("input/lengths").values<int64_t>()[0], 7);
}

TEST(Trace, WritesOnlyTheLayersAskedFor) {
  const TemporaryFolder folder;
  checkpoint::TextModelFolder model = OpenScoutTiny();
  TraceChoice choice;
  choice.all_layers = false;
  choice.layers = {1, 3};
  const std::string file = folder.path() / "t.h5";
  WriteTrace(model.config.text, model.weights.get(), InputsOf({Ids(5, 3)}, 5), choice, file);
  std::set<std::string> heads;
  for (const std::string& path : golden::Reader(file).Paths()) {
    heads.insert(path.substr(0, path.find('/')));
  }
  EXPECT_EQ(heads, (std::set<std::string>{"embedding", "final_norm", "input", "layer.01",
                                          "layer.03", "output", "rope_table"}));
}

TEST(Trace, LeavesNothingBehindWhereItFails) {
  const TemporaryFolder folder;
  checkpoint::TextModelFolder model = OpenScoutTiny();
  TraceChoice choice;
  choice.progress = [](int64_t layer) {
    if (layer == 2) throw std::runtime_error("stopped");
  };
  const std::string file = folder.path() / "t.h5";
  EXPECT_THROW(
      WriteTrace(model.config.text, model.weights.get(), InputsOf({Ids(5, 3)}, 5), choice, file),
      std::runtime_error);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

}  // namespace
}  // namespace touchstone::lab
