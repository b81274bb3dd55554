// Fuzz target: the reader of Hugging Face's config.json, from memory. Whatever the bytes are, it
// returns or throws BadCheckpoint; what it accepts is a sound model whose numbers can be counted.
#include <cstddef>
#include <cstdint>

#include "fuzz/sound_config.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  touchstone::fuzz::ReadAndRequire({reinterpret_cast<const char*>(data), size},
                                   touchstone::checkpoint::ReadHuggingFaceConfig);
  return 0;
}
