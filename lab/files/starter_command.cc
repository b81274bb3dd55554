// `touchstone new`: a kernel's source to start from.
#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <string>

#include "lab/command_line.h"
#include "lab/errors.h"
#include "lab/files/starter.h"
#include "lab/output_file.h"
#include "lab/report.h"

namespace touchstone::lab {
namespace {

struct NewFlags {
  std::string op, language = "c", out;
  bool force = false;
};

int New(const NewFlags& flags) {
  const OpSpec* op = FindOp(flags.op);
  if (op == nullptr) {
    throw UsageError(fmt::format("no op or chain '{}' (`list` names them)", flags.op));
  }
  const bool cuda = flags.language != "c";
  const CudaStarter kind = flags.language == "cuda" ? CudaStarter::kSource : CudaStarter::kPlugin;
  const std::string out = flags.out.empty() ? op->name + (cuda ? ".cu" : ".c") : flags.out;
  RequireOutput("--out", out, {});
  if (!flags.force && std::filesystem::exists(out)) {
    throw UsageError(fmt::format("{} exists; --force replaces it", out));
  }
  const std::string file = std::filesystem::path(out).filename().string();
  WriteTextFile(out, cuda ? StarterInCuda(*op, file, kind) : StarterInC(*op, file));
  fmt::print("wrote {}; its first lines say how it is built and judged\n", out);
  return kPassed;
}

}  // namespace

void AddNewCommand(CLI::App* app, RunCommand* run) {
  const auto flags = std::make_shared<NewFlags>();
  CLI::App* command =
      app->add_subcommand("new", "Writes a kernel's source to start from, which passes as it is");
  command->add_option("op", flags->op, "an op or chain (`list` names them)")->required();
  command
      ->add_option(
          "--lang", flags->language,
          "c; cuda: a source that `verify` takes as it is, with or without a GPU; cuda-plugin: "
          "the same kernel for a library that nvcc builds; default: c")
      ->check(CLI::IsMember({"c", "cuda", "cuda-plugin"}));
  command->add_option("--out", flags->out, "the file to write; default: OP.c or OP.cu");
  command->add_flag("--force", flags->force, "replace a file that exists");
  command->callback([run, flags] { *run = [flags] { return New(*flags); }; });
}

}  // namespace touchstone::lab
