// touchstone trace: every activation of a checkpoint on given tokens, in an HDF5 file.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>

#include "golden/hdf5_file.h"
#include "lab/command_line.h"
#include "lab/errors.h"
#include "lab/model/backends.h"
#include "lab/model/number_list.h"
#include "lab/model/trace_file.h"
#include "lab/output_file.h"
#include "lab/progress_line.h"
#include "lab/recording/recording.h"
#include "reference/checkpoint/text_weights.h"

namespace touchstone::lab {
namespace {

struct TraceOptions {
  std::string model, inputs, recipe, layers, out;
  BackendChoice backend;
  int64_t prefill = 0;
  int threads = 1;
};

int Trace(const TraceOptions& options) {
  RequireOutput("--out", options.out, {options.inputs, options.model});
  const auto begin = std::chrono::steady_clock::now();
  const Dtype recipe = options.recipe == "f32" ? Dtype::kF32 : Dtype::kBf16;
  const checkpoint::TextModelFolder model = checkpoint::OpenTextModel(options.model, recipe);
  const TextConfig& config = model.config.text;
  const auto layers = static_cast<int64_t>(config.layers.size());
  TraceChoice choice;
  choice.prefill = options.prefill;
  choice.threads = options.threads;
  choice.backend = BackendOf(options.backend);
  choice.all_layers = options.layers.empty();
  if (!options.layers.empty()) {
    for (const int64_t layer : NumberList("--layers", options.layers, layers - 1)) {
      choice.layers.insert(layer);
    }
  }
  const golden::Reader reader(options.inputs);
  const TextInputs inputs = ReadTextInputs(reader, options.inputs, config.vocabulary);

  if (options.prefill > inputs.tokens) {
    throw UsageError(fmt::format("--prefill {}: {} has {} tokens a sequence; expected 1 to {}",
                                 options.prefill, options.inputs, inputs.tokens, inputs.tokens));
  }

  const ProgressLine progress;
  choice.progress = [&progress, layers](int64_t layer) {
    progress.Show(layer < layers ? fmt::format("layer {} of {}", layer + 1, layers)
                                 : std::string("logits"));
  };
  const int64_t tensors = WriteTrace(config, model.weights.get(), inputs, choice, options.out);
  progress.Clear();
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  fmt::print("{} tensors of {} layers, {} x {} tokens, recipe {}: {} ({:.1f} s)\n", tensors,
             choice.all_layers ? layers : static_cast<int64_t>(choice.layers.size()), inputs.batch,
             inputs.tokens, options.recipe, options.out, seconds);
  return kPassed;
}

}  // namespace

void AddTraceCommand(CLI::App* app, RunCommand* run) {
  const auto options = std::make_shared<TraceOptions>();
  CLI::App* trace =
      app->add_subcommand("trace", "Writes every activation of a checkpoint on given tokens");
  trace->add_option("--model", options->model, "the checkpoint's folder")->required();
  trace->add_option("--inputs", options->inputs, "HDF5 file with input/input_ids (B, T)")
      ->required();
  trace->add_option("--recipe", options->recipe, "f32 or bf16")
      ->required()
      ->check(CLI::IsMember({"f32", "bf16"}));
  trace
      ->add_option("--prefill", options->prefill,
                   "tokens given together, the others one by one (default: all together)")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 24));
  trace->add_option("--layers", options->layers, "layers to write, 0,3,5-7 (default: all)");
  trace->add_option("--out", options->out, "the HDF5 file to write")->required();
  AddBackendOptions(trace, &options->backend);
  options->threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  trace->add_option("--threads", options->threads, "threads (default: all)")
      ->check(CLI::Range(1, 1024));
  trace->callback([options, run] { *run = [options] { return Trace(*options); }; });
}

}  // namespace touchstone::lab
