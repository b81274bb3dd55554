// `touchstone agree`: another implementation's recorded activations against the contract.
#include <fmt/format.h>

#include <cstdio>
#include <memory>

#include "lab/agree/agree_report.h"
#include "lab/agree/agreement.h"
#include "lab/command_line.h"
#include "lab/errors.h"
#include "lab/output_file.h"
#include "lab/progress_line.h"
#include "lab/report.h"
#include "reference/checkpoint/text_weights.h"

namespace touchstone::lab {
namespace {

struct AgreeFlags {
  std::string model, activations, json, profile;
};

std::vector<Roundings> RoundingsNamed(const std::string& name) {
  if (name.empty()) return {};
  if (name == "contract") return {Roundings()};
  if (const exact::OutsideProfile* profile = exact::FindOutsideProfile(name)) {
    return {Roundings(*profile)};
  }
  std::string names;
  for (const exact::OutsideProfile& known : exact::OutsideProfiles()) names += " " + known.name;
  throw UsageError(fmt::format("no profile '{}'; there are:{}", name, names));
}

int Agree(const AgreeFlags& flags) {
  if (!flags.json.empty()) RequireOutput("--json", flags.json, {flags.activations, flags.model});
  AgreementOptions options;
  options.roundings = RoundingsNamed(flags.profile);
  const ProgressLine progress;
  options.progress = [&progress, shown = std::string()](const std::string& run,
                                                        const std::string& what,
                                                        const std::string& path) mutable {
    const std::string line = fmt::format("{}, {}: {}", run, what, path.substr(0, path.find('/')));
    if (line == shown) return;
    progress.Show(line);
    shown = line;
  };

  const checkpoint::TextConfigRead config =
      checkpoint::ReadConfigFile(checkpoint::ConfigFileOf(flags.model));
  options.image_token = config.tokens.image.value_or(-1);
  const Recording recording(flags.activations, config.text, options.image_token);
  checkpoint::TextModelFolder model = checkpoint::OpenTextModel(flags.model, recording.recipe());
  const AgreementReport report =
      JudgeRecording(recording, model.config.text, model.weights.get(), options);
  progress.Clear();
  for (const std::string& note : model.config.notes) fmt::print("note: {}\n", note);
  fmt::print("{}", AgreementText(report));
  if (!flags.json.empty()) WriteTextFile(flags.json, AgreementJson(report, flags.model));
  return report.Agrees() ? kPassed : kFailed;
}

}  // namespace

void AddAgreeCommand(CLI::App* app, RunCommand* run) {
  const auto flags = std::make_shared<AgreeFlags>();
  CLI::App* agree = app->add_subcommand(
      "agree", "Judges another implementation's recorded activations, op by op");
  agree->add_option("--model", flags->model, "folder of the checkpoint")->required();
  agree->add_option("--activations", flags->activations, "the recording, an HDF5 file")->required();
  agree->add_option("--json", flags->json, "write the report as JSON to this file");
  agree->add_option("--profile", flags->profile,
                    "judge under this profile alone (default: the contract, then every profile)");
  agree->callback([run, flags] { *run = [flags] { return Agree(*flags); }; });
}

}  // namespace touchstone::lab
