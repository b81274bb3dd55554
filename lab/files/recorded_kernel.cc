#include "lab/files/recorded_kernel.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

#include "golden/hdf5_file.h"
#include "lab/chain.h"

namespace touchstone::lab {
namespace {

class OutputReader {
 public:
  explicit OutputReader(const std::string& path)
      : path_(path), file_(path), tensors_(file_.Paths()), groups_(file_.Groups()) {
    const std::vector<std::string> said = file_.Attributes("");
    // Whoever ran the cases need not know the version: it is part of each digest.
    if (std::binary_search(said.begin(), said.end(), "contract")) file_.RequireContractVersion();
    for (const std::string& group : groups_) {
      const std::string op = group.substr(0, group.find('/'));
      if (!op.empty() && FindOp(op) == nullptr) {
        throw Bad(group, "no such op or chain", "OP/RECIPE/CLASS/SIZES, as the file of inputs has");
      }
    }
    for (const std::string& tensor : tensors_) {
      if (std::count(tensor.begin(), tensor.end(), '/') != 4) {
        throw Bad(tensor, "a tensor that belongs to no case", "OP/RECIPE/CLASS/SIZES/TENSOR");
      }
    }
  }

  bool Has(const std::string& group) const {
    return std::binary_search(groups_.begin(), groups_.end(), group);
  }

  // A case of the op that nobody asked about: outputs of other inputs, or a name that is misspelt.
  void RequireOnly(const OpSpec& op, const std::set<std::string>& known) const {
    for (const std::string& group : groups_) {
      const bool is_case = std::count(group.begin(), group.end(), '/') == 3;
      if (is_case && group.starts_with(op.name + "/") && !known.contains(group)) {
        throw Bad(group, "a case that the file of inputs does not have", "its cases only");
      }
    }
  }

  Tensors Read(const FileCase& run) const {
    const std::string group = GroupOf(run.c);
    const std::optional<std::string> digest = file_.Text(group, "digest");
    if (!digest) {
      throw Bad(group, "no attribute 'digest'", "the one of the inputs that were run, copied");
    }
    if (*digest != run.digest) {
      throw Bad(group, fmt::format("outputs of other inputs, digest {}", golden::Quoted(*digest)),
                golden::Quoted(run.digest));
    }
    Tensors outputs;
    for (const Argument& argument : run.c.op->arguments) {
      if (argument.role != Role::kIn) {
        outputs.emplace(argument.name, ReadOutput(group, run.c, argument));
      }
    }
    RequireKnown(group, *run.c.op);
    return outputs;
  }

 private:
  golden::BadFile Bad(const std::string& where, const std::string& found,
                      const std::string& expected) const {
    return golden::BadFile(fmt::format("{}: {}: {}; expected {}", path_, where, found, expected));
  }

  Tensor ReadOutput(const std::string& group, const Case& c, const Argument& argument) const {
    const std::string path = group + "/" + argument.name;
    const Dtype dtype = DtypeOf(c, argument);
    const std::vector<int64_t> shape = ShapeOf(c, argument);
    const std::string wanted = fmt::format("{} ({})", Name(dtype), fmt::join(shape, ", "));
    if (!std::binary_search(tensors_.begin(), tensors_.end(), path)) {
      throw Bad(path, "no such tensor", wanted);
    }
    const golden::TensorLayout layout = file_.Layout(path);
    if (layout.dtype != dtype || layout.shape != shape) {
      throw Bad(path, fmt::format("{} ({})", Name(layout.dtype), fmt::join(layout.shape, ", ")),
                wanted);
    }
    return file_.Read(path);
  }

  // A misspelt output would be read by nobody.
  void RequireKnown(const std::string& group, const OpSpec& op) const {
    for (const std::string& tensor : tensors_) {
      if (!tensor.starts_with(group + "/")) continue;
      const std::string name = tensor.substr(group.size() + 1);
      if (std::none_of(op.arguments.begin(), op.arguments.end(),
                       [&](const Argument& argument) { return argument.name == name; })) {
        throw Bad(tensor, "the op has no such tensor", "its outputs");
      }
    }
  }

  std::string path_;
  golden::Reader file_;
  std::vector<std::string> tensors_, groups_;  // sorted
};

}  // namespace

RecordedKernel::RecordedKernel(const std::string& path, const OpSpec& op,
                               const std::vector<FileCase>& cases) {
  info_ = {.name = path,
           .origin = path,
           .op = op.name,
           .recipes = op.recipes,
           .device = "unknown",
           .runs_again = false};
  const OutputReader reader(path);
  std::set<std::string> known;
  for (const FileCase& run : cases) known.insert(GroupOf(run.c));
  reader.RequireOnly(op, known);
  for (const FileCase& run : cases) {
    if (!reader.Has(GroupOf(run.c))) continue;
    outputs_.emplace(run.c.Name(), reader.Read(run));
    digests_.emplace(run.c.Name(), run.digest);
  }
}

RunResult RecordedKernel::Run(const Case& c, const Tensors& inputs, const RunOptions&) {
  RunResult result;
  const auto found = outputs_.find(c.Name());
  if (found == outputs_.end()) {
    result.state = RunState::kRefused;
    result.what = fmt::format("{} does not have this case", info_.origin);
    return result;
  }
  Tensors read;
  for (const Argument& argument : c.op->arguments) {
    if (argument.role == Role::kOut) continue;
    if (const auto input = inputs.find(argument.name); input != inputs.end()) read.insert(*input);
  }
  if (DigestOf(c, read) != digests_.at(c.Name())) {
    result.what = "these are not the inputs that were run";
    return result;
  }
  result.state = RunState::kDone;
  result.outputs = found->second;
  return result;
}

}  // namespace touchstone::lab
