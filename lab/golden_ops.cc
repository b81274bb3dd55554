#include "lab/golden_ops.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
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
// Of a case of the full suite alone that is computed in every check.
constexpr int64_t kMostElements = int64_t{1} << 23;

std::string ManifestFile(const std::string& root) { return root + "/golden/MANIFEST"; }

std::string EntryName(const std::string& op, const std::string& path) {
  return fmt::format("ops/{}.h5:{}", op, path);
}

std::string HashPrefix(const std::string& op) { return fmt::format("ops/{}:", op); }

bool AnyHashed(const OpSpec& op) {
  return std::any_of(op.cases.begin(), op.cases.end(),
                     [](const CaseRow& row) { return row.hashed; });
}

// The case's tensors after the run; of a hashed case their entries alone are kept.
struct Made {
  Tensors tensors;
  std::map<std::string, golden::Entry> entries;
};

Made MakeCase(const Case& c) {
  Made made{MakeGolden(c, 1), {}};
  if (!c.hashed) return made;
  for (const Argument& argument : c.op->arguments) {
    made.entries.emplace(HashName(c, argument.name),
                         golden::EntryOf(made.tensors.at(argument.name)));
  }
  made.tensors.clear();
  return made;
}

std::vector<Made> MakeCases(const std::vector<Case>& cases, int threads) {
  std::vector<Made> made(cases.size());
  const int64_t count = static_cast<int64_t>(cases.size());
  ParallelFor(count, threads, [&](int64_t i) {
    made[static_cast<size_t>(i)] = MakeCase(cases[static_cast<size_t>(i)]);
  });
  return made;
}

std::vector<Case> HashedCases() {
  std::vector<Case> hashed;
  for (const OpSpec* op : AllOps()) {
    for (const Case& c : CasesOf(*op)) {
      if (c.hashed) hashed.push_back(c);
    }
  }
  return hashed;
}

// All of them are hashed.
std::vector<Case> OfFullSuiteAlone(const OpSpec& op) {
  std::set<std::string> others;
  for (const Case& c : CasesOf(op)) others.insert(c.Name());
  std::vector<Case> cases = CasesOf(op, Suite::kFull);
  std::erase_if(cases, [&](const Case& c) { return others.contains(c.Name()); });
  return cases;
}

}  // namespace

std::string GoldenFile(const std::string& op) { return fmt::format("golden/ops/{}.h5", op); }

std::string HashName(const Case& c, const std::string& tensor) {
  return fmt::format("{}{}/{}", HashPrefix(c.op->name), c.Name(), tensor);
}

std::optional<Difference> HashDifference(const Case& c, const Frozen& frozen,
                                         const std::string& name, const Tensor& tensor) {
  const golden::Entry is = golden::EntryOf(tensor);
  const auto was = frozen.entries.find(HashName(c, name));
  if (was == frozen.entries.end()) {
    return Difference{name, "", "no hash of it in golden/MANIFEST", "its hash"};
  }
  if (is == was->second) return {};
  const auto show = [](const golden::Entry& entry) {
    return fmt::format("{} {} ({})", entry.sha256.substr(0, 16), Name(entry.dtype),
                       fmt::join(entry.shape, ", "));
  };
  return Difference{name, "", "hash " + show(is), "hash " + show(was->second)};
}

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
  const std::string manifest = ManifestFile(RepositoryRoot());
  if (AnyHashed(op) && std::filesystem::exists(manifest)) {
    for (auto& [name, entry] : golden::ReadManifest(manifest).entries) {
      if (name.starts_with(HashPrefix(op.name))) frozen.entries.emplace(name, entry);
    }
  }
  return frozen;
}

void WriteGolden(const std::vector<std::string>& ops, const std::string& root, Suite suite,
                 int threads) {
  std::vector<const OpSpec*> chosen;
  for (const std::string& name : ops) {
    const OpSpec* op = FindOp(name);
    if (op == nullptr)
      throw UsageError(fmt::format("no op or chain '{}' (`list` names them)", name));
    chosen.push_back(op);
  }
  if (chosen.empty()) chosen = AllOps();

  const bool is_begun = std::filesystem::exists(ManifestFile(root));
  const std::string taken_over = ManifestFile(is_begun ? root : RepositoryRoot());
  golden::Manifest before;
  if (std::filesystem::exists(taken_over)) before = golden::ReadManifest(taken_over);
  // Entries of other files stay; those of the files that are written now are made anew.
  golden::Manifest manifest;
  if (is_begun && !ops.empty()) manifest = before;
  std::filesystem::create_directories(root + "/golden/ops");
  for (const OpSpec* op : chosen) {
    const std::string in_file = EntryName(op->name, ""), hashed = HashPrefix(op->name);
    std::erase_if(manifest.entries, [&](const auto& entry) {
      return entry.first.starts_with(in_file) || entry.first.starts_with(hashed);
    });

    if (suite != Suite::kFull) {
      for (const Case& c : OfFullSuiteAlone(*op)) {
        for (const Argument& argument : op->arguments) {
          const auto entry = before.entries.find(HashName(c, argument.name));
          if (entry != before.entries.end()) manifest.entries.insert(*entry);
        }
      }
    }
    const std::vector<Case> cases = CasesOf(*op, suite);
    std::vector<Made> results = MakeCases(cases, threads);
    golden::Writer writer(root + "/" + GoldenFile(op->name));
    for (size_t i = 0; i < cases.size(); ++i) {
      const Case& c = cases[i];
      const std::string group = c.Name();
      for (const auto& [name, tensor] : results[i].tensors) {
        const std::string path = group + "/" + name;
        writer.Write(path, tensor);
        results[i].entries.emplace(EntryName(op->name, path), golden::EntryOf(tensor));
      }
      for (const auto& entry : results[i].entries) {
        if (!manifest.entries.insert(entry).second) {
          throw std::logic_error(fmt::format("op {} has two cases {}", op->name, group));
        }
      }
      if (c.hashed) continue;
      writer.WriteText(group, "input_class", c.input_class);
      writer.WriteNumber(group, "seed", static_cast<double>(c.seed));
      for (const auto& [name, value] : c.attributes) writer.WriteNumber(group, name, value);
    }
    writer.Close();
  }
  if (ops.empty()) manifest.entries.merge(ModelEntries(RepositoryRoot(), threads));
  golden::WriteManifest(ManifestFile(root), manifest);
}

std::vector<std::string> CheckGolden(const std::string& root, Suite suite, int threads,
                                     int64_t* tensors) {
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
  std::map<std::string, golden::Entry> again = ModelEntries(root, threads);
  std::vector<Case> hashed = HashedCases();
  for (const OpSpec* op : AllOps()) {
    for (Case& c : OfFullSuiteAlone(*op)) {
      if (suite == Suite::kFull || ElementsOf(c) <= kMostElements) {
        hashed.push_back(std::move(c));
        continue;
      }
      for (const Argument& argument : op->arguments) {
        const std::string name = HashName(c, argument.name);
        seen.insert(name);
        if (!manifest.entries.contains(name)) {
          note(fmt::format("{}: not in golden/MANIFEST (`golden make --suite full`)", name));
        }
      }
    }
  }
  for (Made& made : MakeCases(hashed, threads)) again.merge(made.entries);
  for (const auto& [name, made] : again) {
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
      note(fmt::format("{}: in golden/MANIFEST but in no file, no hashed case and no model", name));
  }
  return problems;
}

}  // namespace touchstone::lab
