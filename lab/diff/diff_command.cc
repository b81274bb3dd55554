// touchstone diff: where two recordings of one model first part, and how far they get.
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include "golden/bad_file.h"
#include "lab/command_line.h"
#include "lab/diff/diff_report.h"
#include "lab/diff/trace_diff.h"
#include "lab/errors.h"
#include "lab/output_file.h"
#include "lab/progress_line.h"
#include "lab/recording/recording.h"
#include "lab/report.h"
#include "reference/checkpoint/text_weights.h"

namespace touchstone::lab {
namespace {

struct DiffOptions {
  std::string a, b, run_a, run_b, model, html, json;
};

std::unique_ptr<Recording> Open(const std::string& file, const std::string& model) {
  if (model.empty()) return std::make_unique<Recording>(file);
  const checkpoint::TextConfigRead config =
      checkpoint::ReadConfigFile(checkpoint::ConfigFileOf(model));
  return std::make_unique<Recording>(file, config.text, config.tokens.image.value_or(-1));
}

const RecordedRun& RunOf(const Recording& recording, const std::string& name) {
  std::vector<std::string> names;
  for (const RecordedRun& run : recording.runs()) {
    if (name.empty() || run.name == name) return run;
    names.push_back(run.name);
  }
  if (names.empty()) {
    throw golden::BadFile(fmt::format(
        "{}: found no tensor of a text model, expected a trace, or activations under the names of "
        "transformers or of llama-models",
        recording.file()));
  }
  throw UsageError(
      fmt::format("{}: no run '{}'; there are {}", recording.file(), name, fmt::join(names, ", ")));
}

void RequireReports(const DiffOptions& options) {
  std::vector<std::string> inputs = {options.a, options.b};
  if (!options.model.empty()) inputs.push_back(options.model);
  if (!options.html.empty()) RequireOutput("--html", options.html, inputs);
  if (!options.json.empty()) RequireOutput("--json", options.json, inputs);
  if (!options.html.empty() && options.html == options.json) {
    throw UsageError(fmt::format("--html and --json: both go to {}", options.html));
  }
}

int Diff(const DiffOptions& options) {
  RequireReports(options);
  const auto a = Open(options.a, options.model), b = Open(options.b, options.model);
  const RecordedRun &run_a = RunOf(*a, options.run_a), &run_b = RunOf(*b, options.run_b);
  const ProgressLine progress;
  const TraceDiff diff =
      DiffRecordings(*a, run_a, *b, run_b, [&](const std::string& path) { progress.Show(path); });
  progress.Clear();
  const std::string text = DiffText(diff);
  std::fwrite(text.data(), 1, text.size(), stdout);
  if (!options.json.empty()) WriteTextFile(options.json, DiffJson(diff));
  if (!options.html.empty()) WriteTextFile(options.html, DiffHtml(diff));
  if (diff.elements() == 0) return kNotRun;
  return diff.is_identical() ? kPassed : kFailed;
}

}  // namespace

void AddDiffCommand(CLI::App* app, RunCommand* run) {
  const auto options = std::make_shared<DiffOptions>();
  CLI::App* diff = app->add_subcommand(
      "diff", "Compares two traces or recordings: first divergence, distances, decisions");
  diff->add_option("a", options->a, "A: an HDF5 file")->required();
  diff->add_option("b", options->b, "B: another")->required();
  diff->add_option("--model", options->model,
                   "the checkpoint's folder, which places every name that others record under");
  diff->add_option("--run-a", options->run_a, "the run of A (default: its first)");
  diff->add_option("--run-b", options->run_b, "the run of B (default: its first)");
  diff->add_option("--html", options->html, "write a page with a chart to this file");
  diff->add_option("--json", options->json, "write the comparison as JSON to this file");
  diff->footer(
      "Exit codes: 0 bit-identical, 1 different, 2 usage, 3 nothing in common, 4 a bad "
      "file, or files of different inputs.");
  diff->callback([options, run] { *run = [options] { return Diff(*options); }; });
}

}  // namespace touchstone::lab
