// Runs the kernel that mutations_test.py plants, on a few sizes, as every_case and refused_inputs
// run the kernels of the tree.
#include <cstdint>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "kernels/simt/execution_model.h"

namespace touchstone::kernels::planted {
void neighbours(const int64_t* x, int64_t count, int64_t limit, int64_t* y);
}

namespace {

using touchstone::simt::CopyLanding;
using touchstone::simt::Order;
using touchstone::simt::Policy;

// y[i] = x[i] + x[n - 1 - i] within each block of 64 values, n of them in the block.
std::vector<int64_t> Right(const std::vector<int64_t>& x) {
  std::vector<int64_t> y(x.size());
  for (size_t begin = 0; begin < x.size(); begin += 64) {
    const size_t n = x.size() - begin < 64 ? x.size() - begin : 64;
    for (size_t i = 0; i < n; ++i) y[begin + i] = x[begin + i] + x[begin + n - 1 - i];
  }
  return y;
}

// Behind x lies a value that a kernel must not read: it is above the limit.
std::string Tried(std::vector<int64_t> x, Policy policy) {
  touchstone::simt::CurrentPolicy() = policy;
  const std::vector<int64_t> right = Right(x);
  const auto count = static_cast<int64_t>(x.size());
  x.push_back(5000);
  std::vector<int64_t> y(right.size() + 64, -1);
  try {
    touchstone::kernels::planted::neighbours(x.data(), count, 1000, y.data());
  } catch (const std::exception& error) {
    return error.what();
  }
  std::vector<int64_t> wanted = right;
  wanted.resize(y.size(), -1);
  return y == wanted ? "" : "y: 1 of 1 elements differ";
}

}  // namespace

int main() {
  int failed = 0;
  const std::vector<Policy> policies = {{},
                                        {.order = Order::kReverse, .landing = CopyLanding::kEarly}};
  for (const size_t count : {0, 1, 63, 64, 65, 130}) {
    std::vector<int64_t> x(count);
    for (size_t i = 0; i < count; ++i) x[i] = static_cast<int64_t>(i * i % 97 + 1);
    for (const Policy& policy : policies) {
      const std::string what = Tried(x, policy);
      if (what.empty()) continue;
      ++failed;
      std::printf("FAILED planted neighbours %zu: %s\n", count, what.c_str());
    }
  }
  const std::string what = Tried({5000}, {});
  if (what.find("trap") == std::string::npos) {
    ++failed;
    std::printf("FAILED planted neighbours 5000: expected trap, found %s\n", what.c_str());
  }
  return failed == 0 ? 0 : 1;
}
