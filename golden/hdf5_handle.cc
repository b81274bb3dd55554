#include "golden/hdf5_handle.h"

#include <fmt/format.h>

#include "golden/bad_file.h"

namespace touchstone::golden {

std::string LibraryError() {
  const auto take_first = [](unsigned depth, const H5E_error2_t* error, void* out) -> herr_t {
    if (depth == 0 && error->desc != nullptr) *static_cast<const char**>(out) = error->desc;
    return 0;
  };
  const char* description = nullptr;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_first, &description);
  return description == nullptr ? "" : fmt::format(" ({})", Quoted(description));
}

hid_t StoredType(Dtype dtype) {
  switch (dtype) {
    case Dtype::kF32:
      return H5T_IEEE_F32LE;
    case Dtype::kBf16:
      return H5T_STD_U16LE;
    case Dtype::kI64:
      return H5T_STD_I64LE;
    default:
      return H5T_STD_U8LE;
  }
}

hid_t MemoryType(Dtype dtype) {
  switch (dtype) {
    case Dtype::kF32:
      return H5T_NATIVE_FLOAT;
    case Dtype::kBf16:
      return H5T_NATIVE_UINT16;
    case Dtype::kI64:
      return H5T_NATIVE_INT64;
    default:
      return H5T_NATIVE_UINT8;
  }
}

}  // namespace touchstone::golden
