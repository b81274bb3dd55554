// Who takes part in a case: the reference, every candidate of ours, and rivals from other
// libraries, all on the same numbers.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "bench/bench_case.h"
#include "lab/spec.h"

namespace touchstone::bench {

struct Contender {
  std::string name;          // "reference", "optimized/packed_panels", "OpenBLAS sgemm"
  bool ours = false;         // judged by bits, not by the bound
  std::string not_run = {};  // why it does not take part; what follows is then empty
  std::function<void(size_t copy)> call = {};
  // Where copy 0's output goes. A rival that computes in binary32 gives f32 in every recipe.
  Tensor* y = nullptr;
};

// The case's tensors, as often as the caches ask for it; the numbers are the same in each.
class Copies {
 public:
  explicit Copies(const BenchCase& bench_case);
  const lab::Case& c() const { return *c_; }
  size_t count() const { return copies_.size(); }
  lab::Tensors& at(size_t copy) { return copies_.at(copy); }
  const lab::Tensors& at(size_t copy) const { return copies_.at(copy); }

 private:
  const lab::Case* c_;
  std::vector<lab::Tensors> copies_;
};

// `copies` must outlive what is given.
std::vector<Contender> OurContenders(Copies* copies, int threads);
// OpenBLAS, Eigen and oneDNN where they have the op.
std::vector<Contender> Rivals(Copies* copies, int threads);
// "OpenBLAS 0.3.21 Zen, Eigen 3.4.0, oneDNN 2.6.3"
std::vector<std::string> RivalVersions();

}  // namespace touchstone::bench
