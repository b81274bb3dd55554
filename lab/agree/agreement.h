// Another implementation's recorded activations against the contract: every recorded tensor against
// its segment, and the logits of the whole run against real arithmetic.
//
// A run agrees if all its segments do under one set of roundings: the hull of the contract, or, in
// bf16, one profile for all ops and layers.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "lab/agree/end_to_end.h"
#include "lab/agree/segment_judge.h"
#include "lab/recording/recording.h"
#include "reference/model/text_config.h"
#include "reference/model/text_weights.h"

namespace touchstone::lab {

// A recorded tensor of which nothing was said.
struct NotRun {
  std::string dataset, reason;
};

// A dataset that must repeat another one's bits.
struct CopyResult {
  std::string dataset, path;
  Comparison comparison;
};

struct RunReport {
  std::string name;                     // of the recording's run
  std::string roundings = "contract";   // under which it agrees, or of all tried disagrees least
  std::vector<std::string> tried;       // names, in order
  std::vector<SegmentResult> segments;  // in forward order
  std::vector<CopyResult> copies;
  std::vector<NotRun> not_run;
  std::vector<std::string> causes;  // faults under which what failed agrees
  EndToEnd end_to_end;

  bool SegmentsAgree() const;
  bool Agrees() const;
};

struct AgreementReport {
  std::string file, made_by, recipe;
  std::vector<RunReport> runs;
  std::vector<NotRun> not_run;  // datasets that are no tensor of the text model
  // Datasets of tensors that the recorded model has and this one does not: a disagreement each.
  std::vector<NotRun> surplus;

  int64_t compared() const;  // segments of which something was said
  bool Agrees() const;       // at least one was compared, and everything agrees
};

struct AgreementOptions {
  std::vector<Roundings> roundings;  // empty: RoundingsFor(recipe)
  Fault fault = Fault::kNone;        // judge by a wrong model: a test of the judge
  bool end_to_end = true;
  bool find_causes = true;
  int64_t image_token = -1;
  std::function<void(const std::string& run, const std::string& roundings, const std::string& path)>
      progress = {};
};

AgreementReport JudgeRecording(const Recording& recording, const TextConfig& config,
                               TextWeights* weights, const AgreementOptions& options);

// The segments of one run under one set of roundings, all sequences joined.
std::vector<SegmentResult> JudgeSegments(const Recording& recording, const RecordedRun& run,
                                         const TextConfig& config, TextWeights* weights,
                                         const Roundings& roundings, Fault fault,
                                         const AgreementOptions& options,
                                         const std::vector<std::string>& paths);

}  // namespace touchstone::lab
