// Which wrappers of PTX a kernel is said to need a GPU for, in a tree of its own.
#include "lab/hardware_runs.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "lab/spec.h"
#include "tests/temporary_folder.h"

namespace touchstone::lab {
namespace {

using Names = std::vector<std::string>;

constexpr const char* kColumns = "kernel\tgpu\tdate\tdriver\tverdict\n";

// product/tiles copies by PTX. chain/fused calls it through its header; chain/by_size through a
// header of product that has no .cu; chain/whole calls chain/fused.
class HardwareRuns : public testing::Test {
 protected:
  void SetUp() override {
    const char* old = getenv("TOUCHSTONE_ROOT");
    if (old != nullptr) old_ = old;
    setenv("TOUCHSTONE_ROOT", folder_.path().c_str(), 1);
    for (const char* name : {"ptx", "parts", "product", "chain", "other"}) {
      std::filesystem::create_directories(folder_.path() / "kernels" / name);
    }
    std::filesystem::create_directories(folder_.path() / "docs/tables");
    Write("ptx/copy.cuh", {});
    Write("ptx/barrier.cuh", {});
    Write("parts/tiles.cuh", {"ptx/copy.cuh"});
    Write("product/tiles.h", {});
    Write("product/tiles.cu", {"product/tiles.h", "parts/tiles.cuh"});
    Write("product/by_size.h", {"product/tiles.h"});
    Write("chain/fused.h", {});
    Write("chain/fused.cu", {"chain/fused.h", "product/tiles.h", "ptx/barrier.cuh"});
    Write("chain/by_size.cu", {"product/by_size.h"});
    Write("chain/whole.cu", {"chain/fused.h"});
    Write("other/plain.cu", {"parts/nothing.h"});
    Runs("");
  }
  void TearDown() override {
    if (old_) {
      setenv("TOUCHSTONE_ROOT", old_->c_str(), 1);
    } else {
      unsetenv("TOUCHSTONE_ROOT");
    }
  }

  void Write(const std::string& name, const Names& includes) const {
    std::string text = "// " + name + "\n";
    for (const std::string& included : includes) text += "#include \"kernels/" + included + "\"\n";
    folder_.Write("kernels/" + name, text);
  }
  void Runs(const std::string& rows) const {
    folder_.Write("docs/tables/hardware_runs.tsv", kColumns + rows);
  }

 private:
  TemporaryFolder folder_;
  std::optional<std::string> old_;
};

TEST_F(HardwareRuns, WrappersOfOtherAlgorithmsThatAKernelCallsAreFound) {
  EXPECT_EQ(UnprovenWrappers("product", "kernels/tiles"), Names{"ptx/copy"});
  EXPECT_EQ(UnprovenWrappers("chain", "kernels/fused"), (Names{"ptx/barrier", "ptx/copy"}));
  EXPECT_EQ(UnprovenWrappers("chain", "kernels/by_size"), Names{"ptx/copy"});
  EXPECT_EQ(UnprovenWrappers("chain", "kernels/whole"), (Names{"ptx/barrier", "ptx/copy"}));
  EXPECT_EQ(UnprovenWrappers("other", "kernels/plain"), Names{});
  EXPECT_EQ(UnprovenWrappers("chain", "optimized/fused"), Names{});
}

TEST_F(HardwareRuns, ARunThatPassedConfirms) {
  Runs("ptx/copy\tH200\t2026-01-01\t580\tBIT-EXACT\nptx/barrier\tH200\t2026-01-01\t580\tFAILED\n");
  EXPECT_EQ(UnprovenWrappers("chain", "kernels/whole"), Names{"ptx/barrier"});
  EXPECT_EQ(UnprovenWrappers("product", "kernels/tiles"), Names{});
}

TEST(HardwareRunsHere, AChainNeedsWhatTheKernelsThatItCallsNeed) {
  EXPECT_EQ(UnprovenWrappers("feed_forward", "kernels/fused_gate_up"),
            UnprovenWrappers("gate_up_swiglu", "kernels/register_tiles"));
}

}  // namespace
}  // namespace touchstone::lab
