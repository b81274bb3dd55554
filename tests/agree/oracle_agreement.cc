// Recordings of other implementations, all of a folder, judged as `agree` does.
//
//   oracle_agreement --oracle DIR            every file agrees, but for KnownDisagreement's runs
//   oracle_agreement --oracle DIR --profiles every profile with one choice more, fewer or exchanged
//                                            makes a recording a disagreement
//   oracle_agreement --oracle DIR --faults   every wrong model, and every profile with a choice
//                                            removed or exchanged, makes a recording a disagreement
//
// A recording is any <case>/activations-*.h5 below DIR; its checkpoint lies beside it, or is
// DIR/<case>/ or golden/models/<case>/. Exit code 0 only if all is as said.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "lab/agree/agreement.h"
#include "lab/report.h"
#include "lab/repository.h"
#include "reference/checkpoint/text_weights.h"
#include "tests/agree/where_noticed.h"

namespace touchstone::lab {
namespace {

namespace fs = std::filesystem;

// A recording and the model that it is of.
struct Oracle {
  std::string name;  // "meta/scout-tiny/activations-bfloat16.h5"
  checkpoint::TextModelFolder model;
  int64_t image_token;
  std::unique_ptr<Recording> recording;

  AgreementReport Judge(AgreementOptions options) const {
    options.image_token = image_token;
    return JudgeRecording(*recording, model.config.text, model.weights.get(), options);
  }
};

std::vector<std::unique_ptr<Oracle>> OraclesIn(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const std::string file = entry.path().filename().string();
    if (file.starts_with("activations-") && file.ends_with(".h5")) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::vector<std::unique_ptr<Oracle>> all;
  for (const fs::path& file : files) {
    const fs::path name = file.parent_path().filename();
    fs::path checkpoint = file.parent_path();
    for (const fs::path& elsewhere :
         {folder / name, fs::path(RepositoryRoot()) / "golden/models" / name}) {
      if (!fs::exists(checkpoint / "config.json")) checkpoint = elsewhere;
    }
    if (!fs::exists(checkpoint / "config.json")) continue;
    const auto config = checkpoint::ReadConfigFile(checkpoint::ConfigFileOf(checkpoint.string()));
    const int64_t image_token = config.tokens.image.value_or(-1);
    auto recording = std::make_unique<Recording>(file.string(), config.text, image_token);
    auto model = checkpoint::OpenTextModel(checkpoint.string(), recording->recipe());
    all.push_back(std::make_unique<Oracle>(Oracle{
        fs::relative(file, folder).string(), std::move(model), image_token, std::move(recording)}));
  }
  return all;
}

// "transformers" of "transformers 5.23.0, torch 2.15.0, CPU".
std::string ImplementationOf(const Oracle& oracle) {
  const std::string& made_by = oracle.recording->made_by();
  return made_by.substr(0, made_by.find(' '));
}

// Meta's decode ignores the chunk mask; of it only the logits were recorded.
Fault KnownDisagreement(const Oracle& oracle, const std::string& run) {
  const bool decodes = run == "decode" || run.ends_with("/decode");
  const bool is_known = decodes && ImplementationOf(oracle) == "llama-models" &&
                        oracle.model.config.text.attention_chunk_size > 0;
  return is_known ? Fault::kChunkIgnoredInDecode : Fault::kNone;
}

// The tables of docs/chapters/agreement.md: what was compared of each kind of segment, and what
// came of each run.
class Tables {
 public:
  void Add(const Oracle& oracle, const RunReport& run) {
    const std::string implementation = ImplementationOf(oracle);
    const std::string recipe(Name(oracle.recording->recipe()));
    const Fault cause = run.end_to_end.Cause();
    Comparison all;
    for (const SegmentResult& segment : run.segments) {
      if (segment.SaysNothing()) continue;
      all.Join(segment.comparison);
      if (!kinds_.contains(segment.kind)) order_.push_back(segment.kind);
      Row& row = kinds_[segment.kind][{implementation, recipe, run.roundings}];
      row.comparison.Join(segment.comparison);
      row.ties += segment.ties;
    }
    const std::string verdict = !run.Agrees()      ? "FAILED"
                                : all.compared > 0 ? "WITHIN BOUND"
                                                   : "NOT RUN";
    runs_ += fmt::format("{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\n", implementation,
                         fs::path(oracle.name).parent_path().filename().string(), recipe, run.name,
                         verdict, all.compared > 0 ? run.roundings : "-", all.compared,
                         cause == Fault::kNone ? "-" : RowOf(cause).name);
  }

  void Write(const fs::path& folder) const {
    std::string text =
        "segment\timplementation\trecipe\troundings\telements\toutside\tlargest ratio\tdecided "
        "%\tties\n";
    for (const std::string& kind : order_) {
      for (const auto& [key, row] : kinds_.at(kind)) {
        const auto& [implementation, recipe, roundings] = key;
        text += fmt::format("{}\t{}\t{}\t{}\t{}\t{}\t{:.4f}\t{:.1f}\t{}\n", kind, implementation,
                            recipe, roundings, row.comparison.compared, row.comparison.outside,
                            row.comparison.largest_ratio,
                            100.0 * static_cast<double>(row.comparison.decided) /
                                static_cast<double>(row.comparison.compared),
                            row.ties);
      }
    }
    WriteTextFile(folder / "outside_agreement.tsv", text);
    WriteTextFile(
        folder / "outside_runs.tsv",
        "implementation\tmodel\trecipe\trun\tverdict\troundings\telements\tcause\n" + runs_);
  }

 private:
  struct Row {
    Comparison comparison;
    int64_t ties = 0;
  };
  std::vector<std::string> order_;  // of kinds, as a forward pass meets them
  std::map<std::string, std::map<std::tuple<std::string, std::string, std::string>, Row>> kinds_;
  std::string runs_;
};

bool RunIsAsExpected(const Oracle& oracle, const RunReport& run) {
  const Fault known = KnownDisagreement(oracle, run.name);
  if (known == Fault::kNone) return run.Agrees();
  return run.end_to_end.Cause() == known ||
         (!run.causes.empty() && run.causes.front().starts_with(RowOf(known).name));
}

bool JudgeAll(const std::vector<std::unique_ptr<Oracle>>& oracles, Tables* tables) {
  fmt::print("{:<48} {:<16} {:>8} {:>9} {:>6} {:>7} {:>7} {:>7} {}\n", "file", "run", "segments",
             "elements", "ratio", "decided", "not run", "seconds", "roundings");
  bool good = !oracles.empty();
  for (const auto& oracle : oracles) {
    const auto start = std::chrono::steady_clock::now();
    const AgreementReport report = oracle->Judge({});
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    good = good && report.compared() > 0;
    for (const RunReport& run : report.runs) {
      Comparison all;
      for (const SegmentResult& segment : run.segments) all.Join(segment.comparison);
      const bool expected = RunIsAsExpected(*oracle, run);
      good = good && expected;
      tables->Add(*oracle, run);
      fmt::print("{:<48} {:<16} {:>8} {:>9} {:>6.3f} {:>6.1f}% {:>7} {:>7.1f} {}{}\n", oracle->name,
                 run.name, run.segments.size() - run.not_run.size(), all.compared,
                 all.largest_ratio,
                 100.0 * static_cast<double>(all.decided) /
                     static_cast<double>(std::max<int64_t>(all.compared, 1)),
                 run.not_run.size(), seconds, run.roundings,
                 !expected      ? "   NOT AS EXPECTED"
                 : run.Agrees() ? ""
                                : "   FAILED, as it must");
      std::fflush(stdout);
    }
  }
  return good;
}

// The right recordings judged by every wrong model, until one of each recipe disagrees.
bool JudgeFaults(const std::vector<std::unique_ptr<Oracle>>& oracles) {
  bool good = true;
  for (const Noticed& noticed : WhereNoticed()) {
    std::map<Dtype, std::string> where;
    std::map<Dtype, bool> concerned;  // some model of the recipe has what the fault is in
    for (const auto& oracle : oracles) {
      const Dtype recipe = oracle->recording->recipe();
      if (!Concerns(noticed.fault, oracle->model.config.text)) continue;
      if (where.contains(recipe)) continue;
      concerned[recipe] = noticed.in_bf16 || recipe == Dtype::kF32;
      AgreementOptions options;
      options.fault = noticed.fault;
      options.end_to_end = options.find_causes = false;
      const std::string path = FirstFailure(oracle->Judge(options));
      if (!path.empty() && IsAt(path, noticed.at)) where[recipe] = path + " of " + oracle->name;
    }
    const auto text = [&](Dtype recipe) {
      return where.contains(recipe) ? where.at(recipe) : std::string("-");
    };
    bool missed = false;
    for (const auto& [recipe, must_show] : concerned) {
      missed = missed || (must_show && !where.contains(recipe));
    }
    good = good && !missed;
    fmt::print("{:<40} f32: {}\n{:<40} bf16: {}{}\n", RowOf(noticed.fault).name, text(Dtype::kF32),
               "", text(Dtype::kBf16), missed ? "   MISSED" : "");
    std::fflush(stdout);
  }
  return good;
}

// Every profile, with one of its choices removed, or exchanged for one that it does not make.
bool JudgeProfiles(const std::vector<std::unique_ptr<Oracle>>& oracles) {
  bool good = true;
  for (const exact::OutsideProfile& profile : exact::OutsideProfiles()) {
    if (profile.choices.empty()) continue;
    const auto agrees = [&](const Oracle& oracle, const RecordedRun& run,
                            const Roundings& changed) {
      AgreementOptions options;
      options.image_token = oracle.image_token;
      const auto segments =
          JudgeSegments(*oracle.recording, run, oracle.model.config.text,
                        oracle.model.weights.get(), changed, Fault::kNone, options, run.paths);
      return std::all_of(segments.begin(), segments.end(),
                         [](const SegmentResult& s) { return s.comparison.outside == 0; });
    };
    std::vector<std::pair<const Oracle*, const RecordedRun*>> mine;
    for (const auto& oracle : oracles) {
      if (oracle->recording->recipe() != Dtype::kBf16) continue;
      for (const RecordedRun& run : oracle->recording->runs()) {
        if (agrees(*oracle, run, Roundings(profile))) mine.emplace_back(oracle.get(), &run);
      }
    }
    fmt::print("profile {}: {} runs agree\n", profile.name, mine.size());
    good = good && !mine.empty();
    const auto show = [&](const std::string& what, const Roundings& changed) {
      std::string noticed;
      for (const auto& [oracle, run] : mine) {
        if (noticed.empty() && !agrees(*oracle, *run, changed)) {
          noticed = oracle->name + ", " + run->name;
        }
      }
      fmt::print("  {:<56} {}\n", what, noticed.empty() ? "NOT NOTICED" : "noticed in " + noticed);
      std::fflush(stdout);
      good = good && !noticed.empty();
    };
    using exact::RoundingPlace;
    for (const RoundingPlace place :
         {RoundingPlace::kNormUnit, RoundingPlace::kSilu, RoundingPlace::kActivation,
          RoundingPlace::kGate, RoundingPlace::kUp, RoundingPlace::kExpertInput,
          RoundingPlace::kResidual}) {
      // llama-models' second run did not record what tells these apart.
      if (profile.name == "llama-models-round-q") break;
      show("without the place " + exact::Name(place), Roundings(profile).LeavingOut(place));
    }
    for (const exact::OutsideChoiceRow& own : exact::OutsideChoices()) {
      if (!profile.choices.contains(own.choice)) continue;
      show("without " + own.name, Roundings(profile.Without(own.choice)));
      for (const exact::OutsideChoiceRow& other : exact::OutsideChoices()) {
        if (profile.choices.contains(other.choice)) continue;
        show(fmt::format("{} in place of {}", other.name, own.name),
             Roundings(profile.Without(own.choice).With(other.choice)));
      }
    }
  }
  return good;
}

int Main(int count, char** words) {
  CLI::App app{"Judges all recordings of a folder."};
  std::string folder;
  std::string tables;
  bool faults = false, profiles = false;
  app.add_option("--oracle", folder, "the folder")->required();
  app.add_option("--write", tables, "the folder that the tables go to");
  app.add_flag("--profiles", profiles, "judge them by every profile with one choice changed");
  app.add_flag("--faults", faults, "judge them by every wrong model and profile");
  CLI11_PARSE(app, count, words);
  const auto oracles = OraclesIn(folder);
  if (profiles) return JudgeProfiles(oracles) ? 0 : 1;
  if (!faults) {
    Tables all;
    const bool good = JudgeAll(oracles, &all);
    if (good && !tables.empty()) all.Write(tables);
    return good ? 0 : 1;
  }
  const bool faults_noticed = JudgeFaults(oracles);
  return JudgeProfiles(oracles) && faults_noticed ? 0 : 1;
}

}  // namespace
}  // namespace touchstone::lab

int main(int count, char** words) {
  try {
    return touchstone::lab::Main(count, words);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "oracle_agreement: %s\n", error.what());
    return 1;
  }
}
