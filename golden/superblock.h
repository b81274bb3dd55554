// The first bytes of an HDF5 file, looked at before the HDF5 library is given the file.
#pragma once

#include <cstdint>
#include <string>

namespace touchstone::golden {

// The file's size in bytes. Throws BadFile unless it is a regular file that
//   starts with the HDF5 signature (no user block), superblock version 0, 1, 2 or 3,
//   uses 8-byte addresses and lengths from base address 0,
//   has exactly the bytes that its superblock says (a file cut short has fewer), and
//   names neither a file driver nor a superblock extension, behind which lie shared messages, cache
//   images and free-space managers that no file of tensors needs.
int64_t CheckSuperblock(const std::string& file);

}  // namespace touchstone::golden
