#include "lab/model/trace_file.h"

#include <map>
#include <vector>

#include "golden/hdf5_file.h"
#include "reference/formats/contract_version.h"
#include "reference/model/activation_paths.h"
#include "reference/model/forward.h"

namespace touchstone::lab {
namespace {

class TraceWriter {
 public:
  TraceWriter(const std::string& file, const TextInputs& inputs) : writer_(file), inputs_(inputs) {
    writer_.Write("input/input_ids", inputs.ids);
    Tensor lengths(Dtype::kI64, {inputs.batch});
    for (size_t b = 0; b < inputs.lengths.size(); ++b) {
      lengths.values<int64_t>()[b] = inputs.lengths[b];
    }
    writer_.Write("input/lengths", lengths);
  }

  void WriteRows(const std::string& path, int64_t sequence, int64_t first, const Tensor& rows) {
    std::vector<int64_t> shape{inputs_.batch, inputs_.tokens};
    shape.insert(shape.end(), rows.shape.begin() + 1, rows.shape.end());
    const auto [made, is_new] = made_.emplace(path, Made{rows.dtype, shape});
    if (is_new) writer_.Create(path, rows.dtype, shape);
    writer_.WriteRows(path, sequence * inputs_.tokens + first, rows);
  }

  int64_t Close(const std::string& recipe, int64_t prefill) {
    for (const auto& [path, made] : made_) WritePadding(path, made);
    writer_.WriteText("", "made_by", "touchstone, contract " + std::to_string(kContractVersion));
    writer_.WriteText("", "recipe", recipe);
    if (prefill > 0) writer_.WriteNumber("", "prefill", static_cast<double>(prefill));
    writer_.Close();
    return static_cast<int64_t>(made_.size());
  }

 private:
  struct Made {
    Dtype dtype;
    std::vector<int64_t> shape;
  };

  void WritePadding(const std::string& path, const Made& made) {
    for (int64_t b = 0; b < inputs_.batch; ++b) {
      const int64_t length = inputs_.lengths[static_cast<size_t>(b)];
      if (length == inputs_.tokens) continue;
      std::vector<int64_t> shape(made.shape.begin() + 1, made.shape.end());
      shape[0] = inputs_.tokens - length;
      writer_.WriteRows(path, b * inputs_.tokens + length, Tensor(made.dtype, shape));
    }
  }

  golden::Writer writer_;
  const TextInputs& inputs_;
  std::map<std::string, Made> made_;
};

}  // namespace

int64_t WriteTrace(const TextConfig& config, TextWeights* weights, const TextInputs& inputs,
                   const TraceChoice& choice, const std::string& file) {
  std::set<std::string> left_out;  // of layers that were not asked for
  for (size_t layer = 0; layer < config.layers.size(); ++layer) {
    const auto l = static_cast<int64_t>(layer);
    if (!choice.all_layers && !choice.layers.contains(l)) left_out.insert(LayerPath(l));
  }
  std::vector<std::vector<int64_t>> sequences;
  for (int64_t b = 0; b < inputs.batch; ++b) sequences.push_back(inputs.ids_of(b));

  TraceWriter writer(file, inputs);
  const ForwardChoice forward{choice.prefill, choice.threads, choice.progress, choice.backend};
  Forward(config, weights, sequences, forward,
          [&](const std::string& path, int64_t sequence, int64_t first, const Tensor& rows) {
            if (left_out.contains(path.substr(0, path.find('/')))) return;
            writer.WriteRows(path, sequence, first, rows);
          });
  return writer.Close(std::string(Name(weights->storage())), choice.prefill);
}

}  // namespace touchstone::lab
