// Cases of which only hashes are frozen, and cases with inputs of the trained model.
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "lab/errors.h"
#include "lab/golden_ops.h"
#include "lab/input_class.h"
#include "lab/model/golden_models.h"
#include "lab/repository.h"

namespace touchstone::lab {
namespace {

TEST(HashedCases, AChangedOrMissingHashIsADifference) {
  const OpSpec& op = *FindOp("linear");
  const Case c = CaseFromName(op, "bf16/normal/C513_F7_T3");
  Tensors tensors = MakeGolden(c, 1);
  Frozen frozen = ReadFrozen(op);
  EXPECT_FALSE(frozen.cases.contains(c.Name()));
  EXPECT_FALSE(HashDifference(c, frozen, "y", tensors.at("y")).has_value());
  tensors.at("y").data[3] ^= std::byte{1};
  EXPECT_TRUE(HashDifference(c, frozen, "y", tensors.at("y")).has_value());
  tensors.at("y").data[3] ^= std::byte{1};
  tensors.at("y").shape = {7, 3};
  EXPECT_TRUE(HashDifference(c, frozen, "y", tensors.at("y")).has_value());
  frozen.entries.erase(HashName(c, "weight"));
  const auto missing = HashDifference(c, frozen, "weight", tensors.at("weight"));
  ASSERT_TRUE(missing.has_value());
  EXPECT_EQ(missing->got, "no hash of it in golden/MANIFEST");
}

TEST(HashedCases, EveryCaseOfTheFullSuiteIsFrozen) {
  int larger = 0;
  for (const OpSpec* op : AllOps()) {
    const size_t in_default_suite = CasesOf(*op).size();
    const std::vector<Case> all = CasesOf(*op, Suite::kFull);
    if (all.size() == in_default_suite) continue;
    const Frozen frozen = ReadFrozen(*op);
    for (const Case& c : all) {
      if (!c.hashed) continue;
      for (const Argument& argument : op->arguments) {
        EXPECT_TRUE(frozen.entries.contains(HashName(c, argument.name)))
            << HashName(c, argument.name);
      }
    }
    larger += static_cast<int>(all.size() - in_default_suite);
  }
  EXPECT_GE(larger, 30);
}

TEST(RecordedInputs, AreTheModelsOwn) {
  const auto run = ModelActivations(RepositoryRoot(), "scout-bytes", Dtype::kBf16, 0, 1);
  const Tensors linear = MakeTensors(CaseFromName(*FindOp("linear"), "bf16/real/C160_F160_T4"));
  const Tensor& norm = run.at("layer.02/attention_norm");
  for (int64_t i = 0; i < 4 * 160; ++i) {
    ASSERT_EQ(linear.at("x").Real(i), norm.Real(norm.count() - 4 * 160 + i)) << i;
  }
  // The op, run on the model's inputs, gives what the model gave.
  const Case c = CaseFromName(*FindOp("linear"), "bf16/real/C160_F160_T4");
  Tensors run_again = MakeTensors(c);
  lab::Run(c, &run_again, 1);
  const Tensor& q = run.at("layer.02/attention/q");
  for (int64_t i = 0; i < 4 * 160; ++i) {
    ASSERT_EQ(run_again.at("y").Real(i), q.Real(q.count() - 4 * 160 + i)) << i;
  }
}

TEST(RecordedInputs, GiveTheModelsOutputsInEveryOp) {
  const struct {
    const char *op, *name, *output, *path;
  } known[] = {
      {"rmsnorm", "bf16/real/C160_T4", "y", "layer.02/attention_norm"},
      {"rope", "bf16/real/D32_H5_T4", "y", "layer.02/attention/q_rope"},
      {"attention", "bf16/real/D32_G1_H5_S144_T4_chunk=128", "y", "layer.02/attention/heads"},
      {"temperature", "bf16/real/D32_H5_T4_floor_scale=128", "y",
       "layer.03/attention/q_temperature"},
      {"router", "bf16/real/A1_E16_T4", "scores", "layer.02/feed_forward/scores"},
      {"combine", "bf16/real/C160_R4_T4", "y", "layer.02/feed_forward/routed"},
      {"moe_block", "bf16/real/A1_C160_E16_F96_T4", "y", "layer.02/feed_forward/output"},
      {"attention_block", "bf16/real/C160_D32_G1_H5_S144_T3_chunk=128_first=141", "y",
       "layer.02/attention/output"},
      {"nope_attention_block", "bf16/real/C160_D32_G1_H5_S144_T3_first=141_floor_scale=128", "y",
       "layer.03/attention/output"},
      {"logits", "bf16/real/C160_T4_V264", "y", "output/logits"}};
  const auto run = ModelActivations(RepositoryRoot(), "scout-bytes", Dtype::kBf16, 0, 1);
  for (const auto& row : known) {
    const Case c = CaseFromName(*FindOp(row.op), row.name);
    Tensors tensors = MakeTensors(c);
    lab::Run(c, &tensors, 1);
    const Tensor &got = tensors.at(row.output), &whole = run.at(row.path);
    for (int64_t i = 0; i < got.count(); ++i) {
      ASSERT_EQ(got.Real(i), whole.Real(whole.count() - got.count() + i)) << row.op << " " << i;
    }
  }
}

TEST(RecordedInputs, OtherSeedsAreOtherTokensAndOtherSizesAreRefused) {
  const OpSpec& op = *FindOp("linear");
  EXPECT_NE(MakeTensors(CaseFromName(op, "f32/real/C160_F160_T4")).at("x").data,
            MakeTensors(CaseFromName(op, "f32/real/C160_F160_T4_seed=2")).at("x").data);
  for (const char* name : {"f32/real/C80_F160_T4", "f32/real/C160_F7_T4", "f32/real/C160_F160_T145",
                           "f32/real/C160_F160_T4_seed=1000000"}) {
    EXPECT_THROW(MakeTensors(CaseFromName(op, name)), UsageError) << name;
  }
}

}  // namespace
}  // namespace touchstone::lab
