// Strings of variable length lie in the global heap of the file; the attribute refers to them.
// They are fetched here rather than by the HDF5 library (1.10), which copies as many bytes as the
// heap claims into a buffer of the length that the reference claims.
#pragma once

#include <array>
#include <cstddef>
#include <string>

namespace touchstone::golden {

// A reference as it lies in the file: length (4 bytes), address of the collection (8), index of the
// object in it (4), all little endian.
inline constexpr size_t kHeapReferenceBytes = 16;
using HeapReference = std::array<unsigned char, kHeapReferenceBytes>;

// The bytes referred to. Throws BadFile, which names file and `where`, unless the reference and the
// collection that it leads to are sound. Reads no more than 1 MiB.
std::string ReadGlobalHeap(const std::string& file, const std::string& where,
                           const HeapReference& reference);

}  // namespace touchstone::golden
