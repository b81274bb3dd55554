// Ownership of HDF5 identifiers, silence of the library's own error printing, and what it has to
// say. Included by the sources of hdf5_file.h only, so that nobody else sees HDF5.
#pragma once

#include <hdf5.h>

#include <string>
#include <utility>

#include "reference/formats/dtype.h"

namespace touchstone::golden {

// Owns an identifier of any kind and closes it. A negative one (the library's failure) owns
// nothing.
class Handle {
 public:
  Handle() = default;
  Handle(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
  ~Handle() { Close(); }
  Handle(Handle&& other) noexcept
      : id_(std::exchange(other.id_, H5I_INVALID_HID)), close_(other.close_) {}
  Handle& operator=(Handle&& other) noexcept {
    if (this == &other) return *this;
    Close();
    id_ = std::exchange(other.id_, H5I_INVALID_HID);
    close_ = other.close_;
    return *this;
  }

  hid_t id() const { return id_; }
  explicit operator bool() const { return id_ >= 0; }
  // False where the library could not close it, which for a file may mean that it was not written.
  bool Close() { return id_ < 0 || close_(std::exchange(id_, H5I_INVALID_HID)) >= 0; }

 private:
  hid_t id_ = H5I_INVALID_HID;
  herr_t (*close_)(hid_t) = nullptr;
};

// While one lives, the library prints nothing on this thread: what it has to say goes into the
// exception instead. The caller's setting comes back afterwards.
//
// Nor does the library close itself when the program exits: a file with damaged metadata leaves
// references inside it, about which it would then print. What is opened here is closed here.
class ErrorSilence {
 public:
  ErrorSilence() {
    [[maybe_unused]] static const herr_t stays_open = H5dont_atexit();  // before any other call
    H5Eget_auto2(H5E_DEFAULT, &print_, &data_);
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  }
  ~ErrorSilence() { H5Eset_auto2(H5E_DEFAULT, print_, data_); }
  ErrorSilence(const ErrorSilence&) = delete;
  ErrorSilence& operator=(const ErrorSilence&) = delete;

 private:
  H5E_auto2_t print_ = nullptr;
  void* data_ = nullptr;
};

// The innermost error of the last failed call on this thread, in parentheses and with a space
// before; empty where there is none.
std::string LibraryError();

// How the elements of a dtype lie in a file, and the same type in memory. Both are the library's.
hid_t StoredType(Dtype dtype);
hid_t MemoryType(Dtype dtype);

// A type in memory as which an attribute of variable length reads as its reference into the global
// heap (golden/global_heap.h), which the library then leaves alone. It knows no conversion of such
// types to opaque ones, so the one that is registered here stands in nobody's way.
Handle HeapReferenceType();

inline constexpr int kMaxRank = 8;
inline constexpr char kDtypeAttribute[] = "dtype";
inline constexpr char kContractAttribute[] = "contract";

}  // namespace touchstone::golden
