// From "./mine.so:symbol" to a kernel that fits an op and this machine, or the reason why it does not.
#pragma once

#include <string>

#include "lab/kernel/kernel.h"
#include "lab/worker/protocol.h"

namespace touchstone::lab {

struct PluginName {
  std::string library;  // with a slash, so that the loader searches for nothing
  std::string symbol;
};

// The part after the last colon is a symbol where it could be one in C and the whole is no file's
// name.
PluginName PluginNameOf(const std::string& library_and_symbol, const OpSpec& op);

// What the worker says of the library, judged. Throws KernelUnavailable.
KernelInfo InfoOf(const Loaded& loaded, const PluginName& name, const OpSpec& op);

}  // namespace touchstone::lab
