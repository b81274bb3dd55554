// touchstone generate: a prompt and what a checkpoint makes of it, token by token.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>

#include "lab/command_line.h"
#include "lab/errors.h"
#include "lab/model/backends.h"
#include "lab/model/number_list.h"
#include "reference/checkpoint/bad_checkpoint.h"
#include "reference/checkpoint/text_weights.h"
#include "reference/model/generation.h"

namespace touchstone::lab {
namespace {

struct GenerateOptions {
  std::string model, prompt_ids, prompt, recipe = "f32";
  BackendChoice backend;
  bool has_prompt = false, no_bos = false, ids = false;
  int64_t max_new = 64;
  double temperature = 0.0, top_p = 1.0;
  uint64_t seed = 1;
  int threads = 1;
};

// Tokens 0 to 255 are bytes where the vocabulary is little more than they are, and no tokenizer
// lies beside the weights.
bool TokensAreBytes(const std::string& folder, const TextConfig& config) {
  const std::filesystem::path path(folder);
  return config.vocabulary >= 256 && config.vocabulary <= 512 &&
         !std::filesystem::exists(path / "tokenizer.json") &&
         !std::filesystem::exists(path / "tokenizer.model");
}

// Prints tokens as they come: bytes as text, others by number. A model's text must not command the
// terminal, so control characters are shown, not sent.
class TokenPrinter {
 public:
  explicit TokenPrinter(bool as_text) : as_text_(as_text) {}

  void Print(int64_t token) {
    if (!as_text_) {
      fmt::print("{}{}", first_ ? "" : " ", token);
    } else if (token > 255) {
      fmt::print("<{}>", token);
    } else if ((token < 32 && token != '\n' && token != '\t') || token == 127 ||
               (last_ == 0xc2 && token >= 0x80 && token < 0xa0)) {
      fmt::print("\\x{:02x}", token);  // the last are UTF-8's second set of control characters
    } else {
      std::fputc(static_cast<int>(token), stdout);
    }
    first_ = false;
    last_ = token;
    std::fflush(stdout);
  }

 private:
  bool as_text_ = false, first_ = true;
  int64_t last_ = -1;
};

std::vector<int64_t> PromptOf(const GenerateOptions& options, const TextConfig& config,
                              const checkpoint::SpecialTokens& tokens, bool bytes) {
  std::vector<int64_t> prompt;
  if (!options.no_bos && tokens.begin) prompt.push_back(*tokens.begin);
  if (options.has_prompt) {
    if (!bytes) {
      throw UsageError(fmt::format(
          "--prompt: the tokens of {} are not bytes (its vocabulary holds {}, or a tokenizer lies "
          "beside it); give --prompt-ids",
          options.model, config.vocabulary));
    }
    for (const char c : options.prompt) prompt.push_back(static_cast<unsigned char>(c));
  } else {
    const std::vector<int64_t> ids =
        NumberList("--prompt-ids", options.prompt_ids, config.vocabulary - 1);
    // A begin token that the prompt has already is not doubled.
    if (!prompt.empty() && ids.front() == prompt.front()) prompt.clear();
    prompt.insert(prompt.end(), ids.begin(), ids.end());
  }
  if (prompt.empty()) {
    throw UsageError("the prompt is empty, and no begin token goes before it; expected a token");
  }
  return prompt;
}

void RequireSampling(const GenerateOptions& options) {
  const bool rounds_to_zero =
      options.temperature != 0.0 && static_cast<float>(options.temperature) == 0.0f;
  if (!(options.temperature >= 0.0) || rounds_to_zero ||
      !std::isfinite(static_cast<float>(options.temperature))) {
    throw UsageError(fmt::format("--temperature {}: expected 0, or a positive number of binary32",
                                 options.temperature));
  }
  if (!(options.top_p >= 0.0 && options.top_p <= 1.0)) {
    throw UsageError(fmt::format("--top-p {}: expected a number from 0 to 1", options.top_p));
  }
}

int RunGenerate(const GenerateOptions& options) {
  RequireSampling(options);
  const Dtype recipe = options.recipe == "f32" ? Dtype::kF32 : Dtype::kBf16;
  const checkpoint::TextModelFolder model = checkpoint::OpenTextModel(options.model, recipe);
  const TextConfig& config = model.config.text;
  const bool bytes = TokensAreBytes(options.model, config);
  const std::vector<int64_t> prompt = PromptOf(options, config, model.config.tokens, bytes);
  const GenerationChoice choice{options.max_new,
                                {options.temperature, options.top_p, options.seed},
                                model.config.tokens.ends,
                                options.threads,
                                BackendOf(options.backend)};

  TokenPrinter printer(bytes && !options.ids);
  for (const int64_t token : prompt) {
    // The begin token is not text.
    if (bytes && !options.ids && token > 255) continue;
    printer.Print(token);
  }
  const auto begin = std::chrono::steady_clock::now();
  std::vector<int64_t> tokens;
  try {
    tokens = Generate(config, model.weights.get(), prompt, choice, [&printer](int64_t token) {
      printer.Print(token);
      return std::ferror(stdout) == 0;
    });
  } catch (const NoChoice& error) {
    fmt::print("\n");
    std::fflush(stdout);
    throw checkpoint::BadCheckpoint(fmt::format("{}: {}", options.model, error.what()));
  }
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  fmt::print("\n");
  std::fflush(stdout);
  fmt::print(stderr, "{} tokens after {}, recipe {}, {:.1f} tokens a second\n", tokens.size(),
             prompt.size(), options.recipe, static_cast<double>(tokens.size()) / seconds);
  return kPassed;
}

}  // namespace

void AddGenerateCommand(CLI::App* app, RunCommand* run) {
  const auto options = std::make_shared<GenerateOptions>();
  CLI::App* generate =
      app->add_subcommand("generate", "Continues a prompt, token by token, from a checkpoint");
  generate->add_option("--model", options->model, "the checkpoint's folder")->required();
  CLI::Option* ids =
      generate->add_option("--prompt-ids", options->prompt_ids, "token ids: 71,101,49");
  CLI::Option* text = generate->add_option(
      "--prompt", options->prompt, "text, where the model's tokens are bytes (no tokenizer)");
  ids->excludes(text);
  generate->add_option("--max-new", options->max_new, "tokens to make at most (default: 64)")
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 24));
  generate->add_option("--recipe", options->recipe, "f32 or bf16 (default: f32)")
      ->check(CLI::IsMember({"f32", "bf16"}));
  generate->add_flag("--no-bos", options->no_bos,
                     "do not put the configuration's begin token before the prompt");
  generate->add_flag("--ids", options->ids, "print token ids, also where they are bytes");
  generate->add_option("--temperature", options->temperature,
                       "0, the default: greedy; else sampled by rule N11");
  generate->add_option("--top-p", options->top_p, "the nucleus (default: 1, all tokens)");
  generate->add_option("--seed", options->seed, "of sampling (default: 1)")
      ->check(UnsignedInteger());
  AddBackendOptions(generate, &options->backend);
  options->threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  generate->add_option("--threads", options->threads, "threads (default: all)")
      ->check(CLI::Range(1, 1024));
  generate->callback([options, run, ids, text] {
    if (ids->count() + text->count() == 0) {
      throw UsageError("generate: expected --prompt-ids or --prompt");
    }
    options->has_prompt = text->count() > 0;
    *run = [options] { return RunGenerate(*options); };
  });
}

}  // namespace touchstone::lab
