// Small text models, written to a folder under the names of either world: the same numbers in both.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "reference/formats/tensor.h"
#include "reference/model/text_config.h"
#include "tests/checkpoint/written.h"

namespace touchstone::checkpoint {

using NamedTensors = std::map<std::string, Tensor>;

// Three layers: MoE with RoPE, dense with RoPE, MoE without. No two extents are equal, so that no
// wrong axis fits.
inline TextConfig SmallConfig() {
  TextConfig config;
  config.vocabulary = 11;
  config.channels = 6;
  config.heads = 4;
  config.kv_heads = 2;
  config.head_width = 4;
  config.dense_width = 9;
  config.experts = 3;
  config.experts_a_token = 1;
  config.expert_width = 5;
  config.rms_norm_eps = 1e-5;
  config.rope.theta = 500000.0;
  config.floor_scale = 8192.0;
  config.attn_scale = 0.1;
  config.layers = {{true, false, true}, {true, false, false}, {false, false, true}};
  return config;
}

// Every element another number; each is a bf16 number where `step` is 1.
inline Tensor Numbered(std::vector<int64_t> shape, Dtype dtype, int* next, float step = 1.0f) {
  Tensor tensor(dtype, std::move(shape));
  for (int64_t i = 0; i < tensor.count(); ++i) {
    tensor.SetReal(i, std::bit_cast<float>(static_cast<uint32_t>(0x3c00 + (*next)++) << 16) * step);
  }
  return tensor;
}

// Written out by hand, so that nothing here follows from what is tested.
inline NamedTensors HuggingFaceModel(Dtype dtype, float step = 1.0f) {
  int next = 0;
  NamedTensors tensors;
  const auto add = [&](const std::string& name, std::vector<int64_t> shape) {
    tensors[name] = Numbered(std::move(shape), dtype, &next, step);
  };
  add("model.embed_tokens.weight", {11, 6});
  add("model.norm.weight", {6});
  add("lm_head.weight", {11, 6});
  for (const int layer : {0, 1, 2}) {
    const std::string p = "model.layers." + std::to_string(layer) + ".";
    add(p + "input_layernorm.weight", {6});
    add(p + "post_attention_layernorm.weight", {6});
    add(p + "self_attn.q_proj.weight", {16, 6});
    add(p + "self_attn.k_proj.weight", {8, 6});
    add(p + "self_attn.v_proj.weight", {8, 6});
    add(p + "self_attn.o_proj.weight", {6, 16});
    if (layer == 1) {
      add(p + "feed_forward.gate_proj.weight", {9, 6});
      add(p + "feed_forward.up_proj.weight", {9, 6});
      add(p + "feed_forward.down_proj.weight", {6, 9});
      continue;
    }
    add(p + "feed_forward.router.weight", {3, 6});
    add(p + "feed_forward.experts.gate_up_proj", {3, 6, 10});
    add(p + "feed_forward.experts.down_proj", {3, 5, 6});
    add(p + "feed_forward.shared_expert.gate_proj.weight", {5, 6});
    add(p + "feed_forward.shared_expert.up_proj.weight", {5, 6});
    add(p + "feed_forward.shared_expert.down_proj.weight", {6, 5});
  }
  return tensors;
}

// One under the other.
inline Tensor Stacked(const std::vector<Tensor>& tensors) {
  Tensor stacked(tensors[0].dtype, {0, tensors[0].shape[1]});
  for (const Tensor& tensor : tensors) {
    stacked.shape[0] += tensor.shape[0];
    stacked.data.insert(stacked.data.end(), tensor.data.begin(), tensor.data.end());
  }
  return stacked;
}

// The element at (row, column) of a matrix becomes the one at (from_row, from_column).
template <typename Place>
Tensor Rearranged(const Tensor& from, std::vector<int64_t> shape, Place place) {
  Tensor to(from.dtype, std::move(shape));
  for (int64_t r = 0; r < to.shape[0]; ++r) {
    for (int64_t c = 0; c < to.shape[1]; ++c) {
      to.SetReal(r * to.shape[1] + c, static_cast<float>(from.Real(place(r, c))));
    }
  }
  return to;
}

// The same model under Meta's names.
inline NamedTensors InMetaLayout(const NamedTensors& from) {
  NamedTensors to;
  to["tok_embeddings.weight"] = from.at("model.embed_tokens.weight");
  to["norm.weight"] = from.at("model.norm.weight");
  if (from.count("lm_head.weight") != 0) to["output.weight"] = from.at("lm_head.weight");
  for (const int layer : {0, 1, 2}) {
    const std::string h = "model.layers." + std::to_string(layer) + ".";
    const std::string m = "layers." + std::to_string(layer) + ".";
    const std::string hf = h + "feed_forward.", mf = m + "feed_forward.";
    const auto take = [&](const std::string& name) { return from.at(h + name); };
    to[m + "attention.wqkv.layer_norm_weight"] = take("input_layernorm.weight");
    to[m + "attention.wqkv.weight"] =
        Stacked({take("self_attn.q_proj.weight"), take("self_attn.k_proj.weight"),
                 take("self_attn.v_proj.weight")});
    to[m + "attention.wo.weight"] = take("self_attn.o_proj.weight");
    if (layer == 1) {
      to[mf + "mlp.layer_norm_weight"] = take("post_attention_layernorm.weight");
      to[mf + "mlp.fc1_weight"] =
          Stacked({from.at(hf + "gate_proj.weight"), from.at(hf + "up_proj.weight")});
      to[mf + "mlp.fc2_weight"] = from.at(hf + "down_proj.weight");
      continue;
    }
    to[mf + "norm.weight"] = take("post_attention_layernorm.weight");
    to[mf + "router_DE"] = Rearranged(from.at(hf + "router.weight"), {6, 3},
                                      [](int64_t c, int64_t e) { return e * 6 + c; });
    const Tensor& gate_up = from.at(hf + "experts.gate_up_proj");
    to[mf + "experts.moe_w_in_eD_F"] =
        Rearranged(gate_up, {18, 5}, [](int64_t row, int64_t f) { return row * 10 + f; });
    to[mf + "experts.moe_w_swiglu_eD_F"] =
        Rearranged(gate_up, {18, 5}, [](int64_t row, int64_t f) { return row * 10 + 5 + f; });
    to[mf + "experts.moe_w_out_eF_D"] = from.at(hf + "experts.down_proj");
    to[mf + "experts.moe_w_out_eF_D"].shape = {15, 6};
    to[mf + "w_in_shared_FD.weight"] = from.at(hf + "shared_expert.gate_proj.weight");
    to[mf + "w_swiglu_FD.weight"] = from.at(hf + "shared_expert.up_proj.weight");
    to[mf + "w_out_shared_DF.weight"] = from.at(hf + "shared_expert.down_proj.weight");
  }
  return to;
}

inline std::string FileOfTensors(const NamedTensors& tensors) {
  std::string header, data;
  for (const auto& [name, tensor] : tensors) {
    std::string shape;
    for (const int64_t extent : tensor.shape) {
      shape += (shape.empty() ? "[" : ",") + std::to_string(extent);
    }
    const size_t begin = data.size();
    data.append(reinterpret_cast<const char*>(tensor.data.data()), tensor.data.size());
    header += (header.empty() ? "{" : ",") +
              TensorJson(name, tensor.dtype == Dtype::kF32 ? "F32" : "BF16", shape + "]", begin,
                         data.size());
  }
  return FileOf(header + "}", data);
}

// In one file.
inline void WriteModel(const TemporaryFolder& folder, const NamedTensors& tensors) {
  folder.Write("model.safetensors", FileOfTensors(tensors));
}

// One tensor a shard.
inline void WriteSharded(const TemporaryFolder& folder, const NamedTensors& tensors) {
  std::string map;
  for (const auto& [name, tensor] : tensors) {
    folder.Write(name + ".safetensors", FileOfTensors({{name, tensor}}));
    map += (map.empty() ? "\"" : ",\"") + name + "\":\"" + name + ".safetensors\"";
  }
  folder.Write("model.safetensors.index.json", "{\"weight_map\":{" + map + "}}");
}

}  // namespace touchstone::checkpoint
