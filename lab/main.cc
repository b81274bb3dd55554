// The program: reads the command line, runs a command, ends with the documented exit code.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "fuzz/search/fuzz_command.h"
#include "golden/hdf5_file.h"
#include "golden/pending_file.h"
#include "lab/command_line.h"
#include "lab/commands.h"
#include "lab/errors.h"
#include "lab/kernel/kernel_command.h"
#include "lab/kernel/plugin_kernel.h"
#include "reference/checkpoint/bad_checkpoint.h"
#include "reference/formats/require.h"

namespace {

using namespace touchstone;

// An empty value is a variable of a script that was never set, not the default. A prompt may be
// empty.
void RefuseEmptyWords(int count, char** words) {
  std::string_view before = words[0];
  for (int i = 1; i < count; ++i) {
    const std::string_view word = words[i];
    const bool no_value = word.starts_with("--") && word.ends_with('=') && word != "--prompt=";
    if (before != "--prompt" && (word.empty() || no_value)) {
      throw lab::UsageError(fmt::format("'{}' is followed by nothing; expected a value",
                                        word.empty() ? before : word));
    }
    before = word;
  }
}

int Main(int count, char** words) {
  CLI::App app{"Touchstone: the Llama 4 numerics standard that you can run."};
  app.name("touchstone");
  app.require_subcommand(1);
  app.footer(
      "Exit codes: 0 passed, 1 failed, 2 usage, 3 not run or something is missing, 4 a bad data "
      "file, 5 crashed or timed out.");

  int threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  lab::VerifyOptions options;
  lab::ReportFiles files;
  CLI::App* verify = app.add_subcommand(
      "verify", "Judges ops: second reference, golden bits, chains against parts");
  verify->add_option("ops", options.ops, "ops and chains (default: all; `list` names them)");
  verify->add_option("--case", options.only_case,
                     "one case, as a report names it: bf16/normal/C80_T3");
  verify->add_flag("--smallest", options.smallest, "only the smallest case of each input class");
  bool no_golden = false;
  verify->add_flag("--no-golden", no_golden, "leave out the comparison with the golden files");
  std::string contract;
  verify
      ->add_option("--contract", contract,
                   "exact: WITHIN BOUND is a failure; profile: see --profile; default: bounded")
      ->check(CLI::IsMember({"bounded", "exact", "profile"}));
  std::string suite = "default";
  verify->add_option("--suite", suite, "full: the larger cases too; default: default")
      ->check(CLI::IsMember({"default", "full"}));
  verify
      ->add_option(
          "--device", options.device,
          "simt: the CUDA kernels under the CPU execution model; cuda: the same kernels, or "
          "yours, on a GPU; default: cpu")
      ->check(CLI::IsMember({"cpu", "simt", "cuda"}));
  lab::KernelFlags kernel;
  lab::AddKernelFlags(verify, &kernel);
  verify->add_option("--threads", threads, "threads (default: all)")->check(CLI::Range(1, 1024));
  verify->add_option("--json", files.json, "write the report as JSON to this file");
  verify->add_option("--junit", files.junit, "write the report as JUnit XML to this file");
  verify->add_flag("-q,--quiet", files.quiet, "print only failures and the closing lines");

  bool json_list = false;
  CLI::App* list = app.add_subcommand("list", "Lists ops, chains, input classes and rules");
  list->add_flag("--json", json_list, "as JSON");

  std::string topic;
  CLI::App* explain = app.add_subcommand("explain", "Explains a rule (N3) or an op (rmsnorm)");
  explain->add_option("topic", topic, "a rule or an op")->required();

  CLI::App* golden = app.add_subcommand("golden", "Makes, checks and shows golden files");
  golden->require_subcommand(1);
  std::vector<std::string> golden_ops;
  std::string out;
  CLI::App* make = golden->add_subcommand("make", "Writes golden/ops/*.h5 and golden/MANIFEST");
  make->add_option("ops", golden_ops, "ops and chains (default: all)");
  make->add_option("--out", out, "a folder in place of the repository's root");
  std::string golden_suite = "default";
  make->add_option("--suite", golden_suite,
                   "full: the hashes of the larger cases too; default: they are taken over")
      ->check(CLI::IsMember({"default", "full"}));
  CLI::App* check =
      golden->add_subcommand("check", "Files against the manifest, reference against the files");
  check
      ->add_option("--suite", golden_suite,
                   "full: computes all larger cases too; default: the smallest of them")
      ->check(CLI::IsMember({"default", "full"}));
  std::string file, path;
  int64_t shown = 8;
  CLI::App* show =
      golden->add_subcommand("show", "Prints what is in a file, or the elements of some tensors");
  show->add_option("file", file, "an HDF5 file")->required();
  show->add_option("path", path, "a part of the tensors' paths");
  show->add_option("--count", shown, "elements of each tensor")->check(CLI::NonNegativeNumber);

  lab::RunCommand run;
  lab::AddInspectCommand(&app, &run);
  lab::AddGenerateCommand(&app, &run);
  lab::AddTraceCommand(&app, &run);
  lab::AddDiffCommand(&app, &run);
  lab::AddAgreeCommand(&app, &run);
  lab::AddMutantsCommand(&app, &run);
  lab::AddCasesCommand(&app, &run);
  lab::AddNewCommand(&app, &run);
  fuzz::AddFuzzCommand(&app, &run);
  lab::AddBenchCommand(&app, &run);

  CLI::App* doctor = app.add_subcommand("doctor", "Describes this machine and what works here");

  const auto is_first_word = [&](const CLI::App* sub) { return sub->get_name() == words[1]; };
  if (count > 1 && words[1][0] != '-' &&
      std::as_const(app).get_subcommands(is_first_word).empty()) {
    throw lab::UsageError(std::string("no command '") + words[1] + "' (--help lists them)");
  }
  RefuseEmptyWords(count, words);
  try {
    app.parse(count, words);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? lab::kPassed : lab::kUsage;
  }
  options.threads = threads;
  options.golden = !no_golden;
  options.exact = contract == "exact";
  const auto suite_of = [](const std::string& word) {
    return word == "full" ? lab::Suite::kFull : lab::Suite::kDefault;
  };
  options.suite = suite_of(suite);
  if (!options.only_case.empty() && options.ops.size() != 1) {
    throw lab::UsageError("--case needs exactly one op before it");
  }
  if (run) return run();
  if (verify->count("--device") > 0) kernel.device = options.device;
  if (verify->parsed() && lab::JudgesKernel(kernel)) {
    return lab::VerifyKernelCommand(kernel, contract, options, files);
  }
  if (verify->parsed()) {
    if (contract == "profile") throw lab::UsageError("--contract profile needs --kernel");
    return lab::VerifyCommand(options, files);
  }
  if (list->parsed()) return lab::ListCommand(json_list);
  if (explain->parsed()) return lab::ExplainCommand(topic);
  if (make->parsed())
    return lab::GoldenMakeCommand(golden_ops, out, suite_of(golden_suite), threads);
  if (check->parsed()) return lab::GoldenCheckCommand(suite_of(golden_suite), threads);
  if (show->parsed()) return lab::GoldenShowCommand(file, path, shown);
  if (doctor->parsed()) return lab::DoctorCommand();
  return lab::kUsage;
}

int End(int code, const std::exception& error) {
  std::fprintf(stderr, "touchstone: %s\n", error.what());
  return code;
}

}  // namespace

int main(int count, char** words) {
  try {
    golden::RemoveUnfinishedFilesOnSignals();
    const int code = Main(count, words);
    // A report that was cut short is no report.
    if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return code;
    throw std::runtime_error("standard output could not be written to its end");
  } catch (const lab::KernelCrashed& error) {
    return End(lab::kCrashed, error);
  } catch (const lab::UsageError& error) {
    return End(lab::kUsage, error);
  } catch (const golden::BadFile& error) {
    return End(lab::kBadData, error);
  } catch (const checkpoint::BadCheckpoint& error) {
    return End(lab::kBadData, error);
  } catch (const ContractViolation& error) {
    return End(lab::kNotRun,
               std::runtime_error(std::string("a fault of this program: ") + error.what()));
  } catch (const std::bad_alloc&) {
    return End(lab::kNotRun, std::runtime_error("there is not enough memory for this"));
  } catch (const std::exception& error) {
    return End(lab::kNotRun, error);
  }
}
