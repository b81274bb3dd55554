// Fuzz target: the reader of recordings and of a text model's inputs, and the comparison of what it
// reads. Whatever a well-formed HDF5 file holds under which names, the reader gives rows of the
// right shape, of which all runs can be compared, or throws BadFile.
//
// The bytes are choices: which names (ours, transformers', Meta's), shapes, dtypes and values are
// written. What the HDF5 format itself can do to a reader is the matter of golden_file.
#include <stdlib.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "fuzz/choices.h"
#include "golden/bad_file.h"
#include "golden/hdf5_file.h"
#include "lab/diff/trace_diff.h"
#include "lab/recording/recording.h"
#include "reference/model/activation_paths.h"

namespace {

using namespace touchstone;

using fuzz::Choices;

TextConfig Config() {
  TextConfig config;
  config.vocabulary = 5;
  config.channels = 4;
  config.heads = 2;
  config.kv_heads = 1;
  config.head_width = 2;
  config.dense_width = 3;
  config.experts = 3;
  config.experts_a_token = 2;
  config.expert_width = 3;
  config.use_qk_norm = true;
  config.attn_temperature_tuning = true;
  config.attention_chunk_size = 2;
  config.layers = PatternedLayers(4, 4, true, 2);
  return config;
}

const std::vector<std::string>& Names() {
  static const std::vector<std::string> all = [] {
    std::vector<std::string> names = {"input/lengths",
                                      "input/attention_mask",
                                      "input/position_ids",
                                      "input/pixel_values",
                                      "activation/multi_modal_projector",
                                      "activation/embed",
                                      "activation/fused_embeddings",
                                      "activation/rope.t.0.q",
                                      "activation/rope.t.9.k",
                                      "activation/model.rotary_emb",
                                      "activation/lm_head",
                                      "output/logits_decode",
                                      "round_q/output/logits",
                                      "decode/activation/model.norm"};
    for (const char* module :
         {"", ".self_attn", ".self_attn.q_proj", ".self_attn.qk_norm.k.in", ".self_attn.o_proj.in",
          ".feed_forward", ".feed_forward.router.logits", ".feed_forward.router.scores",
          ".feed_forward.shared_expert", ".feed_forward.down_proj"}) {
      names.push_back(std::string("activation/model.layers.1") + module);
    }
    for (const char* module : {"", ".attention", ".attention.wq", ".attention.q_final",
                               ".attention.rope.k", ".router.scores", ".routed"}) {
      names.push_back(std::string("activation/layer.3") + module);
    }
    for (const std::string& path : ActivationPaths(Config())) names.push_back(path);
    return names;
  }();
  return all;
}

Tensor Drawn(Choices* choices, int64_t batch, int64_t tokens) {
  static constexpr std::array<Dtype, 4> kDtypes{Dtype::kF32, Dtype::kBf16, Dtype::kI64,
                                                Dtype::kE4m3};
  std::vector<int64_t> shape;
  switch (choices->Below(5)) {
    case 0:
      shape = {batch * tokens};
      break;
    case 1:
      shape = {batch, 2, tokens};
      break;
    case 2:
      break;
    default:
      shape = {batch, tokens};
  }
  for (size_t more = choices->Below(3); more > 0; --more) {
    shape.push_back(static_cast<int64_t>(choices->Below(6)));
  }
  Tensor tensor(kDtypes[choices->Once(2) ? choices->Below(4) : 0], shape);
  for (std::byte& byte : tensor.data) byte = static_cast<std::byte>(choices->Byte());
  return tensor;
}

Tensor SmallIntegers(Choices* choices, std::vector<int64_t> shape) {
  Tensor tensor(Dtype::kI64, std::move(shape));
  for (int64_t i = 0; i < tensor.count(); ++i) {
    tensor.values<int64_t>()[i] =
        static_cast<int64_t>(choices->Below(7)) - (choices->Once(20) ? 1 : 0);
  }
  return tensor;
}

void WriteFile(Choices* choices, const std::string& file) {
  golden::Writer writer(file);
  const auto batch = static_cast<int64_t>(choices->Below(3));
  const auto tokens = static_cast<int64_t>(choices->Below(4));
  std::set<std::string> written;
  if (!choices->Once(16)) writer.Write("input/input_ids", SmallIntegers(choices, {batch, tokens}));
  while (!choices->spent()) {
    const std::string& name = Names()[choices->Below(Names().size())];
    // A name is a tensor or a group of others, not both.
    bool clashes = !written.insert(name).second;
    for (const std::string& other : written) {
      clashes = clashes || other.starts_with(name + "/") || name.starts_with(other + "/");
    }
    if (clashes) continue;
    if (name == "input/lengths") {
      writer.Write(name, SmallIntegers(choices, {batch}));
    } else if (name.starts_with("input/") || name.ends_with("chosen")) {
      writer.Write(name, SmallIntegers(choices, {batch, tokens}));
    } else {
      writer.Write(name, Drawn(choices, batch, tokens));
    }
    if (choices->Once(8)) writer.WriteNumber(name, "prefill", choices->Byte() - 2.0);
  }
  writer.Close();
}

void ReadAll(const lab::Recording& recording) {
  for (const lab::RecordedRun& run : recording.runs()) {
    for (int64_t b = 0; b < recording.inputs().batch; ++b) {
      const int64_t length = recording.inputs().lengths[static_cast<size_t>(b)];
      for (const std::string& path : run.paths) {
        if (recording.Read(run, path, b).shape.at(0) != length) std::abort();
      }
      for (size_t c = 0; c < run.copies.size(); ++c) recording.ReadCopy(run, c, b);
    }
    const lab::RecordedRun& other = recording.runs().front();
    lab::DiffRecordings(recording, run, recording, other, [](const std::string&) {});
  }
}

class ScratchFile {
 public:
  ScratchFile() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "touchstone-fuzz-XXXXXX").string();
    const int descriptor = mkstemp(pattern.data());
    if (descriptor < 0) std::abort();
    close(descriptor);
    name_ = pattern;
  }
  ~ScratchFile() { unlink(name_.c_str()); }

  const std::string& name() const { return name_; }

 private:
  std::string name_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const ScratchFile scratch;
  static const TextConfig config = Config();
  Choices choices(data, size);
  const bool has_model = !choices.Once(4), has_images = choices.Once(4);
  WriteFile(&choices, scratch.name());
  try {
    if (has_model) {
      ReadAll(lab::Recording(scratch.name(), config, has_images ? 3 : -1));
    } else {
      ReadAll(lab::Recording(scratch.name()));
    }
  } catch (const golden::BadFile&) {
    // The one exception that is right.
  }
  return 0;
}
