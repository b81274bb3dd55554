#include <cstdio>
#include <memory>
#include <string>

#include "lab/command_line.h"
#include "lab/errors.h"
#include "lab/model/inspect.h"

namespace touchstone::lab {
namespace {

struct Flags {
  std::string model;
  bool tensors = false, json = false;
};

}  // namespace

void AddInspectCommand(CLI::App* app, RunCommand* run) {
  CLI::App* const inspect = app->add_subcommand(
      "inspect", "Says what a model is: sizes, constants, layers, parameters, tensors");
  const auto flags = std::make_shared<Flags>();
  inspect
      ->add_option("model", flags->model,
                   "a model's folder, a config.json or params.json, or a published model: scout, "
                   "maverick, llama-guard-4")
      ->required();
  inspect->add_flag("--tensors", flags->tensors, "name every tensor, with its shape");
  inspect->add_flag("--json", flags->json, "as JSON");
  inspect->callback([flags, run] {
    *run = [flags] {
      const InspectedModel model = Inspect(flags->model);
      const std::string report =
          flags->json ? ModelJson(model, flags->tensors) : ShowModel(model, flags->tensors);
      std::fwrite(report.data(), 1, report.size(), stdout);
      return static_cast<int>(kPassed);
    };
  });
}

}  // namespace touchstone::lab
