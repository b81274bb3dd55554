// 1 / sqrt(mean of squares + eps) of every row: the part that RMSNorm and QK norm share.
#pragma once

#include "reference/exact/enclosure.h"

namespace touchstone::exact {

// One column, one row for each row of x. With n = x.cols() summands, all positive, every error is
// relative but for subnormal squares:
//
//   sum of squares   n u         any order, fused or not; and n 2^-150 where squares are subnormal
//   mean             4u          division within 2 ulp
//   + eps            u           together (n + 5) u on the argument of the root, which halves it
//   1 / sqrt         8u          a root and a division within 2 ulp each (rsqrt: less)
//
//   rho = 1.01 ((n + 5) u / 2 + 8u)     1 % covers the second order while n < 2^17
Enclosure ReciprocalRms(const Enclosure& x, double eps);

}  // namespace touchstone::exact
