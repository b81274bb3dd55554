// The writer of hdf5_file.h.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <limits>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "golden/canonical_bytes.h"
#include "golden/hdf5_file.h"
#include "golden/hdf5_handle.h"
#include "golden/pending_file.h"
#include "golden/row_blocks.h"
#include "reference/formats/contract_version.h"
#include "reference/formats/require.h"

namespace touchstone::golden {
namespace {

// The parts of a path between slashes; none for the root.
std::vector<std::string> Parts(const std::string& path) {
  std::vector<std::string> parts;
  for (size_t begin = 0; !path.empty() && begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    parts.push_back(path.substr(begin, end - begin));
    TOUCHSTONE_REQUIRE(IsPlainName(parts.back()) && parts.back() != "." && parts.back() != "..");
    begin = end + 1;
  }
  return parts;
}

// How many elements, of which the bytes must fit 63 bits.
int64_t CountOf(Dtype dtype, const std::vector<int64_t>& shape) {
  int64_t bytes = static_cast<int64_t>(ElementBytes(dtype));
  for (const int64_t extent : shape) {
    TOUCHSTONE_REQUIRE(extent >= 0);
    TOUCHSTONE_REQUIRE(extent == 0 || bytes <= std::numeric_limits<int64_t>::max() / extent);
    bytes *= extent;
  }
  return bytes / static_cast<int64_t>(ElementBytes(dtype));
}

}  // namespace

class Writer::Impl {
 public:
  explicit Impl(const std::string& file) : pending_(file) {
    const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
    Check(H5Pset_libver_bounds(access.id(), H5F_LIBVER_V18, H5F_LIBVER_V18), "");
    // Nobody else knows the temporary name, and some file systems have no locks.
    Check(H5Pset_file_locking(access.id(), false, true), "");
    const Handle creation(H5Pcreate(H5P_FILE_CREATE), H5Pclose);
    Check(H5Pset_obj_track_times(creation.id(), false), "");  // of the root group
    file_ =
        Handle(H5Fcreate(pending_.temporary().c_str(), H5F_ACC_TRUNC, creation.id(), access.id()),
               H5Fclose);
    Check(file_.id(), "");

    group_creation_ = Handle(H5Pcreate(H5P_GROUP_CREATE), H5Pclose);
    Check(H5Pset_obj_track_times(group_creation_.id(), false), "");
    dataset_creation_ = Handle(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
    Check(H5Pset_obj_track_times(dataset_creation_.id(), false), "");
    Check(H5Pset_layout(dataset_creation_.id(), H5D_CONTIGUOUS), "");
    Check(H5Pset_alloc_time(dataset_creation_.id(), H5D_ALLOC_TIME_EARLY), "");
    Check(H5Pset_fill_time(dataset_creation_.id(), H5D_FILL_TIME_NEVER), "");

    const Handle root = Open("");
    const int64_t version = kContractVersion;
    WriteAttribute(root, "", kContractAttribute, H5T_STD_I64LE, H5T_NATIVE_INT64, &version);
  }

  void Write(const std::string& path, const Tensor& tensor) {
    RequireOpen();
    const std::vector<std::byte> bytes = CanonicalBytes(tensor);
    const Handle dataset = Make(path, tensor.dtype, tensor.shape);
    if (!bytes.empty()) {
      Check(H5Dwrite(dataset.id(), MemoryType(tensor.dtype), H5S_ALL, H5S_ALL, H5P_DEFAULT,
                     bytes.data()),
            path);
    }
  }

  void Create(const std::string& path, Dtype dtype, const std::vector<int64_t>& shape) {
    RequireOpen();
    const int64_t elements = CountOf(dtype, shape);
    Make(path, dtype, shape);
    pieces_.emplace(path, Pieces{dtype, shape, elements, {}});
  }

  void WriteRows(const std::string& path, int64_t first, const Tensor& rows) {
    RequireOpen();
    const auto found = pieces_.find(path);
    TOUCHSTONE_REQUIRE(found != pieces_.end());
    Pieces& pieces = found->second;
    const std::vector<int64_t>& shape = pieces.shape;
    TOUCHSTONE_REQUIRE(rows.dtype == pieces.dtype);
    TOUCHSTONE_REQUIRE(!rows.shape.empty() && rows.shape.size() <= shape.size());
    const int leading = static_cast<int>(shape.size() - rows.shape.size()) + 1;
    TOUCHSTONE_REQUIRE(RowsShape(shape, leading, first, rows.shape[0]) == rows.shape);
    const std::vector<std::byte> bytes = CanonicalBytes(rows);
    if (bytes.empty()) return;
    const auto row_bytes = bytes.size() / static_cast<size_t>(rows.shape[0]);
    const int64_t row = rows.count() / rows.shape[0];
    pieces.Add(first * row, (first + rows.shape[0]) * row);

    const Handle dataset(H5Dopen2(file_.id(), path.c_str(), H5P_DEFAULT), H5Dclose);
    Check(dataset.id(), path);
    const std::byte* from = bytes.data();
    for (const RowBlock& block : BlocksOf(shape, leading, first, rows.shape[0])) {
      const Handle file(H5Dget_space(dataset.id()), H5Sclose);
      Check(H5Sselect_hyperslab(file.id(), H5S_SELECT_SET, block.start.data(), nullptr,
                                block.extent.data(), nullptr),
            path);
      const Handle memory(
          H5Screate_simple(static_cast<int>(block.extent.size()), block.extent.data(), nullptr),
          H5Sclose);
      Check(
          H5Dwrite(dataset.id(), MemoryType(rows.dtype), memory.id(), file.id(), H5P_DEFAULT, from),
          path);
      from += static_cast<size_t>(block.rows) * row_bytes;
    }
  }

  void WriteText(const std::string& path, const std::string& name, const std::string& value) {
    RequireOpen();
    TOUCHSTONE_REQUIRE(IsPlainName(name));
    TOUCHSTONE_REQUIRE(value.find('\0') == std::string::npos);
    WriteString(Open(path), path, name, value);
  }

  void WriteNumber(const std::string& path, const std::string& name, double value) {
    RequireOpen();
    TOUCHSTONE_REQUIRE(IsPlainName(name));
    if (std::isnan(value)) value = std::numeric_limits<double>::quiet_NaN();
    WriteAttribute(Open(path), path, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, &value);
  }

  void Close() {
    RequireOpen();
    for (const auto& [path, pieces] : pieces_) {
      if (pieces.missing > 0) {
        throw ContractViolation(fmt::format("{}: {} elements of '{}' were not written",
                                            pending_.target(), pieces.missing, path));
      }
    }
    broken_ = true;
    if (!file_.Close()) Check(-1, "");
    pending_.Commit();
  }

 private:
  // A tensor that is written in pieces.
  struct Pieces {
    Dtype dtype;
    std::vector<int64_t> shape;
    int64_t missing;
    std::map<int64_t, int64_t> written;  // ranges of elements, begin to end, that do not touch

    // Of a range that is not there yet.
    void Add(int64_t begin, int64_t end) {
      const int64_t count = end - begin;
      auto next = written.lower_bound(begin);
      TOUCHSTONE_REQUIRE(next == written.end() || next->first >= end);
      TOUCHSTONE_REQUIRE(next == written.begin() || std::prev(next)->second <= begin);
      if (next != written.end() && next->first == end) {
        end = next->second;
        next = written.erase(next);
      }
      if (next != written.begin() && std::prev(next)->second == begin) {
        std::prev(next)->second = end;
      } else {
        written.emplace(begin, end);
      }
      missing -= count;
    }
  };

  // Makes the dataset, with the attribute that says its dtype.
  Handle Make(const std::string& path, Dtype dtype, const std::vector<int64_t>& shape) {
    const std::vector<std::string> parts = Parts(path);
    TOUCHSTONE_REQUIRE(!parts.empty());
    TOUCHSTONE_REQUIRE(shape.size() <= kMaxRank);
    const std::string name = parts.back();
    const Handle parent =
        Open(path.substr(0, path.size() - std::min(path.size(), name.size() + 1)));
    const std::vector<hsize_t> extents(shape.begin(), shape.end());
    const Handle space(H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr),
                       H5Sclose);
    Check(space.id(), path);
    Handle dataset(H5Dcreate2(parent.id(), name.c_str(), StoredType(dtype), space.id(), H5P_DEFAULT,
                              dataset_creation_.id(), H5P_DEFAULT),
                   H5Dclose);
    Check(dataset.id(), path);
    WriteString(dataset, path, kDtypeAttribute, std::string(Name(dtype)));
    return dataset;
  }

  void RequireOpen() const { TOUCHSTONE_REQUIRE(!broken_); }

  // Passes on what a call of the library returned.
  void Check(int64_t result, const std::string& path) {
    if (result >= 0) return;
    broken_ = true;
    throw std::runtime_error(
        fmt::format("{}: cannot write '{}'{}", pending_.target(), path, LibraryError()));
  }

  // The object at the path; groups that are missing are made.
  Handle Open(const std::string& path) {
    Handle object(H5Oopen(file_.id(), "/", H5P_DEFAULT), H5Oclose);
    Check(object.id(), path);
    for (const std::string& part : Parts(path)) {
      const htri_t exists = H5Lexists(object.id(), part.c_str(), H5P_DEFAULT);
      Check(exists, path);
      Handle next = exists > 0 ? Handle(H5Oopen(object.id(), part.c_str(), H5P_DEFAULT), H5Oclose)
                               : Handle(H5Gcreate2(object.id(), part.c_str(), H5P_DEFAULT,
                                                   group_creation_.id(), H5P_DEFAULT),
                                        H5Gclose);
      Check(next.id(), path);
      object = std::move(next);
    }
    return object;
  }

  void WriteString(const Handle& object, const std::string& path, const std::string& name,
                   const std::string& value) {
    const Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
    Check(H5Tset_size(type.id(), std::max<size_t>(value.size(), 1)), path);  // 0 is not a size
    Check(H5Tset_strpad(type.id(), H5T_STR_NULLPAD), path);
    WriteAttribute(object, path, name, type.id(), type.id(), value.c_str());
  }

  void WriteAttribute(const Handle& object, const std::string& path, const std::string& name,
                      hid_t stored, hid_t memory, const void* value) {
    const Handle space(H5Screate(H5S_SCALAR), H5Sclose);
    const Handle attribute(
        H5Acreate2(object.id(), name.c_str(), stored, space.id(), H5P_DEFAULT, H5P_DEFAULT),
        H5Aclose);
    const std::string where = path + "@" + name;
    Check(attribute.id(), where);
    Check(H5Awrite(attribute.id(), memory, value), where);
  }

  PendingFile pending_;  // before file_, so that the file is closed before it is removed
  Handle file_, group_creation_, dataset_creation_;
  std::map<std::string, Pieces> pieces_;  // by path
  bool broken_ = false;                   // closed, or a call failed
};

Writer::Writer(const std::string& file) {
  const ErrorSilence silence;
  impl_ = std::make_unique<Impl>(file);
}
Writer::~Writer() {
  const ErrorSilence silence;
  impl_.reset();
}

void Writer::Write(const std::string& path, const Tensor& tensor) {
  const ErrorSilence silence;
  impl_->Write(path, tensor);
}

void Writer::Create(const std::string& path, Dtype dtype, const std::vector<int64_t>& shape) {
  const ErrorSilence silence;
  impl_->Create(path, dtype, shape);
}

void Writer::WriteRows(const std::string& path, int64_t first, const Tensor& rows) {
  const ErrorSilence silence;
  impl_->WriteRows(path, first, rows);
}

void Writer::WriteText(const std::string& path, const std::string& name, const std::string& value) {
  const ErrorSilence silence;
  impl_->WriteText(path, name, value);
}

void Writer::WriteNumber(const std::string& path, const std::string& name, double value) {
  const ErrorSilence silence;
  impl_->WriteNumber(path, name, value);
}

void Writer::Close() {
  const ErrorSilence silence;
  impl_->Close();
}

}  // namespace touchstone::golden
