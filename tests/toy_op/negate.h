// Negate: the toy op of CONTRIBUTING.md's recipe.
//
//   x  (T, C)  storage  in
//   y  (T, C)  storage  out; may be the same memory as x
//
//   y[t,c] = RN(-x[t,c])
//
// Exact: no bit but the sign changes. NaN stays NaN.
#pragma once

#include "reference/formats/bf16.h"
#include "reference/formats/view.h"

namespace touchstone {

template <typename Storage>
void Negate(View<const Storage, 'T', 'C'> x, View<Storage, 'T', 'C'> y);

}  // namespace touchstone
