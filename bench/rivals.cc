// The rivals. Each is called as its users call it: row-major x (T, C) by the transpose of a row-
// major weight (F, C). OpenBLAS and Eigen know binary32 alone; where the recipe is bf16 they are
// given the widened tensors, twice the bytes.
#include <cblas.h>
#include <fmt/format.h>
#include <omp.h>

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <oneapi/dnnl/dnnl.hpp>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "bench/contender.h"
#include "reference/formats/by_storage.h"

namespace touchstone::bench {
namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using In = Eigen::Map<const Matrix>;
using Out = Eigen::Map<Matrix>;

Tensor Widened(const Tensor& tensor) {
  if (tensor.dtype == Dtype::kF32) return tensor;
  Tensor wide(Dtype::kF32, tensor.shape);
  const Bf16* from = tensor.values<Bf16>();
  std::transform(from, from + tensor.count(), wide.values<float>(),
                 [](Bf16 value) { return Widen(value); });
  return wide;
}

// The copies in binary32, shared by the rivals that need them.
class WideCopies {
 public:
  explicit WideCopies(Copies* copies) {
    if (copies->c().recipe == Dtype::kF32) {
      for (size_t i = 0; i < copies->count(); ++i) tensors_.push_back(&copies->at(i));
      return;
    }
    lab::Tensors wide;
    for (const auto& [name, tensor] : copies->at(0)) wide.emplace(name, Widened(tensor));
    owned_.assign(copies->count(), wide);
    for (lab::Tensors& one : owned_) tensors_.push_back(&one);
  }
  lab::Tensors& at(size_t copy) { return *tensors_.at(copy); }

 private:
  std::vector<lab::Tensors> owned_;
  std::vector<lab::Tensors*> tensors_;
};

float* Values(lab::Tensors* tensors, const char* name) { return tensors->at(name).values<float>(); }

// A rival on binary32 tensors.
Contender OnWide(const std::string& name, const std::shared_ptr<WideCopies>& wide, Dtype storage,
                 const std::function<void(lab::Tensors*)>& call) {
  return {.name = storage == Dtype::kF32 ? name : name + " (f32)",
          .call = [wide, call](size_t copy) { call(&wide->at(copy)); },
          .y = &wide->at(0).at("y")};
}

Contender OpenBlasLinear(const lab::Case& c, const std::shared_ptr<WideCopies>& wide, int threads) {
  const auto T = static_cast<int>(c.size('T')), C = static_cast<int>(c.size('C'));
  const auto F = static_cast<int>(c.size('F'));
  return OnWide("OpenBLAS sgemm", wide, c.recipe, [=](lab::Tensors* t) {
    openblas_set_num_threads(threads);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, T, F, C, 1.0f, Values(t, "x"), C,
                Values(t, "weight"), C, 0.0f, Values(t, "y"), F);
  });
}

Contender EigenLinear(const lab::Case& c, const std::shared_ptr<WideCopies>& wide, int threads) {
  const int64_t T = c.size('T'), C = c.size('C'), F = c.size('F');
  Contender rival = OnWide("Eigen product", wide, c.recipe, [=](lab::Tensors* t) {
    Out(Values(t, "y"), T, F).noalias() =
        In(Values(t, "x"), T, C) * In(Values(t, "weight"), F, C).transpose();
  });
  // Its threads are OpenMP's and would have to be the same in every file that includes it.
  if (threads > 1) rival.not_run = "Eigen runs on one thread here";
  return rival;
}

Contender EigenRmsNorm(const lab::Case& c, const std::shared_ptr<WideCopies>& wide) {
  const int64_t T = c.size('T'), C = c.size('C');
  const float eps = c.constant("eps");
  return OnWide("Eigen row by row", wide, c.recipe, [=](lab::Tensors* t) {
    const In x(Values(t, "x"), T, C), weight(Values(t, "weight"), 1, C);
    Out y(Values(t, "y"), T, C);
    for (int64_t i = 0; i < T; ++i) {
      const float r = 1.0f / std::sqrt(x.row(i).squaredNorm() / static_cast<float>(C) + eps);
      y.row(i).array() = x.row(i).array() * r * weight.array();
    }
  });
}

// One oneDNN matmul and the memory of every copy.
struct OneDnnMatmul {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  dnnl::matmul::primitive_desc description;
  dnnl::matmul primitive;
  std::vector<std::unordered_map<int, dnnl::memory>> memories;

  explicit OneDnnMatmul(Copies* copies) {
    using Memory = dnnl::memory;
    const lab::Case& c = copies->c();
    const auto type = c.recipe == Dtype::kF32 ? Memory::data_type::f32 : Memory::data_type::bf16;
    const int64_t T = c.size('T'), C = c.size('C'), F = c.size('F');
    const Memory::desc x({T, C}, type, Memory::dims{C, 1});
    const Memory::desc weight({C, F}, type, Memory::dims{1, C});
    const Memory::desc y({T, F}, type, Memory::dims{F, 1});
#if DNNL_VERSION_MAJOR >= 3
    description = dnnl::matmul::primitive_desc(engine, x, weight, y);
#else
    description = dnnl::matmul::primitive_desc(dnnl::matmul::desc(x, weight, y), engine);
#endif
    primitive = dnnl::matmul(description);
    for (size_t i = 0; i < copies->count(); ++i) {
      lab::Tensors& t = copies->at(i);
      memories.push_back({{DNNL_ARG_SRC, Memory(x, engine, t.at("x").data.data())},
                          {DNNL_ARG_WEIGHTS, Memory(weight, engine, t.at("weight").data.data())},
                          {DNNL_ARG_DST, Memory(y, engine, t.at("y").data.data())}});
    }
  }
};

Contender OneDnnLinear(Copies* copies, int threads) {
  Contender rival{.name = "oneDNN matmul"};
  try {
    const auto matmul = std::make_shared<OneDnnMatmul>(copies);
    const std::string code = matmul->description.impl_info_str();
    if (code.find("ref") != std::string::npos) {
      rival.not_run =
          fmt::format("for this format on this processor oneDNN has its slow '{}' alone", code);
      return rival;
    }
    rival.call = [matmul, threads](size_t copy) {
      omp_set_num_threads(threads);
      matmul->primitive.execute(matmul->stream, matmul->memories.at(copy));
      matmul->stream.wait();
    };
    rival.y = &copies->at(0).at("y");
  } catch (const dnnl::error& error) {
    rival.not_run = fmt::format("oneDNN refuses it: {}", error.what());
  }
  return rival;
}

}  // namespace

std::vector<Contender> Rivals(Copies* copies, int threads) {
  const lab::Case& c = copies->c();
  std::vector<Contender> rivals;
  if (c.op->name == "linear") {
    const auto wide = std::make_shared<WideCopies>(copies);
    rivals.push_back(OpenBlasLinear(c, wide, threads));
    rivals.push_back(EigenLinear(c, wide, threads));
    rivals.push_back(OneDnnLinear(copies, threads));
  } else if (c.op->name == "rmsnorm") {
    rivals.push_back(EigenRmsNorm(c, std::make_shared<WideCopies>(copies)));
  }
  return rivals;
}

std::vector<std::string> RivalVersions() {
  const dnnl_version_t* onednn = dnnl_version();
  std::string openblas = openblas_get_config();
  openblas = openblas.substr(0, openblas.find(' ', openblas.find(' ') + 1));
  return {
      fmt::format("{} ({} code)", openblas, openblas_get_corename()),
      fmt::format("Eigen {}.{}.{}", EIGEN_WORLD_VERSION, EIGEN_MAJOR_VERSION, EIGEN_MINOR_VERSION),
      fmt::format("oneDNN {}.{}.{}", onednn->major, onednn->minor, onednn->patch)};
}

}  // namespace touchstone::bench
