// The scores of attention, and the keys that a query sees: what its bound and its evaluation share.
#pragma once

#include <cstdint>

#include "reference/exact/enclosure.h"
#include "reference/formats/dtype.h"

namespace touchstone::exact {

// The visible keys of a query: first <= j < end.
struct Keys {
  int64_t first, end;
  int64_t count() const { return end - first; }
};
Keys VisibleKeys(int64_t position, int64_t chunk, int64_t S);

// alpha = RN32(1 / sqrt(D)).
float ScoreScale(int64_t D);

// Those rows of keys or values (S, G, D) that are visible to head g, (n, D).
template <typename Array>
Array RowsOf(const Array& x, Keys keys, int64_t g, int64_t G) {
  Array rows(keys.count(), x.cols());
  for (int64_t j = 0; j < rows.rows(); ++j) rows.row(j) = x.row((keys.first + j) * G + g);
  return rows;
}
Enclosure RowsOf(const Enclosure& x, Keys keys, int64_t g, int64_t G);

// The largest size of each finite element; 0 where there is none.
Matrix FiniteSize(const Enclosure& x);

// The scores of some queries, a row each, with some keys. For each row whether a visible one makes
// its head NaN in every kernel, or whether nothing can be said, is asked of the visible part.
struct Scores {
  Matrix value;         // alpha (q . k), not rounded
  Matrix center;        // of what a kernel may compute; value where no place rounds a score
  Matrix short_of;      // how far from center a kernel may be, by the sum over d and the places
  Matrix scaling;       // and by the rounding of alpha and log2(e), wherever they join
  Matrix lower, upper;  // what a kernel may compute, not yet in units of log2
  Mask nan;             // a NaN or +inf in every kernel
  Mask open;            // may not be finite
};

//   q.k            Contract's error, and D u sum |q_d k_jd| at least: Contract may know a sum to be
//                  exact, but that of a q that alpha has scaled is not
//   alpha, log2(e) 3u alpha sum |q_d k_jd|: they are rounded and scale q, k, the sum or the
//                  exponent. Where a place rounds q.k the scale joins after it, u; where a place
//                  rounds a score only log2(e) is left, 3u of the score
Scores ScoresOf(const Enclosure& q, const Enclosure& keys, Dtype storage, Place scores,
                Place scaled_scores);

}  // namespace touchstone::exact
