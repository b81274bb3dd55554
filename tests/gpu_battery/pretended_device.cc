// A kernels' library (kernels/model/device_library.h) without a GPU, for the rehearsal: op
// residual_add by the reference, and the same with an exception. Built by another run of the
// compiler than the packed program, against the shared C++ library, as on a machine with a GPU.
#include <stdexcept>

#include "kernels/model/device_library.h"
#include "reference/ops/residual_add/residual_add.h"

namespace touchstone {
namespace {

template <typename Storage>
void Right(View<const Storage, 'T', 'C'> a, View<const Storage, 'T', 'C'> b,
           View<Storage, 'T', 'C'> y) {
  ResidualAdd<Storage>(a, b, y);
}
class PretendedFailure : public std::runtime_error {
  using std::runtime_error::runtime_error;
};
template <typename Storage>
void Throws(View<const Storage, 'T', 'C'>, View<const Storage, 'T', 'C'>, View<Storage, 'T', 'C'>) {
  throw PretendedFailure("a pretended failure");
}

template <typename Function>
kernels::DeviceKernel Row(const char* algorithm, Dtype recipe, Function* function,
                          const char* (*why_not)() = nullptr) {
  return {"residual_add", algorithm, recipe, reinterpret_cast<void (*)()>(function), why_not};
}

const char* NoLibrary() { return "a pretended library is not there"; }
const char* Nothing() { return nullptr; }

}  // namespace
}  // namespace touchstone

const char* touchstone_cuda_open(const touchstone::kernels::DeviceLibrary** library) {
  using namespace touchstone;
  static const kernels::DeviceKernel rows[] = {Row("absent", Dtype::kF32, Right<float>, NoLibrary),
                                               Row("absent", Dtype::kBf16, Right<Bf16>, NoLibrary),
                                               Row("bounded", Dtype::kF32, Right<float>, Nothing),
                                               Row("bounded", Dtype::kBf16, Right<Bf16>, Nothing),
                                               Row("right", Dtype::kF32, Right<float>),
                                               Row("right", Dtype::kBf16, Right<Bf16>),
                                               Row("throws", Dtype::kF32, Throws<float>),
                                               Row("throws", Dtype::kBf16, Throws<Bf16>)};
  static const kernels::DeviceLibrary all = {rows, std::size(rows), [](Backend*) {},
                                             [] { return 0.25; }, "pretended"};
  *library = &all;
  return nullptr;
}
