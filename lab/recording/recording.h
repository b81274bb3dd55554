// What an implementation recorded of one model, read from an HDF5 file: a trace of ours, or
// activations that another implementation wrote under the names of transformers' modules or of
// Meta's. All names become the paths of reference/model/activation_paths.h.
//
// Layout of a file:
//   input/input_ids       (B, T) i64
//   input/lengths         (B) i64, optional: real tokens of each sequence, which stand on the left
//   input/attention_mask  (B, T) i64 of 0 and 1, optional: the same said in another way
//   input/position_ids    (B, T) i64, optional: must count 0, 1, ... along the real tokens
//   <run>/activation/<transformers' or Meta's name>, <run>/output/logits; or
//   <run>/<path of activation_paths.h>
//   <run> is nothing, or a group of any name: "decode" (a prefill followed by single tokens,
//   joined), "round_q", ... Logits that were recorded in decoding may be output/logits_decode with
//   the attribute `prefill`.
// Tensors are (B, T, ...), or (B T, ...) where the implementation flattened its tokens, or, for
// queries, (B, H, T, D). A tensor that was recorded in another dtype than the recipe's keeps it.
//
// BadFile, naming file and tensor, for: no input_ids; T = 0; an id outside the vocabulary; lengths
// below 1 or above T; padding on the left; positions that do not count from 0; a known tensor of
// another shape or dtype than the configuration says.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "golden/hdf5_file.h"
#include "reference/formats/tensor.h"
#include "reference/model/text_config.h"

namespace touchstone::lab {

// What a text model is given.
struct TextInputs {
  int64_t batch = 0, tokens = 0;  // B, T with padding
  Tensor ids;                     // (B, T)
  std::vector<int64_t> lengths;   // B: real tokens, 1 to T

  // The real tokens of one sequence.
  std::vector<int64_t> ids_of(int64_t sequence) const;
};

// Where the configuration is known, ids are checked against its vocabulary; V = 0: unknown.
TextInputs ReadTextInputs(const golden::Reader& reader, const std::string& file,
                          int64_t vocabulary);

struct RecordedRun {
  std::string name;                // as a report shows it: "prefill", "decode", "round_q"
  int64_t prefill = -1;            // tokens that were given at once, where the file says so
  std::vector<std::string> paths;  // recorded, in forward order
  // Datasets that repeat a recorded path under a second name (a module and its last part), with
  // the path that they must equal.
  std::vector<std::pair<std::string, std::string>> copies;
};

class Recording {
 public:
  // Where image_token is not negative, rows of tokens with this id do not come from the embedding:
  // they are the rows of the recorded multi_modal_projector, in order; the path `fused_embedding`
  // (C) then is what enters layer 0 (Meta's recordings have it as fused_embeddings). Throws
  // BadFile.
  Recording(const std::string& file, const TextConfig& config, int64_t image_token = -1);
  // Without a model: extents are what the file has, and the names that need a model to be placed
  // (rope.t.2.q, Meta's q_final) stand for themselves.
  explicit Recording(const std::string& file);

  const std::string& file() const { return file_; }
  const std::string& made_by() const { return made_by_; }  // the file's attribute; may be empty
  // Whether it is a trace of ours, made under the contract's version of this program.
  bool is_trace() const { return is_trace_; }
  const TextInputs& inputs() const { return inputs_; }
  // bf16 where any tensor was recorded so that both recipes store in their own format.
  Dtype recipe() const { return recipe_; }
  const std::vector<RecordedRun>& runs() const { return runs_; }
  // Datasets whose names are those of tensors of a text model that this model does not compute (a
  // rotated query on a layer without RoPE, a layer too many), with their paths.
  const std::vector<std::pair<std::string, std::string>>& surplus() const { return surplus_; }
  // Datasets that are no tensor of the text model: a vision tower's, diagnoses.
  const std::vector<std::string>& unknown() const { return unknown_; }

  bool Has(const RecordedRun& run, const std::string& path) const;
  // One sequence's real tokens: (lengths[b], ...), the extents of activation_paths.h. Scores that
  // were recorded for all experts, 0 where not chosen, are given as they are, (T, E), under the
  // path .../scores; `chosen` then is found from them, best first. Throws BadFile.
  Tensor Read(const RecordedRun& run, const std::string& path, int64_t sequence) const;
  // The same of tokens first to first + count - 1 only: (count, ...).
  Tensor ReadTokens(const RecordedRun& run, const std::string& path, int64_t sequence,
                    int64_t first, int64_t count) const;
  // Of the run's copies, the one of this number, as Read would give it.
  Tensor ReadCopy(const RecordedRun& run, size_t copy, int64_t sequence) const;
  // The dataset behind a path, for messages.
  std::string Dataset(const RecordedRun& run, const std::string& path) const;

 private:
  // A dataset of a run and how it lies.
  struct Source {
    std::string dataset;
    int rank = 0;                  // see RecordedName
    bool heads_first = false;      // (B, H, T, D)
    bool all_experts = false;      // (T, E)
    bool is_chosen = false;        // to be found from these scores
    std::string projector;         // the dataset of the rows of image tokens
    bool one_for_all = false;      // (1, T, ...), the same for every sequence
    int leading = 2;               // axes that count tokens: 1 for (B T, ...)
    std::vector<int64_t> extents;  // of a token
  };
  struct Found;  // a dataset's name, resolved
  struct Draft;  // the datasets of a run

  void Open(const TextConfig* config, int64_t image_token);
  std::optional<Found> Resolve(const std::string& dataset, const TextConfig* config,
                               bool images) const;
  std::map<std::string, Draft> Drafts(const TextConfig* config);
  void AddRun(const std::string& group, const Draft& draft);
  void Place(const std::string& path, const TextConfig* config, Source* source) const;
  std::optional<int64_t> ReadPrefill(const std::string& path) const;
  void AddImages(const std::string& run, const std::string& projector);
  void AddChosen(const std::string& run);
  void FindRecipe();
  const Source& SourceOf(const RecordedRun& run, const std::string& path) const;
  Tensor ReadSource(const Source& source, int64_t sequence, int64_t first, int64_t count) const;
  void PlaceImages(const Source& source, int64_t sequence, int64_t first, Tensor* rows) const;
  Tensor ChosenFrom(const RecordedRun& run, const std::string& path, int64_t sequence,
                    int64_t first, int64_t count) const;
  void CheckExperts(const Source& source, int64_t sequence, int64_t first,
                    const Tensor& chosen) const;
  golden::BadFile Bad(const std::string& dataset, const std::string& found,
                      const std::string& expected) const;

  std::string file_, made_by_;
  bool is_trace_ = false;
  TextInputs inputs_;
  Dtype recipe_ = Dtype::kF32;
  golden::Reader reader_;
  std::vector<RecordedRun> runs_;
  std::map<std::string, Source> sources_;  // by run + "\n" + path
  std::map<std::string, Source> copies_;   // by dataset
  int64_t image_token_ = -1;
  int64_t experts_ = 0, experts_a_token_ = 0;  // 0: not known
  std::vector<std::string> unknown_;
  std::vector<std::pair<std::string, std::string>> surplus_;
};

}  // namespace touchstone::lab
