#include "lab/golden_ops.h"

#include <fmt/format.h>

#include <filesystem>
#include <set>

#include "golden/hdf5_file.h"
#include "golden/manifest.h"
#include "lab/chain.h"
#include "lab/errors.h"
#include "lab/input_class.h"
#include "lab/model/golden_models.h"
#include "lab/repository.h"
#include "reference/arithmetic/parallel.h"

namespace touchstone::lab {
namespace {

constexpr size_t kShownProblems = 20;

std::string ManifestFile(const std::string& root) { return root + "/golden/MANIFEST"; }

std::string EntryName(const std::string& op, const std::string& path) {
  return fmt::format("ops/{}.h5:{}", op, path);
}

}  // namespace

std::string GoldenFile(const std::string& op) { return fmt::format("golden/ops/{}.h5", op); }

std::string BeforeName(const std::string& tensor) { return tensor + "_before"; }

Tensors MakeGolden(const Case& c, int threads) {
  Tensors tensors = MakeTensors(c);
  Tensors before;
  for (const Argument& argument : c.op->arguments) {
    if (argument.role == Role::kInOut) {
      before.emplace(BeforeName(argument.name), tensors.at(argument.name));
    }
  }
  Run(c, &tensors, threads);
  tensors.merge(before);
  return tensors;
}

Frozen ReadFrozen(const OpSpec& op) {
  Frozen frozen;
  const std::string file = RepositoryRoot() + "/" + GoldenFile(op.name);
  if (!std::filesystem::exists(file)) return frozen;
  const golden::Reader reader(file);
  reader.RequireContractVersion();
  for (const std::string& path : reader.Paths()) {
    const size_t slash = path.rfind('/');
    if (slash == std::string::npos) continue;
    frozen.cases[path.substr(0, slash)].emplace(path.substr(slash + 1), reader.Read(path));
  }
  frozen.found = true;
  return frozen;
}

void WriteGolden(const std::vector<std::string>& ops, const std::string& root, int threads) {
  std::vector<const OpSpec*> chosen;
  for (const std::string& name : ops) {
    const OpSpec* op = FindOp(name);
    if (op == nullptr)
      throw UsageError(fmt::format("no op or chain '{}' (`list` names them)", name));
    chosen.push_back(op);
  }
  if (chosen.empty()) chosen = AllOps();

  // Entries of other files stay; those of the files that are written now are made anew.
  golden::Manifest manifest;
  if (!ops.empty() && std::filesystem::exists(ManifestFile(root))) {
    manifest = golden::ReadManifest(ManifestFile(root));
  }
  std::filesystem::create_directories(root + "/golden/ops");
  for (const OpSpec* op : chosen) {
    const std::string mine = EntryName(op->name, "");
    std::erase_if(manifest.entries,
                  [&](const auto& entry) { return entry.first.starts_with(mine); });

    const std::vector<Case> cases = CasesOf(*op);
    std::vector<Tensors> results(cases.size());
    ParallelFor(static_cast<int64_t>(cases.size()), threads, [&](int64_t i) {
      results[static_cast<size_t>(i)] = MakeGolden(cases[static_cast<size_t>(i)], 1);
    });
    golden::Writer writer(root + "/" + GoldenFile(op->name));
    for (size_t i = 0; i < cases.size(); ++i) {
      const Case& c = cases[i];
      const std::string group = c.Name();
      for (const auto& [name, tensor] : results[i]) {
        const std::string path = group + "/" + name;
        writer.Write(path, tensor);
        if (!manifest.entries.emplace(EntryName(op->name, path), golden::EntryOf(tensor)).second) {
          throw std::logic_error(fmt::format("op {} has two cases {}", op->name, group));
        }
      }
      writer.WriteText(group, "input_class", c.input_class);
      writer.WriteNumber(group, "seed", static_cast<double>(c.seed));
      for (const auto& [name, value] : c.attributes) writer.WriteNumber(group, name, value);
    }
    writer.Close();
  }
  if (ops.empty()) manifest.entries.merge(ModelEntries(RepositoryRoot(), threads));
  golden::WriteManifest(ManifestFile(root), manifest);
}

std::vector<std::string> CheckGolden(const std::string& root, int threads, int64_t* tensors) {
  std::vector<std::string> problems;
  const auto note = [&](const std::string& problem) {
    if (problems.size() < kShownProblems) problems.push_back(problem);
  };
  const golden::Manifest manifest = golden::ReadManifest(ManifestFile(root));
  std::set<std::string> seen;
  for (const OpSpec* op : AllOps()) {
    const std::string file = root + "/" + GoldenFile(op->name);
    if (!std::filesystem::exists(file)) {
      note(fmt::format("{}: missing", GoldenFile(op->name)));
      continue;
    }
    const golden::Reader reader(file);
    reader.RequireContractVersion();
    for (const std::string& path : reader.Paths()) {
      const std::string name = EntryName(op->name, path);
      const auto entry = manifest.entries.find(name);
      seen.insert(name);
      ++*tensors;
      if (entry == manifest.entries.end()) {
        note(fmt::format("{}: not in golden/MANIFEST", name));
      } else if (!(golden::EntryOf(reader.Read(path)) == entry->second)) {
        note(fmt::format("{}: its hash, dtype or shape is not the one in golden/MANIFEST", name));
      }
    }
  }
  for (const auto& [name, made] : ModelEntries(root, threads)) {
    const auto entry = manifest.entries.find(name);
    seen.insert(name);
    ++*tensors;
    if (entry == manifest.entries.end()) {
      note(fmt::format("{}: not in golden/MANIFEST", name));
    } else if (!(made == entry->second)) {
      note(
          fmt::format("{}: computed again, its hash, dtype or shape is not the one in "
                      "golden/MANIFEST",
                      name));
    }
  }
  for (const auto& [name, entry] : manifest.entries) {
    if (!seen.contains(name))
      note(fmt::format("{}: in golden/MANIFEST but in no file and no model", name));
  }
  return problems;
}

}  // namespace touchstone::lab
