#include "lab/agree/agreement.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <tuple>

#include "lab/agree/our_logits.h"
#include "reference/model/activation_paths.h"

namespace touchstone::lab {
namespace {

GraphOptions OptionsOf(const Recording& recording, const RecordedRun& run,
                       const AgreementOptions& options) {
  GraphOptions graph;
  graph.recipe = recording.recipe();
  graph.fault = options.fault;
  graph.prefill = run.prefill;
  graph.image_token = options.image_token;
  return graph;
}

RecordedTensor AllOf(RecordedSequence* recorded) {
  return [recorded](const std::string& path) { return recorded->Find(path); };
}

// What real arithmetic takes from the recording: the experts, and the rows of images.
RecordedTensor ExpertsOf(RecordedSequence* recorded) {
  return [recorded](const std::string& path) -> std::optional<Tensor> {
    if (path.ends_with("/chosen") || path == "fused_embedding") return recorded->Find(path);
    return std::nullopt;
  };
}

// Rows of images that were put together from a projector's are no tensor of the recording's.
bool IsJudged(const Recording& recording, const RecordedRun& run, const std::string& path) {
  return path != "fused_embedding" ||
         !recording.Dataset(run, path).ends_with("multi_modal_projector");
}

std::vector<std::string> JudgedPaths(const Recording& recording, const RecordedRun& run) {
  std::vector<std::string> paths;
  for (const std::string& path : run.paths) {
    if (IsJudged(recording, run, path)) paths.push_back(path);
  }
  return paths;
}

int64_t Failures(const std::vector<SegmentResult>& segments) {
  int64_t outside = 0;
  for (const SegmentResult& segment : segments) outside += segment.comparison.outside;
  return outside;
}

CopyResult CompareCopy(const Recording& recording, const RecordedRun& run, size_t copy) {
  const auto& [dataset, path] = run.copies[copy];
  CopyResult result{dataset, path, {}};
  for (int64_t b = 0; b < recording.inputs().batch; ++b) {
    Tensor got = recording.ReadCopy(run, copy, b);
    Tensor wanted = recording.Read(run, path, b);
    const auto widen = [](const Tensor& x) {
      Tensor y(Dtype::kF32, x.shape);
      for (int64_t i = 0; i < x.count(); ++i) y.SetReal(i, static_cast<float>(x.Real(i)));
      return y;
    };
    // A copy in a wider format holds the same numbers.
    if (got.dtype != wanted.dtype) {
      got = widen(got);
      wanted = widen(wanted);
    }
    if (got.count() == wanted.count()) got.shape = wanted.shape;
    result.comparison.Join(CompareBits(path, DimsOf(path), got, wanted));
  }
  return result;
}

// ---- end to end ---------------------------------------------------------------------------------

class EndToEndRun {
 public:
  EndToEndRun(const Recording& recording, const RecordedRun& run, const TextConfig& config,
              TextWeights* weights, const AgreementOptions& options, const Roundings& roundings)
      : recording_(recording),
        run_(run),
        config_(config),
        weights_(weights),
        options_(options),
        roundings_(roundings) {}

  EndToEnd Compare(bool end_result_alone) {
    EndToEnd result;
    result.has_logits = recording_.Has(run_, "output/logits");
    result.end_result_alone = result.has_logits && end_result_alone;
    result.in_f32 = recording_.recipe() == Dtype::kF32;
    for (int64_t b = 0; b < recording_.inputs().batch; ++b) {
      RecordedSequence recorded(recording_, run_, b, config_);
      ModelGraph real = RealGraph(&recorded, options_.fault);
      CompareChoices(b, &recorded, &real, &result);
      if (!result.has_logits) continue;
      const exact::Matrix logits = real.RunToLogits().real.value;
      result.recorded.Join(DistanceBetween(recorded.Raw("output/logits"), logits));
      if (logits.isFinite().all()) {
        const Tensor ours = OurLogits(config_, weights_, recorded, options_.image_token);
        result.ours.Join(DistanceBetween(ours, logits));
        result.has_ours = true;
      }
    }
    result.ran = result.has_logits || result.choices > 0;
    if (result.end_result_alone) CompareUnderFaults(&result);
    return result;
  }

 private:
  ModelGraph RealGraph(RecordedSequence* recorded, Fault fault) {
    GraphOptions options = OptionsOf(recording_, run_, options_);
    options.real_arithmetic = true;
    options.fault = fault;
    return ModelGraph(config_, weights_, recorded->ids(), ExpertsOf(recorded), options);
  }

  void CompareChoices(int64_t sequence, RecordedSequence* recorded, ModelGraph* real,
                      EndToEnd* result) {
    std::optional<ModelGraph> graph;  // for logits that were not recorded
    for (size_t l = 0; l < config_.layers.size(); ++l) {
      const int64_t layer = static_cast<int64_t>(l);
      const std::string p = LayerPath(layer) + "/feed_forward/";
      real->ForgetBefore(layer);
      if (graph) graph->ForgetBefore(layer);
      recorded->ForgetBefore(layer);
      real->Known(LayerPath(layer) + "/output");
      if (!config_.layers[l].is_moe || !recording_.Has(run_, p + "chosen")) continue;
      const Tensor chosen = recorded->Raw(p + "chosen");
      const exact::Matrix logits = real->Known(p + "router_logits").real.value;
      if (!graph) {
        GraphOptions options = OptionsOf(recording_, run_, options_);
        options.roundings = roundings_;
        graph.emplace(config_, weights_, recorded->ids(), AllOf(recorded), options);
      }
      const exact::Enclosure& theirs = graph->Known(p + "router_logits").real;
      const auto apart = [&](int64_t t, int64_t e) {
        if (theirs.undecidable(t, e)) return static_cast<double>(INFINITY);
        return std::max(std::fabs(theirs.lower(t, e) - logits(t, e)),
                        std::fabs(theirs.upper(t, e) - logits(t, e)));
      };
      for (int64_t t = 0; t < logits.rows(); ++t) {
        const int64_t A = chosen.shape.at(1);
        std::vector<int64_t> taken(chosen.values<int64_t>() + t * A,
                                   chosen.values<int64_t>() + (t + 1) * A);
        result->choices += A;
        std::vector<int64_t> best(static_cast<size_t>(logits.cols()));
        for (size_t e = 0; e < best.size(); ++e) best[e] = static_cast<int64_t>(e);
        std::stable_sort(best.begin(), best.end(),
                         [&](int64_t a, int64_t b) { return logits(t, a) > logits(t, b); });
        best.resize(static_cast<size_t>(A));
        const auto missing = [](const std::vector<int64_t>& all, int64_t e) {
          return std::find(all.begin(), all.end(), e) == all.end();
        };
        std::erase_if(taken, [&](int64_t e) { return !missing(best, e); });
        std::erase_if(best, [&](int64_t e) {
          const int64_t* first = chosen.values<int64_t>() + t * A;
          return std::find(first, first + A, e) != first + A;
        });
        for (size_t i = 0; i < std::min(taken.size(), best.size()); ++i) {
          const double margin = logits(t, best[i]) - logits(t, taken[i]);
          result->others.push_back(
              {sequence, layer, t, taken[i], best[i], margin,
               apart(t, best[i]) + apart(t, taken[i]),
               std::fabs(logits(t, best[i])) + std::fabs(logits(t, taken[i]))});
        }
      }
    }
  }

  // Faults that change no logits of this run in real arithmetic.
  bool ReachesLogits(Fault fault) const {
    switch (fault) {
      case Fault::kScoresOfAllExperts:
      case Fault::kRopePositionsFromOne:  // only the differences of positions matter
        return false;
      case Fault::kQkNormBeforeRope:  // a rotation keeps the length
        return false;
      case Fault::kImageRowsReversed:
      case Fault::kImageRowsLeftOut:
      case Fault::kImageRowsDoubled:
        return options_.image_token >= 0;
      case Fault::kChunkIgnoredInDecode:
      case Fault::kDecodePositionsOffByOne:
        return run_.prefill >= 0;
      default:
        return true;
    }
  }

  void CompareUnderFaults(EndToEnd* result) {
    result->under.push_back({Fault::kNone, result->recorded.root_mean_square});
    for (const FaultRow& row : AllFaults()) {
      if (!Concerns(row.fault, config_) || !ReachesLogits(row.fault)) continue;
      if (options_.progress) options_.progress(run_.name, "real arithmetic", row.name);
      Distance distance;
      for (int64_t b = 0; b < recording_.inputs().batch; ++b) {
        RecordedSequence recorded(recording_, run_, b, config_);
        ModelGraph real = RealGraph(&recorded, row.fault);
        distance.Join(
            DistanceBetween(recorded.Raw("output/logits"), real.RunToLogits().real.value));
      }
      result->under.push_back({row.fault, distance.root_mean_square});
    }
  }

  const Recording& recording_;
  const RecordedRun& run_;
  const TextConfig& config_;
  TextWeights* weights_;
  const AgreementOptions& options_;
  const Roundings& roundings_;
};

// The segments of a run under one set of roundings.
struct Trial {
  Roundings roundings;
  std::vector<SegmentResult> segments;
};

// The right profile makes all of attention agree, where profiles differ, whatever is wrong
// elsewhere; then fewer elements outside count, then a profile before the hull, which tells less.
auto BadnessOf(const Trial& trial) {
  const auto fails = [](const SegmentResult& segment) {
    return segment.comparison.outside > 0 && segment.path.ends_with("/attention/heads");
  };
  return std::tuple(std::count_if(trial.segments.begin(), trial.segments.end(), fails),
                    Failures(trial.segments), trial.roundings.is_hull());
}

// Finds the faults under which the first failed segment agrees: of these, those that leave the
// fewest failed segments unexplained, then those that break the fewest others.
class CauseSearch {
 public:
  CauseSearch(const Recording& recording, const RecordedRun& run, const TextConfig& config,
              TextWeights* weights, const AgreementOptions& options)
      : recording_(recording), run_(run), config_(config), weights_(weights), options_(options) {
    quiet_.image_token = options.image_token;
  }

  // The number of the trial that shows them, or -1 where there is none.
  int64_t Explain(const std::vector<Trial>& trials, const std::vector<std::string>& paths,
                  std::vector<std::string>* causes) {
    std::optional<Left> fewest;
    int64_t best = -1;
    for (const FaultRow& row : AllFaults()) {
      if (!Concerns(row.fault, config_)) continue;
      if (options_.progress) options_.progress(run_.name, "causes", row.name);
      for (size_t i = 0; i < trials.size(); ++i) {
        const std::optional<Left> left = LeftUnder(row.fault, trials[i], paths);
        if (!left || (fewest && *left > *fewest)) continue;
        if (!fewest || *left < *fewest) {
          causes->clear();
          best = static_cast<int64_t>(i);
          fewest = left;
        }
        const std::string text = row.name + ": " + row.sentence;
        if (std::find(causes->begin(), causes->end(), text) == causes->end()) {
          causes->push_back(text);
        }
      }
    }
    return best;
  }

 private:
  using Left = std::pair<int64_t, int64_t>;  // segments that still fail, and that newly fail

  // Nothing where the fault does not explain the first failure.
  std::optional<Left> LeftUnder(Fault fault, const Trial& trial,
                                const std::vector<std::string>& paths) {
    const auto fails = [](const SegmentResult& s) { return s.comparison.outside > 0; };
    const auto first = std::find_if(trial.segments.begin(), trial.segments.end(), fails);
    if (first == trial.segments.end()) return std::nullopt;
    if (!Judge(fault, trial, {first->path}).front().Agrees()) return std::nullopt;
    const std::vector<SegmentResult> wrong = Judge(fault, trial, paths);
    Left left{0, 0};
    for (size_t i = 0; i < wrong.size(); ++i) {
      if (fails(wrong[i])) ++(fails(trial.segments[i]) ? left.first : left.second);
    }
    return left;
  }
  std::vector<SegmentResult> Judge(Fault fault, const Trial& trial,
                                   const std::vector<std::string>& paths) {
    return JudgeSegments(recording_, run_, config_, weights_, trial.roundings, fault, quiet_,
                         paths);
  }

  const Recording& recording_;
  const RecordedRun& run_;
  const TextConfig& config_;
  TextWeights* weights_;
  const AgreementOptions& options_;
  AgreementOptions quiet_;
};

RunReport JudgeRun(const Recording& recording, const RecordedRun& run, const TextConfig& config,
                   TextWeights* weights, const AgreementOptions& options) {
  RunReport report;
  report.name = run.name;
  const std::vector<Roundings> all =
      options.roundings.empty() ? RoundingsFor(recording.recipe()) : options.roundings;
  const std::vector<std::string> paths = JudgedPaths(recording, run);
  std::vector<Trial> trials;
  for (const Roundings& roundings : all) {
    report.tried.push_back(roundings.name());
    trials.push_back({roundings, JudgeSegments(recording, run, config, weights, roundings,
                                               options.fault, options, paths)});
    if (Failures(trials.back().segments) == 0) break;
  }
  auto shown = std::min_element(trials.begin(), trials.end(), [](const Trial& a, const Trial& b) {
    return BadnessOf(a) < BadnessOf(b);
  });
  if (Failures(shown->segments) > 0 && options.find_causes) {
    const int64_t explained = CauseSearch(recording, run, config, weights, options)
                                  .Explain(trials, paths, &report.causes);
    if (explained >= 0) shown = trials.begin() + explained;
  }
  const Roundings best = shown->roundings;
  report.roundings = best.name();
  report.segments = std::move(shown->segments);
  for (size_t copy = 0; copy < run.copies.size(); ++copy) {
    report.copies.push_back(CompareCopy(recording, run, copy));
  }
  bool reaches_logits = true;
  for (const SegmentResult& segment : report.segments) {
    if (segment.path == "output/logits") reaches_logits = segment.comparison.undecidable == 0;
    if (!segment.SaysNothing()) continue;
    report.not_run.push_back(
        {recording.Dataset(run, segment.path), "no recorded tensor near enough"});
  }
  if (options.end_to_end) {
    report.end_to_end =
        EndToEndRun(recording, run, config, weights, options, best).Compare(!reaches_logits);
  }
  return report;
}

}  // namespace

std::vector<SegmentResult> JudgeSegments(const Recording& recording, const RecordedRun& run,
                                         const TextConfig& config, TextWeights* weights,
                                         const Roundings& roundings, Fault fault,
                                         const AgreementOptions& options,
                                         const std::vector<std::string>& paths) {
  std::vector<SegmentResult> all;
  for (int64_t b = 0; b < recording.inputs().batch; ++b) {
    RecordedSequence recorded(recording, run, b, config);
    GraphOptions graph_options = OptionsOf(recording, run, options);
    graph_options.roundings = roundings;
    graph_options.fault = fault;
    ModelGraph graph(config, weights, recorded.ids(), AllOf(&recorded), graph_options);
    int64_t layer = 0;
    for (size_t i = 0; i < paths.size(); ++i) {
      if (LayerOf(paths[i]) > layer) {
        layer = LayerOf(paths[i]);
        graph.ForgetBefore(layer);
        recorded.ForgetBefore(layer);
      }
      if (options.progress) options.progress(run.name, roundings.name(), paths[i]);
      SegmentResult result = JudgeSegment(paths[i], &graph, &recorded);
      if (b == 0) {
        all.push_back(std::move(result));
      } else {
        all[i].Join(result);
      }
    }
  }
  return all;
}

bool RunReport::SegmentsAgree() const {
  const auto accepted = [](const Comparison& c) { return c.outside == 0; };
  return std::all_of(segments.begin(), segments.end(),
                     [&](const SegmentResult& s) { return accepted(s.comparison); }) &&
         std::all_of(copies.begin(), copies.end(),
                     [&](const CopyResult& c) { return accepted(c.comparison); });
}

bool RunReport::Agrees() const { return SegmentsAgree() && end_to_end.Agrees(); }

int64_t AgreementReport::compared() const {
  int64_t count = 0;
  for (const RunReport& run : runs) {
    for (const SegmentResult& segment : run.segments) count += segment.SaysNothing() ? 0 : 1;
  }
  return count;
}

bool AgreementReport::Agrees() const {
  return compared() > 0 && surplus.empty() &&
         std::all_of(runs.begin(), runs.end(), [](const RunReport& run) { return run.Agrees(); });
}

AgreementReport JudgeRecording(const Recording& recording, const TextConfig& config,
                               TextWeights* weights, const AgreementOptions& options) {
  AgreementReport report;
  report.file = recording.file();
  report.made_by = recording.made_by();
  report.recipe = Name(recording.recipe());
  for (const std::string& dataset : recording.unknown()) {
    report.not_run.push_back({dataset, "no tensor of the text model"});
  }
  for (const auto& [dataset, path] : recording.surplus()) {
    // transformers makes a table for layers that do not rotate.
    if (path == "rope_table") {
      report.not_run.push_back({dataset, "no layer of this model has RoPE"});
    } else {
      report.surplus.push_back({dataset, "this model has no " + path});
    }
  }
  for (const RecordedRun& run : recording.runs()) {
    report.runs.push_back(JudgeRun(recording, run, config, weights, options));
  }
  // How far right logits of this implementation are from real arithmetic: those whose segments
  // agree.
  for (const RunReport& judged : report.runs) {
    const EndToEnd& e = judged.end_to_end;
    if (!e.has_logits || e.end_result_alone || !judged.SegmentsAgree()) continue;
    for (RunReport& run : report.runs) {
      if (run.end_to_end.yardstick == 0.0) run.end_to_end.yardstick = e.recorded.root_mean_square;
    }
  }
  return report;
}

}  // namespace touchstone::lab
