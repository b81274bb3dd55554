/* Kernels that compute what they should, in plain C, for the test of plug-ins. */
#pragma once

#include <math.h>
#include <string.h>

#include "lab/include/touchstone.h"

static inline float Widened(uint16_t bits) {
  const uint32_t wide = (uint32_t)bits << 16;
  float x;
  memcpy(&x, &wide, sizeof x);
  return x;
}

/* To nearest even; a NaN stays one. */
static inline uint16_t Narrowed(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return 0x7fc0;
  bits += 0x7fffu + (bits >> 16 & 1);
  return (uint16_t)(bits >> 16);
}

static inline float At(const touchstone_tensor* tensor, int64_t i) {
  if (tensor->dtype.code == TOUCHSTONE_FLOAT) return ((const float*)tensor->data)[i];
  return Widened(((const uint16_t*)tensor->data)[i]);
}

static inline void Put(const touchstone_tensor* tensor, int64_t i, float x) {
  if (tensor->dtype.code == TOUCHSTONE_FLOAT) {
    ((float*)tensor->data)[i] = x;
  } else {
    ((uint16_t*)tensor->data)[i] = Narrowed(x);
  }
}

/* x (T, C), weight (C), y (T, C); attribute eps. */
static inline int RmsNorm(const touchstone_call* call) {
  const touchstone_tensor *x = &call->inputs[0], *weight = &call->inputs[1];
  const touchstone_tensor* y = &call->outputs[0];
  const int64_t rows = x->shape[0], cols = x->shape[1];
  for (int64_t t = 0; t < rows; ++t) {
    float sum = 0.0f;
    for (int64_t c = 0; c < cols; ++c) sum += At(x, t * cols + c) * At(x, t * cols + c);
    const float r = 1.0f / sqrtf(sum / (float)cols + (float)call->attributes[0].value);
    for (int64_t c = 0; c < cols; ++c) {
      float unit = At(x, t * cols + c) * r;
      if (x->dtype.code == TOUCHSTONE_BFLOAT) unit = Widened(Narrowed(unit));
      Put(y, t * cols + c, unit * At(weight, c));
    }
  }
  return 0;
}
