// Chosen experts that are found in the scores of all, where no configuration says how many they
// are.
#include <gtest/gtest.h>

#include "lab/diff/trace_diff.h"
#include "lab/recording/recording.h"
#include "tests/lab/recorded_model.h"
#include "tests/temporary_folder.h"

namespace touchstone::lab {
namespace {

// One expert in the first token, then two, then none: the first token's number holds for all, or
// whoever compares rows reads past the end of some.
TEST(RecordedScores, HaveAsManyChosenInEveryToken) {
  const TemporaryFolder folder;
  const std::string file = folder.File("scores.h5");
  WriteRecording(file, [](golden::Writer* writer) {
    Tensor scores(Dtype::kF32, {2, 3, 4});
    for (const int64_t i : {1, 4, 6, 12, 13, 14}) scores.SetReal(i, 0.5f);
    writer->Write("activation/layer.0.router.scores", scores);
  });
  const Recording recording(file);
  const RecordedRun& run = recording.runs().at(0);
  const std::string chosen = "layer.00/feed_forward/chosen";
  EXPECT_EQ(recording.Read(run, chosen, 0).shape, (std::vector<int64_t>{3, 1}));
  EXPECT_EQ(recording.Read(run, chosen, 1).shape, (std::vector<int64_t>{2, 1}));
  EXPECT_EQ(recording.ReadTokens(run, chosen, 1, 1, 1).shape, (std::vector<int64_t>{1, 1}));
  EXPECT_TRUE(
      DiffRecordings(recording, run, recording, run, [](const std::string&) {}).is_identical());
}

}  // namespace
}  // namespace touchstone::lab
