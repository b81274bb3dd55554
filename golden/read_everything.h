// Reads a whole file, so that a search for bad input reaches all that the reader does.
#pragma once

#include <string>

namespace touchstone::golden {

// Opens the file and reads every tensor and every attribute. Throws BadFile for anything that is
// wrong, an attribute that is neither a text nor a number included.
void ReadEverything(const std::string& file);

}  // namespace touchstone::golden
