#include "golden/hdf5_handle.h"

#include <fmt/format.h>

#include "golden/bad_file.h"
#include "golden/global_heap.h"

namespace touchstone::golden {
namespace {

// The library has put the bytes of the file into the buffer: they stay as they are.
herr_t KeepReference(hid_t, hid_t memory, H5T_cdata_t* call, size_t, size_t, size_t, void*, void*,
                     hid_t) {
  if (call->command != H5T_CONV_INIT) return 0;
  call->need_bkg = H5T_BKG_NO;
  return H5Tget_size(memory) == kHeapReferenceBytes ? 0 : -1;
}

herr_t RegisterKeepReference(const Handle& memory) {
  const Handle text(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(text.id(), H5T_VARIABLE);
  return H5Tregister(H5T_PERS_SOFT, "heap reference", text.id(), memory.id(), KeepReference);
}

}  // namespace

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

Handle HeapReferenceType() {
  Handle type(H5Tcreate(H5T_OPAQUE, kHeapReferenceBytes), H5Tclose);
  [[maybe_unused]] static const herr_t registered = RegisterKeepReference(type);
  return type;
}

}  // namespace touchstone::golden
