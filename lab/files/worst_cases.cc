#include "lab/files/worst_cases.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>

#include "golden/bad_file.h"
#include "lab/chain.h"
#include "lab/repository.h"

namespace touchstone::lab {

std::vector<FileCase> WorstCases(const OpSpec& op) {
  namespace fs = std::filesystem;
  const std::string folder = RepositoryRoot() + "/golden/worst/" + op.name;
  std::vector<std::string> files;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder, none)) {
    if (entry.path().extension() == ".h5") files.push_back(entry.path().string());
  }
  std::sort(files.begin(), files.end());
  std::vector<FileCase> all;
  for (const std::string& file : files) {
    for (FileCase& kept : ReadCases(file)) {
      if (kept.c.op != &op) {
        throw golden::BadFile(fmt::format("{}: it holds a case of {}, and its folder is that of {}",
                                          file, kept.c.op->name, op.name));
      }
      kept.kept = true;
      kept.file = fs::relative(file, RepositoryRoot(), none).string();
      all.push_back(std::move(kept));
    }
  }
  return all;
}

void NoteKept(const OpSpec& op, std::vector<FileCase>* cases) {
  std::set<std::string> digests;
  for (const FileCase& kept : WorstCases(op)) digests.insert(kept.digest);
  for (FileCase& one : *cases) one.kept = digests.contains(one.digest);
}

Tensors TensorsOf(const FileCase& file_case) {
  Tensors tensors = file_case.inputs;
  for (const Argument& argument : file_case.c.op->arguments) {
    if (argument.role != Role::kOut) continue;
    Tensor tensor(DtypeOf(file_case.c, argument), ShapeOf(file_case.c, argument));
    std::fill(tensor.data.begin(), tensor.data.end(), std::byte{0xff});
    tensors.emplace(argument.name, std::move(tensor));
  }
  return tensors;
}

}  // namespace touchstone::lab
