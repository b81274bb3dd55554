// Declares what chunk_per_thread.cu defines, for kernels that are made of others' launches.
#pragma once

#include "reference/ops/kv_append/kv_append.h"

namespace touchstone::kernels::kv_append {

decltype(KvAppend<float>) chunk_per_thread;
decltype(KvAppend<Bf16>) chunk_per_thread;

}  // namespace touchstone::kernels::kv_append
