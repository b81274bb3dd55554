// Fuzz target: the reader of HDF5 files. Whatever the file is, ReadEverything returns or throws
// BadFile, and leaves nothing open.
//
// The bytes are not the file but choices: which well-formed and often hostile objects the HDF5
// library is told to write (types, shapes, layouts, links, attributes), and how the first bytes of
// the file and its length are bent afterwards. Random changes of a whole file would search the
// parser of the HDF5 library, which has known faults, and rarely get past it to ours.
#include <hdf5.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "fuzz/choices.h"
#include "golden/bad_file.h"
#include "golden/read_everything.h"

namespace {

using touchstone::fuzz::Choices;

// Writes what the choices say. Calls that the library refuses have no effect; their results do not
// matter, and its error printing is off.
class HostileFile {
 public:
  HostileFile(Choices* choices, const std::string& file) : choices_(*choices) {
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_fclose_degree(access, H5F_CLOSE_STRONG);
    if (choices_.Once(2)) H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_V18);
    file_ = H5Fcreate(file.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access);
    if (file_ < 0) std::abort();
    H5Pclose(access);
    for (int objects = 0; !choices_.spent() && objects < kMaxObjects; ++objects) AddObject();
  }
  ~HostileFile() { H5Fclose(file_); }
  HostileFile(const HostileFile&) = delete;
  HostileFile& operator=(const HostileFile&) = delete;

 private:
  std::string Name() {
    static const std::array<std::string, 8> names{"a",     "b",   "a/b",  "b/a",
                                                  "a/b/a", "x y", "\x1b", ""};
    return choices_.Once(8) ? choices_.Text(20) : choices_.Of(names);
  }

  hid_t Type() {
    switch (choices_.Below(16)) {
      case 0:
        return H5Tcopy(H5T_IEEE_F32BE);
      case 1:
        return H5Tcopy(H5T_IEEE_F64LE);
      case 2:
        return H5Tcopy(H5T_STD_U16BE);
      case 3:
        return H5Tcopy(H5T_STD_I16LE);
      case 4:
        return H5Tcopy(H5T_STD_U64LE);
      case 5:
        return StringType();
      case 6:
        return H5Tvlen_create(H5T_STD_U8LE);
      case 7: {
        const hsize_t extent = 1 + choices_.Below(4);
        return H5Tarray_create2(H5T_IEEE_F32LE, 1, &extent);
      }
      case 8:
        return H5Tcreate(H5T_OPAQUE, 1 + choices_.Below(8));
      case 9: {
        const hid_t type = H5Tcreate(H5T_COMPOUND, 8);
        H5Tinsert(type, "re", 0, H5T_IEEE_F32LE);
        H5Tinsert(type, "im", 4, H5T_IEEE_F32LE);
        return type;
      }
      case 10: {
        const hid_t type = H5Tcopy(H5T_STD_U16LE);
        H5Tset_precision(type, 1 + choices_.Below(16));
        return type;
      }
      case 11:
        return H5Tcopy(H5T_STD_I64LE);
      case 12:
        return H5Tcopy(H5T_STD_U8LE);
      case 13:
        return H5Tcopy(H5T_STD_U16LE);
      case 14:
        return H5Tcopy(H5T_STD_REF_OBJ);
      default:
        return H5Tcopy(H5T_IEEE_F32LE);
    }
  }

  hid_t StringType() {
    const hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, choices_.Once(3) ? H5T_VARIABLE : 1 + choices_.Below(12));
    H5Tset_strpad(type, static_cast<H5T_str_t>(choices_.Below(3)));
    if (choices_.Once(2)) H5Tset_cset(type, H5T_CSET_UTF8);
    return type;
  }

  hid_t Space() {
    if (choices_.Once(8)) return H5Screate(H5S_NULL);
    if (choices_.Once(8)) return H5Screate(H5S_SCALAR);
    const size_t rank = choices_.Below(choices_.Once(4) ? 33 : 4);
    std::vector<hsize_t> extents(rank);
    for (hsize_t& extent : extents)
      extent = choices_.Once(8) ? choices_.Number() : choices_.Below(4);
    return H5Screate_simple(static_cast<int>(rank), extents.data(), nullptr);
  }

  // Of a dataset. Early allocation is for small ones, to stay quick.
  hid_t Creation(hid_t space) {
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    const hssize_t points = H5Sget_simple_extent_npoints(space);
    const bool small = points < kMaxPoints;
    if (small && !choices_.Once(4)) H5Pset_alloc_time(creation, H5D_ALLOC_TIME_EARLY);
    const hsize_t one = 1;
    switch (choices_.Below(8)) {
      case 0:
        H5Pset_layout(creation, H5D_COMPACT);
        break;
      case 1:
        if (small) H5Pset_chunk(creation, 1, &one);
        break;
      case 2:
        if (small) H5Pset_chunk(creation, 1, &one);
        H5Pset_deflate(creation, 1);
        break;
      case 3:
        H5Pset_external(creation, "elsewhere", 0, H5F_UNLIMITED);
        break;
      case 4:
        H5Pset_virtual(creation, space, "elsewhere.h5", "a", space);
        break;
      default:
        break;
    }
    return creation;
  }

  void AddAttribute(hid_t object) {
    static const std::array<std::string, 4> names{"dtype", "contract", "eps", ""};
    static const std::array<std::string, 8> dtypes{"f32",  "bf16", "i64",   "e4m3",
                                                   "int4", "f16",  "bf16 ", ""};
    const std::string name = choices_.Of(names);
    const bool text = choices_.Below(4) > 0;
    const hid_t type = text ? StringType() : Type();
    const hid_t space = choices_.Below(4) > 0 ? H5Screate(H5S_SCALAR) : Space();
    const hssize_t points = H5Sget_simple_extent_npoints(space);
    if (points < kMaxPoints) {
      const hid_t attribute =
          H5Acreate2(object, name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT);
      const std::string value = choices_.Below(4) > 0 ? choices_.Of(dtypes) : choices_.Text(20);
      if (text && points <= 1 && H5Tis_variable_str(type) > 0) {
        const char* pointer = value.c_str();
        H5Awrite(attribute, type, &pointer);
      } else if (H5Tget_class(type) != H5T_VLEN && H5Tis_variable_str(type) <= 0) {
        std::vector<char> bytes(static_cast<size_t>(std::max<hssize_t>(points, 0)) *
                                    H5Tget_size(type) +
                                value.size() + 1);
        std::copy(value.begin(), value.end(), bytes.begin());
        H5Awrite(attribute, type, bytes.data());
      }
      H5Aclose(attribute);
    }
    H5Sclose(space);
    H5Tclose(type);
  }

  bool Sound() { return choices_.Below(4) > 0; }

  static void AddSoundDtype(hid_t dataset) {
    const hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, 3);
    const hid_t scalar = H5Screate(H5S_SCALAR);
    const hid_t attribute = H5Acreate2(dataset, "dtype", type, scalar, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(attribute, type, "f32");
    H5Aclose(attribute);
    H5Sclose(scalar);
    H5Tclose(type);
  }

  // Each of its parts is usually that of a sound tensor, so that the reader comes to the others.
  void AddDataset() {
    const hid_t type = Sound() ? H5Tcopy(H5T_IEEE_F32LE) : Type();
    const std::array<hsize_t, 2> extents{2, choices_.Below(4)};
    const hid_t space = Sound() ? H5Screate_simple(2, extents.data(), nullptr) : Space();
    hid_t creation = H5I_INVALID_HID;
    if (Sound()) {
      creation = H5Pcreate(H5P_DATASET_CREATE);
      if (H5Sget_simple_extent_npoints(space) < kMaxPoints) {
        H5Pset_alloc_time(creation, H5D_ALLOC_TIME_EARLY);
      }
    } else {
      creation = Creation(space);
    }
    const hid_t links = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(links, 1);
    const hid_t dataset =
        H5Dcreate2(file_, Name().c_str(), type, space, links, creation, H5P_DEFAULT);
    if (Sound()) AddSoundDtype(dataset);
    for (size_t count = choices_.Below(3); count > 0; --count) AddAttribute(dataset);
    for (const hid_t list : {creation, links}) H5Pclose(list);
    H5Dclose(dataset);
    H5Sclose(space);
    H5Tclose(type);
  }

  void AddObject() {
    switch (choices_.Below(12)) {
      case 0:
        H5Gclose(H5Gcreate2(file_, Name().c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
        break;
      case 1:
        H5Lcreate_hard(file_, Name().c_str(), file_, Name().c_str(), H5P_DEFAULT, H5P_DEFAULT);
        break;
      case 2:
        H5Lcreate_hard(file_, "/", file_, Name().c_str(), H5P_DEFAULT, H5P_DEFAULT);
        break;
      case 3:
        H5Lcreate_soft(Name().c_str(), file_, Name().c_str(), H5P_DEFAULT, H5P_DEFAULT);
        break;
      case 4:
        H5Lcreate_external("elsewhere.h5", "a", file_, Name().c_str(), H5P_DEFAULT, H5P_DEFAULT);
        break;
      case 5: {
        const hid_t type = Type();
        H5Tcommit2(file_, Name().c_str(), type, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        H5Tclose(type);
        break;
      }
      case 6: {
        const hid_t object = H5Oopen(file_, Name().c_str(), H5P_DEFAULT);
        AddAttribute(object);
        H5Oclose(object);
        break;
      }
      default:
        AddDataset();
        break;
    }
  }

  static constexpr int kMaxObjects = 40;
  static constexpr hssize_t kMaxPoints = 4096;

  Choices& choices_;
  hid_t file_ = H5I_INVALID_HID;
};

// One file for the whole process: the library cannot open a file without a name.
class ScratchFile {
 public:
  ScratchFile() {
    name_ = (std::filesystem::temp_directory_path() / "golden_file-XXXXXX").string();
    descriptor_ = mkstemp(name_.data());
    if (descriptor_ < 0) std::abort();
  }
  ~ScratchFile() {
    close(descriptor_);
    unlink(name_.c_str());
  }
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;

  const std::string& name() const { return name_; }

  // Changes one of the first bytes, and the length. What lies behind kBendable is metadata that the
  // library trusts.
  void Bend(Choices* choices) const {
    constexpr size_t kBendable = 48;
    const off_t size = lseek(descriptor_, 0, SEEK_END);
    if (choices->Once(4)) {
      const uint8_t byte = choices->Byte();
      const auto at = static_cast<off_t>(choices->Below(kBendable));
      if (pwrite(descriptor_, &byte, 1, at) != 1) std::abort();
    }
    if (choices->Once(8)) Resize(size - std::min<off_t>(size, choices->Byte()));
    if (choices->Once(8)) Resize(size + choices->Byte());
  }

 private:
  void Resize(off_t size) const {
    if (ftruncate(descriptor_, size) != 0) std::abort();
  }

  std::string name_;
  int descriptor_ = -1;
};

}  // namespace

// The library forgets memory of its own when it meets damaged metadata. What we forget to close is
// counted below.
extern "C" const char* __lsan_default_suppressions();   // NOLINT(bugprone-reserved-identifier)
extern "C" const char* __lsan_default_suppressions() {  // NOLINT(bugprone-reserved-identifier)
  return "leak:libhdf5";
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const ScratchFile scratch;
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  // The bending is decided first, so that it does not depend on how much the objects use up.
  const size_t ending = std::min<size_t>(size, 8);
  Choices bending(data, ending);
  Choices choices(data + ending, size - ending);
  { const HostileFile hostile(&choices, scratch.name()); }
  if (bending.Once(4)) scratch.Bend(&bending);
  try {
    touchstone::golden::ReadEverything(scratch.name());
  } catch (const touchstone::golden::BadFile&) {
    // The one exception that is right.
  }
  if (H5Fget_obj_count(H5F_OBJ_ALL, H5F_OBJ_ALL) != 0) std::abort();  // something is still open
  return 0;
}
