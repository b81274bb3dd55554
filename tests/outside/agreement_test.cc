// Outside agreement: what Hugging Face transformers and Meta's llama-models recorded, op by op,
// lies within our derived bounds. docs/tables/outside_agreement.tsv has the numbers; with
// TOUCHSTONE_WRITE_TABLES set in the environment it is written, otherwise it must not get worse.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>

#include "tests/outside/agreement.h"
#include "tests/outside/rounded_attention.h"

namespace touchstone::outside {
namespace {

const std::string kForeign = std::string(TOUCHSTONE_SOURCE_DIR) + "/golden/foreign";
const std::string kTable =
    std::string(TOUCHSTONE_SOURCE_DIR) + "/docs/tables/outside_agreement.tsv";

const std::vector<Finding>& Findings() {
  static const std::vector<Finding> kFindings = JudgeForeign(kForeign);
  return kFindings;
}

double DecidedPercent(const Finding& finding) {
  return 100.0 * static_cast<double>(finding.decided) / static_cast<double>(finding.elements);
}

std::string Format(const char* format, double value) {
  char text[40];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

class Agreement : public testing::TestWithParam<std::string> {};

TEST_P(Agreement, EveryRecordedElementIsWithinItsBound) {
  int rows = 0;
  for (const Finding& finding : Findings()) {
    if (finding.op != GetParam()) continue;
    ++rows;
    std::printf("%s, %s, %s: %lld elements, largest ratio %.4f, %.1f %% decided, %lld ties\n",
                finding.implementation.c_str(), finding.recipe.c_str(), finding.profile.c_str(),
                static_cast<long long>(finding.elements), finding.largest_ratio,
                DecidedPercent(finding), static_cast<long long>(finding.ties));
    EXPECT_GT(finding.elements, 0);
    EXPECT_EQ(finding.undecidable, 0);
    EXPECT_EQ(finding.outside, 0) << "first: " << finding.first_outside;
  }
  EXPECT_GT(rows, 0) << "no recording of " << GetParam() << " was judged";
}

INSTANTIATE_TEST_SUITE_P(Ops, Agreement, testing::ValuesIn(JudgedOps()), [](const auto& instance) {
  std::string name = instance.param;
  std::replace(name.begin(), name.end(), '+', '_');
  std::replace(name.begin(), name.end(), ' ', '_');
  return name;
});

TEST(AgreementProfiles, AreAsFewAsTheyNeedToBe) {
  for (const Finding& finding : Findings()) {
    SCOPED_TRACE(finding.op + ", " + finding.implementation);
    const bool attends = finding.op.find("attention") != std::string::npos;
    if (finding.recipe == "f32" || (!attends && finding.op != "temperature")) {
      EXPECT_EQ(finding.profile, "contract");
    } else if (finding.implementation == "transformers") {
      EXPECT_EQ(finding.profile, EagerAttention().name) << EagerAttention().reason;
    } else if (finding.op == "attention chunked") {
      EXPECT_EQ(finding.profile, FusedAttention().name) << FusedAttention().reason;
    }
  }
}

// A judge that accepts everything would pass the tests above. Another configuration than that of
// the recordings must be noticed, by the op that reads it.
struct Planted {
  const char* what;
  Change change;
  std::vector<std::string> ops;
};

TEST(AgreementJudge, NoticesAnotherConfiguration) {
  const Planted planted[] = {
      {"eps of 2e-5", [](TextConfig* c) { c->eps = 2e-5; }, {"rmsnorm", "qk_norm"}},
      {"theta of 10000",
       [](TextConfig* c) { c->theta = 10000.0; },
       {"rope_frequencies+rope_table", "rope_frequencies+rope_table+rope"}},
      {"a hard switch in place of the smooth band",
       [](TextConfig* c) { c->high = 1.0; },
       {"rope_frequencies+rope_table"}},
      {"chunks of 15",
       [](TextConfig* c) { c->chunk = 15; },
       {"attention chunked", "attention chunked decode"}},
      {"no edge between chunks",
       [](TextConfig* c) { c->chunk = 1 << 20; },
       {"attention chunked", "attention chunked decode"}},
      {"a floor of 9",
       [](TextConfig* c) { c->floor_scale = 9.0; },
       {"temperature", "temperature+attention global", "temperature+attention global decode"}},
      {"a scale of 0.101",
       [](TextConfig* c) { c->attn_scale = 0.101; },
       {"temperature", "temperature+attention global", "temperature+attention global decode"}},
  };
  for (const auto& [what, change, ops] : planted) {
    std::map<std::string, int64_t> outside;
    for (const Finding& finding : JudgeForeign(kForeign, change)) {
      outside[finding.op] += finding.outside;
    }
    for (const std::string& op : ops) {
      std::printf("%s: %lld elements of %s are outside\n", what,
                  static_cast<long long>(outside[op]), op.c_str());
      EXPECT_GT(outside[op], 0) << what << " was not noticed by " << op;
    }
  }
}

constexpr char kHeader[] =
    "op\timplementation\trecipe\tprofile\telements\tlargest ratio\tdecided %\tties\n";

std::string Key(const Finding& finding) {
  return finding.op + "\t" + finding.implementation + "\t" + finding.recipe + "\t" +
         finding.profile;
}

std::string Table() {
  std::string text = kHeader;
  for (const Finding& finding : Findings()) {
    text += Key(finding) + "\t" + std::to_string(finding.elements) + "\t" +
            Format("%.4f", std::ceil(finding.largest_ratio * 1e4) / 1e4) + "\t" +
            Format("%.1f", DecidedPercent(finding)) + "\t" + std::to_string(finding.ties) + "\n";
  }
  return text;
}

TEST(AgreementTable, HasNotBecomeWorse) {
  if (std::getenv("TOUCHSTONE_WRITE_TABLES") != nullptr) {
    std::ofstream(kTable) << Table();
  }
  std::ifstream file(kTable);
  std::string line;
  ASSERT_TRUE(std::getline(file, line)) << kTable;
  ASSERT_EQ(line + "\n", kHeader);
  struct Committed {
    int64_t elements;
    double ratio;
  };
  std::map<std::string, Committed> committed;
  while (std::getline(file, line)) {
    std::istringstream cells(line);
    std::string op, implementation, recipe, profile, elements, ratio;
    for (std::string* cell : {&op, &implementation, &recipe, &profile, &elements, &ratio}) {
      ASSERT_TRUE(std::getline(cells, *cell, '\t')) << line;
    }
    committed[op + "\t" + implementation + "\t" + recipe + "\t" + profile] = {std::stoll(elements),
                                                                              std::stod(ratio)};
  }
  EXPECT_EQ(committed.size(), Findings().size());
  for (const Finding& finding : Findings()) {
    SCOPED_TRACE(Key(finding));
    const auto found = committed.find(Key(finding));
    ASSERT_NE(found, committed.end()) << "no such row";
    EXPECT_EQ(finding.elements, found->second.elements);
    // The table rounds upwards; the rest is for exponentials of another C library.
    EXPECT_LE(finding.largest_ratio, found->second.ratio + 1e-6);
  }
}

// A new op must be judged here too, or say why it cannot be.
TEST(Agreement, EveryOpIsJudgedOrSaysWhyNot) {
  const std::map<std::string, std::string> not_recorded = {
      {"kv_append", "a copy; no recording holds a cache"},
      {"sampling", "no recording draws a token"},
  };
  std::set<std::string> judged;
  for (const std::string& chain : JudgedOps()) {
    std::istringstream words(chain);
    for (std::string word; std::getline(words, word, '+');)
      judged.insert(word.substr(0, word.find(' ')));
  }
  for (const std::string op : {
#define OP(op, Function) #op,
#define OP_F32(op, Function) #op,
#define CHAIN(op, steps)
#include "reference/ops.def"
#undef OP
#undef OP_F32
#undef CHAIN
       }) {
    EXPECT_NE(judged.contains(op), not_recorded.contains(op)) << op;
  }
}

}  // namespace
}  // namespace touchstone::outside
