#include "lab/repository.h"

#include <cstdlib>

namespace touchstone::lab {

std::string RepositoryRoot() {
  const char* other = std::getenv("TOUCHSTONE_ROOT");
  return other != nullptr && *other != '\0' ? other : TOUCHSTONE_SOURCE_DIR;
}

std::string BuildDescription() { return TOUCHSTONE_BUILD; }

}  // namespace touchstone::lab
