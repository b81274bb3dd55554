// Where the program finds the repository that it was built from, and how it was built.
#pragma once

#include <string>

namespace touchstone::lab {

// TOUCHSTONE_ROOT in the environment names another one.
std::string RepositoryRoot();

// "GNU 12.2.0 Release -march=x86-64-v3"
std::string BuildDescription();

}  // namespace touchstone::lab
