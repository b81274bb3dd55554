// One block an expert, and one for the end: it counts the pairs of the experts before it, which are
// its offset, then copies its tokens in ascending order. O is the number of experts and one more.
// touchstone: Dispatch<Storage><<<O, kThreads>>>
//             (T, C, A, x, chosen, scores, rows, row_token, offsets)
template <typename Storage>
__global__ void Dispatch(int64_t T, int64_t C, int64_t A, const Storage* x, const int64_t* chosen,
                         const Storage* scores, Storage* rows, int64_t* row_token,
                         int64_t* offsets) {
  const int64_t e = blockIdx.x;
  int64_t r = 0;
  for (int64_t i = 0; i < T * A; ++i) r += chosen[i] < e ? 1 : 0;
  if (threadIdx.x == 0) offsets[e] = r;
  for (int64_t i = 0; i < T * A; ++i) {
    if (chosen[i] != e) continue;
    const Storage* x_t = x + i / A * C;
    for (int64_t c = threadIdx.x; c < C; c += kThreads) {
      rows[r * C + c] = Narrow<Storage>(Widen(x_t[c]) * Widen(scores[i]));
    }
    if (threadIdx.x == 0) row_token[r] = i / A;
    ++r;
  }
}
