#include "golden/read_everything.h"

#include <vector>

#include "golden/hdf5_file.h"

namespace touchstone::golden {
namespace {

void ReadAttributes(const Reader& reader, const std::string& path) {
  for (const std::string& name : reader.Attributes(path)) {
    if (reader.IsText(path, name)) {
      reader.Text(path, name);
    } else {
      reader.Number(path, name);
    }
  }
}

}  // namespace

void ReadEverything(const std::string& file) {
  const Reader reader(file);
  for (const std::string& path : reader.Groups()) ReadAttributes(reader, path);
  for (const std::string& path : reader.Paths()) {
    ReadAttributes(reader, path);
    reader.Read(path);
  }
}

}  // namespace touchstone::golden
