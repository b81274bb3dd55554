// Recordings of other implementations, all of a folder, judged as `agree` does.
//
//   oracle_agreement --oracle DIR            every file agrees, but for what KnownDisagreements names
//   oracle_agreement --oracle DIR --faults   every wrong model, and every profile with a choice
//                                            removed or exchanged, makes a recording a disagreement
//
// DIR/<case>/ is a checkpoint; DIR/<case>/activations-*.h5 and DIR/meta/<case>/activations-*.h5 are
// recordings of it. Exit code 0 only if all is as said.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "lab/agree/agreement.h"
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
    const fs::path checkpoint = folder / file.parent_path().filename();
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

// Meta's decode ignores the chunk mask; of it only the logits were recorded.
Fault KnownDisagreement(const std::string& name, const std::string& run) {
  const bool decodes = run == "decode" || run.ends_with("/decode");
  const bool has_chunks = name.starts_with("meta/scout-tiny/") || name.starts_with("meta/maverick");
  return decodes && has_chunks ? Fault::kChunkIgnoredInDecode : Fault::kNone;
}

bool RunIsAsExpected(const std::string& name, const RunReport& run) {
  const Fault known = KnownDisagreement(name, run.name);
  if (known == Fault::kNone) return run.Agrees();
  return run.end_to_end.Cause() == known ||
         (!run.causes.empty() && run.causes.front().starts_with(RowOf(known).name));
}

bool JudgeAll(const std::vector<std::unique_ptr<Oracle>>& oracles) {
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
      const bool expected = RunIsAsExpected(oracle->name, run);
      good = good && expected;
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
                            const exact::OutsideProfile& changed) {
      AgreementOptions options;
      options.image_token = oracle.image_token;
      const auto segments = JudgeSegments(*oracle.recording, run, oracle.model.config.text,
                                          oracle.model.weights.get(), Roundings(changed),
                                          Fault::kNone, options, run.paths);
      return std::all_of(segments.begin(), segments.end(),
                         [](const SegmentResult& s) { return s.comparison.outside == 0; });
    };
    std::vector<std::pair<const Oracle*, const RecordedRun*>> mine;
    for (const auto& oracle : oracles) {
      if (oracle->recording->recipe() != Dtype::kBf16) continue;
      for (const RecordedRun& run : oracle->recording->runs()) {
        if (agrees(*oracle, run, profile)) mine.emplace_back(oracle.get(), &run);
      }
    }
    fmt::print("profile {}: {} runs agree\n", profile.name, mine.size());
    good = good && !mine.empty();
    const auto show = [&](const std::string& what, const exact::OutsideProfile& changed) {
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
    for (const exact::OutsideChoiceRow& own : exact::OutsideChoices()) {
      if (!profile.choices.contains(own.choice)) continue;
      show("without " + own.name, profile.Without(own.choice));
      for (const exact::OutsideChoiceRow& other : exact::OutsideChoices()) {
        if (profile.choices.contains(other.choice)) continue;
        show(fmt::format("{} in place of {}", other.name, own.name),
             profile.Without(own.choice).With(other.choice));
      }
    }
  }
  return good;
}

int Main(int count, char** words) {
  CLI::App app{"Judges all recordings of a folder."};
  std::string folder;
  bool faults = false;
  app.add_option("--oracle", folder, "the folder")->required();
  app.add_flag("--faults", faults, "judge them by every wrong model and profile");
  CLI11_PARSE(app, count, words);
  const auto oracles = OraclesIn(folder);
  if (!faults) return JudgeAll(oracles) ? 0 : 1;
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
