#include "lab/agree/end_to_end.h"

#include <algorithm>
#include <cmath>

#include "reference/formats/require.h"

namespace touchstone::lab {

void Distance::Join(const Distance& other) {
  const double n = static_cast<double>(tokens), m = static_cast<double>(other.tokens);
  const auto join = [n, m](double a, double b) {
    return n + m > 0.0 ? std::sqrt((n * a * a + m * b * b) / (n + m)) : 0.0;
  };
  root_mean_square = join(root_mean_square, other.root_mean_square);
  logits = join(logits, other.logits);
  largest = std::max(largest, other.largest);
  largest_logit = std::max(largest_logit, other.largest_logit);
  tokens += other.tokens;
  same_top += other.same_top;
}

Distance DistanceBetween(const Tensor& logits, const exact::Matrix& real) {
  TOUCHSTONE_REQUIRE(logits.count() == real.size());
  Distance distance;
  distance.tokens = real.rows();
  double squares = 0.0, of_logits = 0.0;
  for (int64_t t = 0; t < real.rows(); ++t) {
    int64_t top = 0, real_top = 0;
    for (int64_t v = 0; v < real.cols(); ++v) {
      const double got = logits.Real(t * real.cols() + v), apart = std::fabs(got - real(t, v));
      distance.largest = std::max(distance.largest, std::isnan(apart) ? INFINITY : apart);
      distance.largest_logit = std::max(distance.largest_logit, std::fabs(real(t, v)));
      squares += apart * apart;
      of_logits += real(t, v) * real(t, v);
      if (got > logits.Real(t * real.cols() + top)) top = v;
      if (real(t, v) > real(t, real_top)) real_top = v;
    }
    distance.same_top += top == real_top ? 1 : 0;
  }
  if (real.size() > 0) {
    distance.root_mean_square = std::sqrt(squares / static_cast<double>(real.size()));
    distance.logits = std::sqrt(of_logits / static_cast<double>(real.size()));
  }
  return distance;
}

Fault EndToEnd::Cause() const {
  if (under.size() < 2) return Fault::kNone;
  const auto nearest = std::min_element(under.begin() + 1, under.end(),
                                        [](auto& a, auto& b) { return a.distance < b.distance; });
  return nearest->distance * kNearer <= under.front().distance && under.front().distance > 0.0
             ? nearest->fault
             : Fault::kNone;
}

double EndToEnd::Yardstick() const { return std::max(yardstick, ours.root_mean_square); }

bool EndToEnd::IsFarFromAll() const {
  if (!end_result_alone || !has_ours) return false;
  const double garbage = kGarbage * recorded.logits;
  const double far = in_f32 ? std::min(kFarther * Yardstick(), garbage) : garbage;
  return !(recorded.root_mean_square <= far);  // a NaN is far
}

bool EndToEnd::Agrees() const {
  const bool choices_agree = std::none_of(others.begin(), others.end(),
                                          [](const OtherChoice& c) { return c.Disagrees(); });
  return choices_agree && Cause() == Fault::kNone && !IsFarFromAll();
}

}  // namespace touchstone::lab
