// The reader of hdf5_file.h; the writer is in hdf5_writer.cc.
#include "golden/hdf5_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <set>
#include <utility>

#include "golden/canonical_bytes.h"
#include "golden/global_heap.h"
#include "golden/hdf5_handle.h"
#include "golden/row_blocks.h"
#include "golden/superblock.h"
#include "reference/formats/contract_version.h"

namespace touchstone::golden {
namespace {

// To list in another order the HDF5 library makes a table first, and frees entries of it that it
// has not filled where a file is damaged. What is listed is sorted here.
constexpr H5_iter_order_t kAsStored = H5_ITER_NATIVE;

}  // namespace

class Reader::Impl {
 public:
  explicit Impl(std::string file) : name_(std::move(file)), bytes_(CheckSuperblock(name_)) {
    const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
    // A file here is never changed once it has its name, and some file systems have no locks.
    Check(H5Pset_file_locking(access.id(), false, true), "", "");
    file_ = Handle(H5Fopen(name_.c_str(), H5F_ACC_RDONLY, access.id()), H5Fclose);
    Check(file_.id(), "", "something that the HDF5 library cannot open");
    Walk();
  }

  std::vector<std::string> PathsOf(H5O_type_t kind) const {
    std::vector<std::string> paths;
    for (const auto& [path, its_kind] : objects_) {
      if (its_kind == kind) paths.push_back(path);
    }
    return paths;
  }

  Tensor Read(const std::string& path) const {
    const Stored stored = OpenTensor(path);
    Tensor tensor(stored.dtype, stored.shape);
    if (!tensor.data.empty()) ReadSelection(stored, path, H5S_ALL, H5S_ALL, tensor.data.data());
    tensor.data = CanonicalBytes(tensor);
    return tensor;
  }

  TensorLayout Layout(const std::string& path) const {
    const Stored stored = OpenTensor(path);
    return {stored.dtype, stored.shape};
  }

  Tensor ReadRows(const std::string& path, int leading, int64_t first, int64_t count) const {
    const Stored stored = OpenTensor(path);
    Tensor rows(stored.dtype, RowsShape(stored.shape, leading, first, count));
    if (rows.data.empty()) return rows;
    std::byte* to = rows.data.data();
    const size_t row_bytes = rows.data.size() / static_cast<size_t>(count);
    for (const RowBlock& block : BlocksOf(stored.shape, leading, first, count)) {
      const Handle file(H5Dget_space(stored.dataset.id()), H5Sclose);
      Check(H5Sselect_hyperslab(file.id(), H5S_SELECT_SET, block.start.data(), nullptr,
                                block.extent.data(), nullptr),
            path, "rows that cannot be chosen");
      const Handle memory(
          H5Screate_simple(static_cast<int>(block.extent.size()), block.extent.data(), nullptr),
          H5Sclose);
      ReadSelection(stored, path, memory.id(), file.id(), to);
      to += static_cast<size_t>(block.rows) * row_bytes;
    }
    rows.data = CanonicalBytes(rows);
    return rows;
  }

  std::vector<std::string> Attributes(const std::string& path) const {
    const Handle object = OpenListed(path);
    std::vector<std::string> names;
    const auto collect = [](hid_t, const char* name, const H5A_info_t*, void* out) -> herr_t {
      try {
        static_cast<std::vector<std::string>*>(out)->emplace_back(name);
        return 0;
      } catch (...) {  // must not pass through the library
        return -1;
      }
    };
    hsize_t next = 0;
    Check(H5Aiterate2(object.id(), H5_INDEX_NAME, kAsStored, &next, collect, &names), path,
          "attributes that cannot be listed");
    std::sort(names.begin(), names.end());
    return names;
  }

  bool IsText(const std::string& path, const std::string& name) const {
    const Handle attribute = OpenAttribute(OpenListed(path), path, name);
    if (!attribute) return false;
    const Handle type(H5Aget_type(attribute.id()), H5Tclose);
    return H5Tget_class(type.id()) == H5T_STRING;
  }

  std::optional<std::string> Text(const std::string& path, const std::string& name) const {
    return ReadText(OpenListed(path), path, name);
  }

  std::optional<double> Number(const std::string& path, const std::string& name) const {
    const Handle attribute = OpenAttribute(OpenListed(path), path, name);
    if (!attribute) return std::nullopt;
    const std::string where = AttributePath(path, name);
    const Handle type(H5Aget_type(attribute.id()), H5Tclose);
    Check(type.id(), where, "a type that cannot be read");
    ExpectScalar(attribute, where, "one number");
    for (const hid_t known : {H5T_IEEE_F64LE, H5T_IEEE_F32LE}) {
      if (H5Tequal(type.id(), known) > 0)
        return ReadAs<double>(attribute, H5T_NATIVE_DOUBLE, where);
    }
    for (const hid_t known : {H5T_STD_I8LE, H5T_STD_I16LE, H5T_STD_I32LE, H5T_STD_I64LE}) {
      if (H5Tequal(type.id(), known) <= 0) continue;
      return Exactly(ReadAs<int64_t>(attribute, H5T_NATIVE_INT64, where), where);
    }
    for (const hid_t known : {H5T_STD_U8LE, H5T_STD_U16LE, H5T_STD_U32LE, H5T_STD_U64LE}) {
      if (H5Tequal(type.id(), known) <= 0) continue;
      return Exactly(ReadAs<uint64_t>(attribute, H5T_NATIVE_UINT64, where), where);
    }
    throw Bad(where, Describe(type.id()), "a little-endian integer or IEEE float");
  }

  int ContractVersion() const {
    const std::optional<double> version = Number("", kContractAttribute);
    const std::string where = AttributePath("", kContractAttribute);
    Expect(version.has_value(), where, "no such attribute",
           fmt::format("the contract's version, {}", kContractVersion));
    const bool fits = *version >= 1 && *version <= std::numeric_limits<int>::max();
    Expect(fits && *version == std::floor(*version), where, fmt::format("{}", *version),
           "a version: a whole number from 1");
    return static_cast<int>(*version);
  }

  void RequireContractVersion() const {
    const int version = ContractVersion();
    Expect(version == kContractVersion, AttributePath("", kContractAttribute),
           fmt::format("contract version {}", version),
           fmt::format("{}, that of this program", kContractVersion));
  }

 private:
  struct Link {
    std::string name;
    H5L_type_t type;
  };

  BadFile Bad(const std::string& path, const std::string& found,
              const std::string& expected) const {
    return BadFile(fmt::format("{}: {}: found {}, expected {}", name_, path.empty() ? "/" : path,
                               found, expected));
  }

  void Expect(bool holds, const std::string& path, const std::string& found,
              const std::string& expected) const {
    if (!holds) throw Bad(path, found, expected);
  }

  // Passes on what a call of the library returned.
  void Check(int64_t result, const std::string& path, const std::string& found) const {
    if (result < 0) throw Bad(path, found + LibraryError(), "a sound HDF5 file");
  }

  static std::string AttributePath(const std::string& path, const std::string& name) {
    return fmt::format("{}@{}", path.empty() ? "/" : path, IsPlainName(name) ? name : Quoted(name));
  }

  static std::string Describe(hid_t type) {
    const H5T_class_t kind = H5Tget_class(type);
    const auto describe = [&](const char* name) {
      return fmt::format("{} of {} bytes", name, H5Tget_size(type));
    };
    const char* order = H5Tget_order(type) == H5T_ORDER_LE ? "" : ", not little endian";
    switch (kind) {
      case H5T_INTEGER:
        return describe(H5Tget_sign(type) == H5T_SGN_NONE ? "an unsigned integer" : "an integer") +
               order;
      case H5T_FLOAT:
        return describe("a float") + order;
      case H5T_STRING:
        return describe("a string");
      default:
        return describe("neither a number nor a string, but a type");
    }
  }

  // Lists every object by its one path. Nothing is opened that a soft or external link names.
  void Walk() {
    std::vector<std::pair<std::string, int>> pending{{"", 0}};  // groups, and how deep they are
    objects_.emplace("", H5O_TYPE_GROUP);
    std::set<haddr_t> seen{InfoOf("").addr};
    while (!pending.empty()) {
      const auto [parent, depth] = pending.back();
      pending.pop_back();
      Expect(depth < kMaxDepth, parent, "a deeper group",
             fmt::format("{} levels at most", kMaxDepth));
      for (const Link& link : LinksOf(parent)) {
        const bool named = IsPlainName(link.name) && link.name != "." && link.name != ".." &&
                           link.name.find('/') == std::string::npos;
        Expect(named, parent, "the name " + Quoted(link.name),
               "printable ASCII without spaces or slashes");
        const std::string path = parent.empty() ? link.name : parent + "/" + link.name;
        Expect(link.type == H5L_TYPE_HARD, path,
               link.type == H5L_TYPE_SOFT       ? "a soft link"
               : link.type == H5L_TYPE_EXTERNAL ? "an external link"
                                                : "a user-defined link",
               "a group or a dataset");
        const H5O_info_t info = InfoOf(path);
        Expect(seen.insert(info.addr).second, path, "a second path to an object",
               "one path to each");
        Expect(info.type == H5O_TYPE_GROUP || info.type == H5O_TYPE_DATASET, path,
               "an object of another kind", "a group or a dataset");
        objects_.emplace(path, info.type);
        if (info.type == H5O_TYPE_GROUP) pending.emplace_back(path, depth + 1);
      }
    }
  }

  H5O_info_t InfoOf(const std::string& path) const {
    const Handle object = Open(path);
    H5O_info_t info{};
    Check(H5Oget_info2(object.id(), &info, H5O_INFO_BASIC), path, "an object without a header");
    return info;
  }

  std::vector<Link> LinksOf(const std::string& path) const {
    std::vector<Link> links;
    const auto collect = [](hid_t, const char* name, const H5L_info_t* info, void* out) -> herr_t {
      try {
        static_cast<std::vector<Link>*>(out)->push_back({name, info->type});
        return 0;
      } catch (...) {  // must not pass through the library
        return -1;
      }
    };
    const Handle group = Open(path);
    hsize_t next = 0;
    Check(H5Literate(group.id(), H5_INDEX_NAME, kAsStored, &next, collect, &links), path,
          "a group that cannot be listed");
    std::sort(links.begin(), links.end(),
              [](const Link& a, const Link& b) { return a.name < b.name; });
    return links;
  }

  struct Stored {
    Handle dataset;
    Dtype dtype;
    std::vector<int64_t> shape;
  };

  // The dataset, after everything that can be wrong with it but its elements.
  Stored OpenTensor(const std::string& path) const {
    const auto object = objects_.find(path);
    Expect(object != objects_.end(), path, "no such path", "a tensor");
    Expect(object->second == H5O_TYPE_DATASET, path, "a group", "a tensor");
    Handle dataset(H5Dopen2(file_.id(), path.c_str(), H5P_DEFAULT), H5Dclose);
    Check(dataset.id(), path, "a dataset that cannot be opened");
    CheckStorage(dataset, path);
    const Dtype dtype = ReadDtype(dataset, path);
    std::vector<int64_t> shape = ReadShape(dataset, path, ElementBytes(dtype));
    return {std::move(dataset), dtype, std::move(shape)};
  }

  void ReadSelection(const Stored& stored, const std::string& path, hid_t memory, hid_t file,
                     std::byte* to) const {
    Check(H5Dread(stored.dataset.id(), MemoryType(stored.dtype), memory, file, H5P_DEFAULT, to),
          path, "elements that cannot be read");
  }

  Handle OpenListed(const std::string& path) const {
    Expect(objects_.contains(path), path, "no such path", "a group or a dataset");
    return Open(path);
  }

  Handle Open(const std::string& path) const {
    Handle object(H5Oopen(file_.id(), path.empty() ? "/" : path.c_str(), H5P_DEFAULT), H5Oclose);
    Check(object.id(), path, "an object that cannot be opened");
    return object;
  }

  // Before anything else is asked of a dataset: a virtual one opens other files for its shape.
  void CheckStorage(const Handle& dataset, const std::string& path) const {
    const Handle creation(H5Dget_create_plist(dataset.id()), H5Pclose);
    Check(creation.id(), path, "properties that cannot be read");
    const H5D_layout_t layout = H5Pget_layout(creation.id());
    Expect(layout == H5D_CONTIGUOUS || layout == H5D_COMPACT, path,
           layout == H5D_CHUNKED   ? "chunked storage"
           : layout == H5D_VIRTUAL ? "a virtual dataset"
                                   : "an unknown storage layout",
           "contiguous storage without filters (h5repack -l CONTI -f NONE makes it)");
    Expect(H5Pget_nfilters(creation.id()) == 0, path, "filters", "none");
    Expect(H5Pget_external_count(creation.id()) == 0, path, "elements in another file",
           "them here");
  }

  Dtype ReadDtype(const Handle& dataset, const std::string& path) const {
    const std::string where = AttributePath(path, kDtypeAttribute);
    const std::string known = "one of f32 bf16 e4m3 e5m2 e8m0 int4 i64";
    const std::optional<std::string> text = ReadText(dataset, path, kDtypeAttribute);
    if (!text) throw Bad(where, "no such attribute", known);
    const std::optional<Dtype> dtype = DtypeFromName(*text);
    if (!dtype) throw Bad(where, Quoted(*text), known);
    const Handle type(H5Dget_type(dataset.id()), H5Tclose);
    Check(type.id(), path, "a type that cannot be read");
    Expect(H5Tequal(type.id(), StoredType(*dtype)) > 0, path,
           fmt::format("elements stored as {}", Describe(type.id())),
           fmt::format("{}, which its attribute dtype = {} says", Describe(StoredType(*dtype)),
                       *text));
    return *dtype;
  }

  std::vector<int64_t> ReadShape(const Handle& dataset, const std::string& path,
                                 size_t element_bytes) const {
    const Handle space(H5Dget_space(dataset.id()), H5Sclose);
    Check(space.id(), path, "a dataspace that cannot be read");
    const H5S_class_t kind = H5Sget_simple_extent_type(space.id());
    Expect(kind == H5S_SIMPLE || kind == H5S_SCALAR, path, "no elements (a null dataspace)",
           "a shape");
    const int rank = H5Sget_simple_extent_ndims(space.id());
    Expect(0 <= rank && rank <= kMaxRank, path, fmt::format("rank {}", rank),
           fmt::format("{} at most", kMaxRank));
    std::vector<hsize_t> extents(static_cast<size_t>(rank));
    Check(H5Sget_simple_extent_dims(space.id(), extents.data(), nullptr), path,
          "extents that cannot be read");
    // Elements cannot be more than the file has bytes. Where there are none, the other extents need
    // only have a product.
    const bool empty = std::count(extents.begin(), extents.end(), hsize_t{0}) > 0;
    const auto limit = static_cast<uint64_t>(empty ? std::numeric_limits<int64_t>::max() : bytes_);
    uint64_t product = element_bytes;
    for (const hsize_t extent : extents) {
      if (extent == 0) continue;
      Expect(extent <= limit / product, path, fmt::format("the shape {}", fmt::join(extents, "x")),
             fmt::format("{} bytes at most", limit));
      product *= extent;
    }
    const uint64_t needed = empty ? 0 : product;
    const uint64_t stored = H5Dget_storage_size(dataset.id());
    Expect(stored == needed, path, fmt::format("{} bytes stored", stored),
           fmt::format("the {} of the shape {}", needed, fmt::join(extents, "x")));
    return {extents.begin(), extents.end()};
  }

  // Nothing where there is no such attribute.
  Handle OpenAttribute(const Handle& object, const std::string& path,
                       const std::string& name) const {
    const htri_t exists = H5Aexists(object.id(), name.c_str());
    Check(exists, AttributePath(path, name), "an attribute that cannot be looked up");
    if (exists == 0) return {};
    Handle attribute(H5Aopen(object.id(), name.c_str(), H5P_DEFAULT), H5Aclose);
    Check(attribute.id(), AttributePath(path, name), "an attribute that cannot be opened");
    return attribute;
  }

  void ExpectScalar(const Handle& attribute, const std::string& where, const char* what) const {
    const Handle space(H5Aget_space(attribute.id()), H5Sclose);
    const H5S_class_t kind = H5Sget_simple_extent_type(space.id());
    Expect(kind == H5S_SCALAR, where, kind == H5S_SIMPLE ? "an array" : "no value", what);
  }

  std::optional<std::string> ReadText(const Handle& object, const std::string& path,
                                      const std::string& name) const {
    const Handle attribute = OpenAttribute(object, path, name);
    if (!attribute) return std::nullopt;
    const std::string where = AttributePath(path, name);
    const Handle type(H5Aget_type(attribute.id()), H5Tclose);
    Check(type.id(), where, "a type that cannot be read");
    Expect(H5Tget_class(type.id()) == H5T_STRING, where, Describe(type.id()), "a string");
    ExpectScalar(attribute, where, "one string");
    return H5Tis_variable_str(type.id()) > 0 ? ReadVariableText(attribute, where)
                                             : ReadFixedText(attribute, type, where);
  }

  std::string ReadFixedText(const Handle& attribute, const Handle& type,
                            const std::string& where) const {
    const size_t size = H5Tget_size(type.id());
    Expect(size <= static_cast<uint64_t>(bytes_), where, fmt::format("a string of {} bytes", size),
           fmt::format("{} at most", bytes_));
    std::string text(size, '\0');
    Check(H5Aread(attribute.id(), type.id(), text.data()), where, "text that cannot be read");
    if (H5Tget_strpad(type.id()) == H5T_STR_SPACEPAD) {
      text.erase(text.find_last_not_of(' ') + 1);
    }
    return text.substr(0, text.find('\0'));
  }

  std::string ReadVariableText(const Handle& attribute, const std::string& where) const {
    const Handle raw = HeapReferenceType();
    HeapReference reference{};
    Check(H5Aread(attribute.id(), raw.id(), reference.data()), where, "text that cannot be read");
    const std::string text = ReadGlobalHeap(name_, where, reference);
    return text.substr(0, text.find('\0'));
  }

  template <typename T>
  T ReadAs(const Handle& attribute, hid_t memory, const std::string& where) const {
    T value{};
    Check(H5Aread(attribute.id(), memory, &value), where, "a number that cannot be read");
    return value;
  }

  template <typename Integer>
  double Exactly(Integer value, const std::string& where) const {
    constexpr Integer kLimit = Integer{1} << 53;
    const bool exact = value <= kLimit && (value >= 0 || value >= Integer{0} - kLimit);
    Expect(exact, where, fmt::format("{}", value), "a number within 2^53 of 0");
    return static_cast<double>(value);
  }

  static constexpr int kMaxDepth = 32;

  std::string name_;
  int64_t bytes_;
  Handle file_;
  std::map<std::string, H5O_type_t> objects_;  // by path; the root is ""
};

Reader::Reader(const std::string& file) {
  const ErrorSilence silence;
  impl_ = std::make_unique<Impl>(file);
}
Reader::~Reader() {
  const ErrorSilence silence;
  impl_.reset();
}

std::vector<std::string> Reader::Paths() const { return impl_->PathsOf(H5O_TYPE_DATASET); }
std::vector<std::string> Reader::Groups() const { return impl_->PathsOf(H5O_TYPE_GROUP); }

Tensor Reader::Read(const std::string& path) const {
  const ErrorSilence silence;
  return impl_->Read(path);
}

TensorLayout Reader::Layout(const std::string& path) const {
  const ErrorSilence silence;
  return impl_->Layout(path);
}

Tensor Reader::ReadRows(const std::string& path, int leading, int64_t first, int64_t count) const {
  const ErrorSilence silence;
  return impl_->ReadRows(path, leading, first, count);
}

std::vector<std::string> Reader::Attributes(const std::string& path) const {
  const ErrorSilence silence;
  return impl_->Attributes(path);
}

bool Reader::IsText(const std::string& path, const std::string& name) const {
  const ErrorSilence silence;
  return impl_->IsText(path, name);
}

std::optional<std::string> Reader::Text(const std::string& path, const std::string& name) const {
  const ErrorSilence silence;
  return impl_->Text(path, name);
}

std::optional<double> Reader::Number(const std::string& path, const std::string& name) const {
  const ErrorSilence silence;
  return impl_->Number(path, name);
}

int Reader::ContractVersion() const {
  const ErrorSilence silence;
  return impl_->ContractVersion();
}

void Reader::RequireContractVersion() const {
  const ErrorSilence silence;
  impl_->RequireContractVersion();
}

std::string LibraryVersion() {
  unsigned major = 0, minor = 0, release = 0;
  H5get_libversion(&major, &minor, &release);
  return fmt::format("{}.{}.{}", major, minor, release);
}

}  // namespace touchstone::golden
