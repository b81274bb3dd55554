// Gate and up projections and SwiGLU in tiles of up to 128 tokens x 64 outputs, a block of 128
// threads a tile: parts/gate_up_tiles.cuh. Blocks that run side by side share rows of gate and up.
// architectures: 80 90 100
#include "kernels/gate_up_swiglu/register_tiles.h"

#include "kernels/parts/dense.h"
#include "kernels/parts/gate_up_tiles.cuh"

namespace touchstone::kernels::gate_up_swiglu {
namespace {

template <typename Storage, int kThreadRows>
__global__ void __launch_bounds__(kChainThreads, 2)
    TokenTile(const Storage* x, const Storage* gate, const Storage* up, int64_t T, int64_t F,
              int64_t C, bool wide, Storage* y) {
  const int64_t t0 = int64_t{blockIdx.x} * (8 * kThreadRows);
  const int64_t f0 = int64_t{blockIdx.y} * kGateUpColumns;
  const int rows = static_cast<int>(std::min<int64_t>(T - t0, 8 * kThreadRows));
  GateUpTile<Storage, kThreadRows>(x + t0 * C, gate + f0 * C, up + f0 * C, rows, F - f0, C, wide,
                                   y + t0 * F + f0, F);
}

template <int kThreadRows, typename Storage>
void LaunchTiles(const Storage* x, const Storage* gate, const Storage* up, int64_t T, int64_t F,
                 int64_t C, Storage* y) {
  const bool wide = ChainIsWide(x, gate, C) && ChainIsWide(x, up, C);
  simt::Launch(
      {.grid = dim3(simt::BlocksFor(T, 8 * kThreadRows), simt::BlocksFor(F, kGateUpColumns)),
       .block = dim3(kChainThreads),
       .dynamic_shared = ChainTileSharedBytes<Storage, kThreadRows>(C)},
      TokenTile<Storage, kThreadRows>, x, gate, up, T, F, C, wide, y);
}

template <typename Storage>
void Run(View<const Storage, 'T', 'C'> x, View<const Storage, 'F', 'C'> gate,
         View<const Storage, 'F', 'C'> up, View<Storage, 'T', 'F'> y) {
  const int64_t T = Extent<'T'>(x, y), C = Extent<'C'>(x, gate, up), F = Extent<'F'>(gate, up, y);
  if (T == 0 || F == 0) return;
  const auto launch = T > 256  ? LaunchTiles<16, Storage>
                      : T > 64 ? LaunchTiles<8, Storage>
                               : LaunchTiles<4, Storage>;
  launch(Dense(x), Dense(gate), Dense(up), T, F, C, Dense(y));
}

}  // namespace

void register_tiles(View<const float, 'T', 'C'> x, View<const float, 'F', 'C'> gate,
                    View<const float, 'F', 'C'> up, View<float, 'T', 'F'> y) {
  Run(x, gate, up, y);
}
void register_tiles(View<const Bf16, 'T', 'C'> x, View<const Bf16, 'F', 'C'> gate,
                    View<const Bf16, 'F', 'C'> up, View<Bf16, 'T', 'F'> y) {
  Run(x, gate, up, y);
}

}  // namespace touchstone::kernels::gate_up_swiglu
