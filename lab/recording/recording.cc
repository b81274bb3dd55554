#include "lab/recording/recording.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <numeric>
#include <set>

#include "lab/recording/activation.h"
#include "lab/recording/foreign_names.h"
#include "reference/formats/require.h"
#include "reference/model/activation_paths.h"

namespace touchstone::lab {
namespace {

constexpr char kLogits[] = "output/logits";
constexpr char kDecodedLogits[] = "output/logits_decode";
constexpr char kProjector[] = "activation/multi_modal_projector";
constexpr char kPrefill[] = "prefill";  // the attribute, and the run in the root

std::string Key(const std::string& run, const std::string& path) { return run + "\n" + path; }

// Whether the dataset is `name`, in the root or a group, and in which.
bool IsIn(const std::string& name, const std::string& dataset) {
  return dataset == name || dataset.ends_with("/" + name);
}
std::string GroupOf(const std::string& name, const std::string& dataset) {
  return dataset == name ? "" : dataset.substr(0, dataset.size() - name.size() - 1);
}

bool IsTextInput(const std::string& dataset) {
  return dataset == "input/input_ids" || dataset == "input/lengths" ||
         dataset == "input/attention_mask" || dataset == "input/position_ids";
}

std::string ShowShape(const std::vector<int64_t>& shape) {
  return fmt::format("({})", fmt::join(shape, ", "));
}

// Groups that hold what is about a model, not of it.
bool IsAside(const std::string& dataset) {
  for (const char* group : {"diagnosis/", "input/", "preprocess/", "vision/"}) {
    if (dataset.starts_with(group) || dataset.find(std::string("/") + group) != std::string::npos)
      return true;
  }
  return false;
}

int64_t CountOf(const std::vector<int64_t>& extents) {
  return std::accumulate(extents.begin(), extents.end(), int64_t{1}, std::multiplies<>());
}

// Names that only a model could place come last.
bool ForwardOrder(const std::string& a, const std::string& b) {
  const auto left = FindActivation(a), right = FindActivation(b);
  if (left && right) return *left < *right;
  return left || right ? left.has_value() : a < b;
}

std::vector<int64_t> With(std::vector<int64_t> leading, const std::vector<int64_t>& rest) {
  leading.insert(leading.end(), rest.begin(), rest.end());
  return leading;
}

}  // namespace

struct Recording::Found {
  std::string group;  // of the run
  RecordedName name;
};

struct Recording::Draft {
  std::multimap<std::pair<std::string, int>, Source> sources;  // by path and rank
  std::optional<int64_t> prefill;
  std::string projector;  // the dataset of the rows of image tokens
};

Recording::Recording(const std::string& file, const TextConfig& config, int64_t image_token)
    : file_(file), reader_(file) {
  Open(&config, image_token);
}

Recording::Recording(const std::string& file) : file_(file), reader_(file) { Open(nullptr, -1); }

golden::BadFile Recording::Bad(const std::string& dataset, const std::string& found,
                               const std::string& expected) const {
  return golden::BadFile(
      fmt::format("{}: {}: found {}, expected {}", file_, dataset, found, expected));
}

// Which run and which path a dataset belongs to; nothing where its name says neither.
std::optional<Recording::Found> Recording::Resolve(const std::string& dataset,
                                                   const TextConfig* config, bool images) const {
  if (IsAside(dataset)) return std::nullopt;
  constexpr std::string_view kActivation = "activation/";
  const size_t at = dataset.find(kActivation);
  if (at != std::string::npos && (at == 0 || dataset[at - 1] == '/')) {
    const auto name = FindForeignName(dataset.substr(at + kActivation.size()), config, images);
    if (!name) return std::nullopt;
    return Found{at == 0 ? "" : dataset.substr(0, at - 1), *name};
  }
  if (IsIn(kDecodedLogits, dataset)) {
    const std::string group = GroupOf(kDecodedLogits, dataset);
    return Found{group.empty() ? "decode" : group + "/decode", {kLogits, 1}};
  }
  for (size_t begin = 0; begin != std::string::npos;) {
    const std::string path = dataset.substr(begin);
    if (FindActivation(path)) return Found{dataset.substr(0, begin == 0 ? 0 : begin - 1), {path}};
    const size_t slash = dataset.find('/', begin);
    begin = slash == std::string::npos ? slash : slash + 1;
  }
  return std::nullopt;
}

void Recording::Open(const TextConfig* config, int64_t image_token) {
  const std::vector<std::string> attributes = reader_.Attributes("");
  is_trace_ = std::binary_search(attributes.begin(), attributes.end(), "contract");
  if (is_trace_) reader_.RequireContractVersion();
  made_by_ = reader_.Text("", "made_by").value_or("");
  inputs_ = ReadTextInputs(reader_, file_, config == nullptr ? 0 : config->vocabulary);
  image_token_ = image_token;
  if (config != nullptr) {
    experts_ = config->experts;
    experts_a_token_ = config->experts_a_token;
  }
  for (const auto& [group, draft] : Drafts(config)) AddRun(group, draft);
  FindRecipe();
}

// Every dataset at its run and path, or among the unknown ones.
std::map<std::string, Recording::Draft> Recording::Drafts(const TextConfig* config) {
  const std::vector<std::string> datasets = reader_.Paths();
  const bool has_images = image_token_ >= 0 || std::binary_search(datasets.begin(), datasets.end(),
                                                                  "input/pixel_values");
  std::set<std::string> known;  // of the model
  if (config != nullptr) {
    for (std::string& path : ActivationPaths(*config)) known.insert(std::move(path));
    known.insert("fused_embedding");
  }
  std::map<std::string, Draft> drafts;
  for (const std::string& dataset : datasets) {
    if (IsTextInput(dataset)) continue;
    if (image_token_ >= 0 && IsIn(kProjector, dataset)) {
      drafts[GroupOf(kProjector, dataset)].projector = dataset;
      continue;
    }
    const auto found = Resolve(dataset, config, has_images);
    if (!found) {
      unknown_.push_back(dataset);
      continue;
    }
    const RecordedName& name = found->name;
    if (config != nullptr && !known.contains(name.path)) {
      surplus_.emplace_back(dataset, name.path);
      continue;
    }
    Source source;
    source.dataset = dataset;
    source.rank = name.rank;
    source.heads_first = name.heads_first;
    source.all_experts = name.all_experts;
    Place(name.path, config, &source);
    Draft& draft = drafts[found->group];
    draft.sources.emplace(std::pair(name.path, name.rank), std::move(source));
    if (IsIn(kDecodedLogits, dataset)) draft.prefill = ReadPrefill(dataset);
  }
  return drafts;
}

void Recording::AddRun(const std::string& group, const Draft& draft) {
  RecordedRun run;
  run.name = group.empty() ? kPrefill : group;
  if (group == kPrefill) {
    throw Bad(group, "a group of that name", "another name: the run in the root is called so");
  }
  run.prefill = ReadPrefill(group).value_or(draft.prefill.value_or(-1));
  for (const auto& [place, source] : draft.sources) {
    const std::string& path = place.first;
    const auto& [first, is_new] = sources_.try_emplace(Key(run.name, path), source);
    if (is_new) continue;
    if (first->second.rank == source.rank) {
      throw Bad(source.dataset, "a second tensor of " + path,
                "one: the other is " + first->second.dataset);
    }
    run.copies.emplace_back(source.dataset, path);
    copies_.emplace(source.dataset, source);
  }
  if (!draft.projector.empty()) AddImages(run.name, draft.projector);
  AddChosen(run.name);
  const std::string begin = Key(run.name, "");
  for (auto at = sources_.lower_bound(begin); at != sources_.end() && at->first.starts_with(begin);
       ++at) {
    run.paths.push_back(at->first.substr(begin.size()));
  }
  std::sort(run.paths.begin(), run.paths.end(), ForwardOrder);
  if (!run.paths.empty()) runs_.push_back(std::move(run));
}

// The attribute of a dataset or a group, where there is one.
std::optional<int64_t> Recording::ReadPrefill(const std::string& path) const {
  const std::vector<std::string> groups = reader_.Groups(), datasets = reader_.Paths();
  const bool is_there = std::binary_search(groups.begin(), groups.end(), path) ||
                        std::binary_search(datasets.begin(), datasets.end(), path);
  if (!is_there) return std::nullopt;  // a run whose only tensor lies elsewhere
  const auto prefill = reader_.Number(path, kPrefill);
  if (!prefill) return std::nullopt;
  const bool fits = *prefill >= 1 && *prefill <= static_cast<double>(inputs_.tokens);
  if (!fits || *prefill != std::floor(*prefill)) {
    throw Bad(path + "@prefill", fmt::format("{}", *prefill),
              fmt::format("a whole number from 1 to {}", inputs_.tokens));
  }
  return static_cast<int64_t>(*prefill);
}

// How the dataset lies, against the inputs and, where it is known, the model.
void Recording::Place(const std::string& path, const TextConfig* config, Source* source) const {
  const golden::TensorLayout layout = reader_.Layout(source->dataset);
  const std::vector<int64_t>& shape = layout.shape;
  const bool is_float = layout.dtype == Dtype::kF32 || layout.dtype == Dtype::kBf16;
  if (IsInteger(path) ? layout.dtype != Dtype::kI64 : !is_float) {
    throw Bad(source->dataset, fmt::format("dtype {}", Name(layout.dtype)),
              IsInteger(path) ? "i64" : "f32 or bf16");
  }
  const int64_t batch = inputs_.batch, tokens = inputs_.tokens;
  const auto activation = FindActivation(path);
  std::vector<int64_t> wanted;
  if (config != nullptr) {
    wanted = ExtentsOf(*activation, *config);
    if (source->all_experts) wanted = {config->experts};
  }
  const auto fits = [&](const std::vector<int64_t>& leading) {
    if (shape.size() < leading.size()) return false;
    const auto rest = shape.begin() + static_cast<std::ptrdiff_t>(leading.size());
    if (!std::equal(leading.begin(), leading.end(), shape.begin())) return false;
    source->leading = static_cast<int>(leading.size());
    source->extents.assign(rest, shape.end());
    if (config == nullptr) {
      // Which extents is open, not how many: one for each letter, or one for all.
      return !activation || source->extents.size() == 1 ||
             source->extents.size() == activation->letters.size();
    }
    const bool is_flat = source->extents == std::vector<int64_t>{CountOf(wanted)};
    const bool is_same = source->extents == wanted;
    source->extents = wanted;
    return is_same || is_flat;
  };
  if (source->heads_first) {
    const bool is_right = shape.size() == 4 && shape[0] == batch && shape[2] == tokens &&
                          (config == nullptr || std::vector{shape[1], shape[3]} == wanted);
    if (!is_right) {
      throw Bad(source->dataset, "the shape " + ShowShape(shape),
                fmt::format("({}, H, {}, D) for {}{}", batch, tokens, path,
                            wanted.empty() ? "" : ", H and D " + ShowShape(wanted)));
    }
    source->extents = {shape[1], shape[3]};
    return;
  }
  if (fits({batch, tokens}) || fits({batch * tokens})) return;
  source->one_for_all = path == "rope_table" && fits({1, tokens});
  if (source->one_for_all) return;
  throw Bad(source->dataset, "the shape " + ShowShape(shape),
            config == nullptr
                ? fmt::format("({}, {}, ...) or ({}, ...), as input_ids says", batch, tokens,
                              batch * tokens)
                : fmt::format("{} for {}", ShowShape(With({batch, tokens}, wanted)), path));
}

void Recording::AddImages(const std::string& run, const std::string& projector) {
  const auto embedding = sources_.find(Key(run, "embedding"));
  if (embedding == sources_.end() || sources_.contains(Key(run, "fused_embedding"))) return;
  int64_t images = 0;
  for (int64_t b = 0; b < inputs_.batch; ++b) {
    const std::vector<int64_t> ids = inputs_.ids_of(b);
    images += std::count(ids.begin(), ids.end(), image_token_);
  }
  const golden::TensorLayout layout = reader_.Layout(projector);
  const Dtype dtype = reader_.Layout(embedding->second.dataset).dtype;
  const std::vector<int64_t> wanted = With({images}, embedding->second.extents);
  if (layout.shape != wanted || layout.dtype != dtype) {
    throw Bad(projector, fmt::format("{} {}", Name(layout.dtype), ShowShape(layout.shape)),
              fmt::format("{} {}: a row for each of the {} tokens {}", Name(dtype),
                          ShowShape(wanted), images, image_token_));
  }
  Source fused = embedding->second;
  fused.projector = projector;
  sources_.emplace(Key(run, "fused_embedding"), std::move(fused));
}

// Chosen experts, where only the scores of all experts say which they are.
void Recording::AddChosen(const std::string& run) {
  std::vector<std::pair<std::string, Source>> found;
  const std::string begin = Key(run, ""), end = "/feed_forward/scores";
  for (auto at = sources_.lower_bound(begin); at != sources_.end() && at->first.starts_with(begin);
       ++at) {
    if (!at->second.all_experts || !at->first.ends_with(end)) continue;
    const std::string chosen =
        at->first.substr(0, at->first.size() - end.size()) + "/feed_forward/chosen";
    if (!sources_.contains(chosen)) found.emplace_back(chosen, at->second);
  }
  for (auto& [key, source] : found) {
    source.is_chosen = true;
    sources_.emplace(key, std::move(source));
  }
}

// bf16 where anything is that both recipes store in their own format; logits and a query that its
// temperature promoted may be wider, and decide only where nothing else was recorded.
void Recording::FindRecipe() {
  bool is_said = false, logits_are_bf16 = false;
  for (const auto& [key, source] : sources_) {
    const std::string path = key.substr(key.find('\n') + 1);
    if (IsInteger(path) || path == "rope_table") continue;
    const bool is_bf16 = reader_.Layout(source.dataset).dtype == Dtype::kBf16;
    if (path == kLogits || path.ends_with("/q_temperature") || path.ends_with("/q_final")) {
      logits_are_bf16 = logits_are_bf16 || is_bf16;
      continue;
    }
    is_said = true;
    if (is_bf16) recipe_ = Dtype::kBf16;
  }
  if (!is_said && logits_are_bf16) recipe_ = Dtype::kBf16;
}

const Recording::Source& Recording::SourceOf(const RecordedRun& run,
                                             const std::string& path) const {
  const auto source = sources_.find(Key(run.name, path));
  TOUCHSTONE_REQUIRE(source != sources_.end());
  return source->second;
}

bool Recording::Has(const RecordedRun& run, const std::string& path) const {
  return sources_.contains(Key(run.name, path));
}

std::string Recording::Dataset(const RecordedRun& run, const std::string& path) const {
  return SourceOf(run, path).dataset;
}

}  // namespace touchstone::lab
