#include "lab/files/case_file.h"

#include <fmt/format.h>
#include <openssl/sha.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>

#include "golden/canonical_bytes.h"
#include "golden/hdf5_file.h"
#include "lab/chain.h"
#include "lab/errors.h"
#include "lab/input_class.h"
#include "lab/kernel/call_attributes.h"
#include "reference/formats/contract_version.h"

namespace touchstone::lab {
namespace {

constexpr char kFormat[] = "touchstone cases 1";

// What a case may make the program allocate beyond what lies in its file.
constexpr double kMostOutputBytes = 0x1p32;

bool IsRead(const Argument& argument) { return argument.role != Role::kOut; }

void Append(const std::string& line, std::vector<std::byte>* bytes) {
  for (const char letter : line) bytes->push_back(static_cast<std::byte>(letter));
}

// Reads one file; every message names it.
class CaseReader {
 public:
  explicit CaseReader(const std::string& path) : path_(path), file_(path), tensors_(file_.Paths()) {
    if (!file_.Text("", "format")) {
      throw Bad("", "it has no attribute 'format'",
                "a file of inputs that `touchstone cases` wrote");
    }
    ExpectText("", "format", kFormat);
    file_.RequireContractVersion();
    for (const std::string& tensor : tensors_) {
      if (std::count(tensor.begin(), tensor.end(), '/') != 4) {
        throw Bad(tensor, "a tensor that belongs to no case", "OP/RECIPE/CLASS/SIZES/TENSOR");
      }
    }
  }

  std::vector<FileCase> ReadAll() const {
    std::vector<FileCase> all;
    for (const std::string& group : file_.Groups()) {
      const auto slashes = std::count(group.begin(), group.end(), '/');
      if (slashes == 3) all.push_back(Read(group));
      if (slashes > 3) throw Bad(group, "a group inside a case", "tensors only");
    }
    if (all.empty()) throw Bad("", "it has no case", "groups OP/RECIPE/CLASS/SIZES");
    return all;
  }

 private:
  golden::BadFile Bad(const std::string& where, const std::string& found,
                      const std::string& expected) const {
    return golden::BadFile(fmt::format("{}:{}{} {}; expected {}", path_, where.empty() ? "" : " ",
                                       where.empty() ? "" : where + ":", found, expected));
  }

  void ExpectText(const std::string& group, const std::string& name,
                  const std::string& expected) const {
    const std::optional<std::string> text = file_.Text(group, name);
    if (text == expected) return;
    throw Bad(group,
              text ? fmt::format("the attribute '{}' is {}", name, golden::Quoted(*text))
                   : fmt::format("there is no attribute '{}'", name),
              golden::Quoted(expected));
  }

  void ExpectNumber(const std::string& group, const std::string& name, double expected) const {
    const std::optional<double> number = file_.Number(group, name);
    if (number == expected || (number && std::isnan(*number) && std::isnan(expected))) return;
    throw Bad(group,
              number ? fmt::format("the attribute '{}' is {}", name, *number)
                     : fmt::format("there is no attribute '{}'", name),
              fmt::format("{}, as the group's name says", expected));
  }

  Case CaseOf(const std::string& group) const {
    const size_t slash = group.find('/');
    const OpSpec* op = FindOp(group.substr(0, slash));
    if (op == nullptr) throw Bad(group, "no such op or chain", "one that `list` names");
    Case c;
    try {
      c = CaseFromName(*op, group.substr(slash + 1));
    } catch (const UsageError& error) {
      throw golden::BadFile(fmt::format("{}: {}: {}", path_, group, error.what()));
    }
    if (GroupOf(c) != group) throw Bad(group, "a case under another name than its own", GroupOf(c));
    ExpectText(group, "op", op->name);
    ExpectText(group, "recipe", std::string(Name(c.recipe)));
    ExpectText(group, "input_class", c.input_class);
    ExpectNumber(group, "seed", static_cast<double>(c.seed));
    for (const auto& [name, value] : CallAttributes(c)) ExpectNumber(group, name, value);
    return c;
  }

  FileCase Read(const std::string& group) const {
    FileCase read{.c = CaseOf(group), .inputs = {}, .digest = {}};
    RequireSmallOutputs(group, read.c);
    for (const Argument& argument : read.c.op->arguments) {
      if (IsRead(argument)) read.inputs.emplace(argument.name, ReadInput(group, read.c, argument));
    }
    for (const std::string& tensor : tensors_) {
      const std::string name = tensor.substr(tensor.rfind('/') + 1);
      if (tensor.starts_with(group + "/") && !read.inputs.contains(name)) {
        throw Bad(tensor, "a tensor that is no input of the op", "its inputs only");
      }
    }
    read.digest = DigestOf(read.c, read.inputs);
    if (const std::optional<std::string> said = file_.Text(group, "digest"); said != read.digest) {
      throw Bad(group, said ? "the inputs are not those of the attribute 'digest'" : "no 'digest'",
                fmt::format("inputs as `touchstone cases` wrote them (these have {}...)",
                            read.digest.substr(0, 16)));
    }
    // The digest has the dtypes, the shapes and the values, with NaNs canonical.
    read.given = GeneratedCase(read.c).digest != read.digest;
    if (read.given || !IsListed(read.c)) RequireAccepted(group, read);
    return read;
  }

  void RequireSmallOutputs(const std::string& group, const Case& c) const {
    for (const Argument& argument : c.op->arguments) {
      double bytes = 8.0;
      for (const int64_t extent : ShapeOf(c, argument)) bytes *= static_cast<double>(extent);
      if (bytes > kMostOutputBytes) {
        throw Bad(group, fmt::format("{} would have {} bytes", argument.name, bytes),
                  "tensors of at most 4 GiB");
      }
    }
  }

  Tensor ReadInput(const std::string& group, const Case& c, const Argument& argument) const {
    const std::string path = group + "/" + argument.name;
    if (!std::binary_search(tensors_.begin(), tensors_.end(), path)) {
      throw Bad(path, "no such tensor", "every input of the op");
    }
    const golden::TensorLayout layout = file_.Layout(path);
    const Dtype dtype = DtypeOf(c, argument);
    const std::vector<int64_t> shape = ShapeOf(c, argument);
    if (layout.dtype != dtype || layout.shape != shape) {
      throw Bad(path, fmt::format("{} ({})", Name(layout.dtype), fmt::join(layout.shape, ", ")),
                fmt::format("{} ({})", Name(dtype), fmt::join(shape, ", ")));
    }
    return file_.Read(path);
  }

  static bool IsListed(const Case& c) {
    const std::vector<Case> all = CasesOf(*c.op, Suite::kFull);
    const std::string name = c.Name();
    return std::any_of(all.begin(), all.end(),
                       [&](const Case& listed) { return listed.Name() == name; });
  }

  // Whoever wrote other values may have written some that are no input of the op: an id outside the
  // vocabulary, say.
  void RequireAccepted(const std::string& group, const FileCase& read) const {
    Tensors tensors = read.inputs;
    for (const Argument& argument : read.c.op->arguments) {
      if (!IsRead(argument)) {
        tensors.emplace(argument.name,
                        Tensor(DtypeOf(read.c, argument), ShapeOf(read.c, argument)));
      }
    }
    try {
      Run(read.c, &tensors, 1);
    } catch (const ContractViolation& error) {
      throw Bad(group,
                fmt::format("the contract of the op refuses these inputs ({})", error.what()),
                "valid sizes, attributes and values");
    }
  }

  std::string path_;
  golden::Reader file_;
  std::vector<std::string> tensors_;  // all paths, sorted
};

}  // namespace

std::string GroupOf(const Case& c) { return c.op->name + "/" + c.Name(); }

std::string DigestOf(const Case& c, const Tensors& inputs) {
  std::vector<std::byte> all;
  Append(fmt::format("touchstone {} {}\n", kContractVersion, GroupOf(c)), &all);
  for (const auto& [name, tensor] : inputs) {
    Append(fmt::format("{} {} {}\n", name, Name(tensor.dtype), fmt::join(tensor.shape, "x")), &all);
    const std::vector<std::byte> bytes = golden::CanonicalBytes(tensor);
    all.insert(all.end(), bytes.begin(), bytes.end());
  }
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(all.data()), all.size(), digest);
  std::string text;
  for (const unsigned char byte : digest) text += fmt::format("{:02x}", byte);
  return text;
}

FileCase GeneratedCase(const Case& c) {
  FileCase made{.c = c, .inputs = MakeTensors(c), .digest = {}};
  for (const Argument& argument : c.op->arguments) {
    if (!IsRead(argument)) made.inputs.erase(argument.name);
  }
  made.digest = DigestOf(c, made.inputs);
  return made;
}

void WriteCases(const std::string& path, const std::vector<FileCase>& cases) {
  golden::Writer writer(path);
  writer.WriteText("", "format", kFormat);
  for (const FileCase& written : cases) {
    const Case& c = written.c;
    const std::string group = GroupOf(c);
    for (const auto& [name, tensor] : written.inputs) writer.Write(group + "/" + name, tensor);
    writer.WriteText(group, "op", c.op->name);
    writer.WriteText(group, "recipe", std::string(Name(c.recipe)));
    writer.WriteText(group, "input_class", c.input_class);
    writer.WriteNumber(group, "seed", static_cast<double>(c.seed));
    for (const auto& [name, value] : CallAttributes(c)) writer.WriteNumber(group, name, value);
    writer.WriteText(group, "digest", DigestOf(c, written.inputs));
  }
  writer.Close();
}

std::vector<FileCase> ReadCases(const std::string& path) { return CaseReader(path).ReadAll(); }

}  // namespace touchstone::lab
