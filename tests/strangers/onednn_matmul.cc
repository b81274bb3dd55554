// oneDNN's matmul as a kernel of op linear: f32, and bf16 in and out where this processor has it.
#include <dnnl.hpp>
#include <map>
#include <optional>
#include <string>

#include "lab/include/touchstone.h"

namespace {

using dnnl::memory;

// The primitive for these sizes; nothing where oneDNN has none for this processor.
std::optional<dnnl::matmul::primitive_desc> Described(const dnnl::engine& engine, int64_t T,
                                                      int64_t C, int64_t F, bool is_bf16) {
  const memory::data_type type = is_bf16 ? memory::data_type::bf16 : memory::data_type::f32;
  try {
    const memory::desc x({T, C}, type, memory::format_tag::ab);
    const memory::desc weight({C, F}, type, memory::format_tag::ba);
    const memory::desc y({T, F}, type, memory::format_tag::ab);
    return dnnl::matmul::primitive_desc(dnnl::matmul::desc(x, weight, y), engine);
  } catch (const dnnl::error& error) {
    if (error.status == dnnl_unimplemented) return std::nullopt;
    throw;
  }
}

int Run(const touchstone_call* call) {
  const int64_t T = call->inputs[0].shape[0], C = call->inputs[0].shape[1];
  const int64_t F = call->inputs[1].shape[0];
  const bool is_bf16 = call->recipe == TOUCHSTONE_BF16;
  if (C == 0) return TOUCHSTONE_REFUSED;
  if (T == 0 || F == 0) return 0;
  const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  const auto description = Described(engine, T, C, F, is_bf16);
  if (!description) return TOUCHSTONE_REFUSED;
  dnnl::stream stream(engine);
  const memory x(description->src_desc(), engine, call->inputs[0].data);
  const memory weight(description->weights_desc(), engine, call->inputs[1].data);
  const memory y(description->dst_desc(), engine, call->outputs[0].data);
  dnnl::matmul(*description)
      .execute(stream, {{DNNL_ARG_SRC, x}, {DNNL_ARG_WEIGHTS, weight}, {DNNL_ARG_DST, y}});
  stream.wait();
  return 0;
}

}  // namespace

// Which of its implementations oneDNN takes on this processor for C80_F7_T3; empty: none.
extern "C" __attribute__((visibility("default"))) const char* matmul_path(int is_bf16) {
  static std::string path;
  const auto description =
      Described(dnnl::engine(dnnl::engine::kind::cpu, 0), 3, 80, 7, is_bf16 != 0);
  path = description ? description->impl_info_str() : "";
  return path.c_str();
}

TOUCHSTONE_KERNEL(linear) = {TOUCHSTONE_ABI,
                             sizeof(touchstone_kernel),
                             "oneDNN matmul",
                             "linear",
                             TOUCHSTONE_F32 | TOUCHSTONE_BF16,
                             TOUCHSTONE_CPU,
                             nullptr,
                             nullptr,
                             Run};
