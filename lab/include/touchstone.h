/* Touchstone's plug-in interface: how a kernel of yours is judged by `touchstone verify OP --kernel
 * ./mine.so`. Plain C (C99 or C++), nothing to link, this one file to include.
 *
 * A shared library exports one constant of type touchstone_kernel for each kernel, by default under
 * the name touchstone_<op>:
 *
 *   static int run(const touchstone_call* call) { ...; return 0; }
 *   TOUCHSTONE_KERNEL(rmsnorm) = {TOUCHSTONE_ABI, sizeof(touchstone_kernel), "mine", "rmsnorm",
 *                                 TOUCHSTONE_F32 | TOUCHSTONE_BF16, TOUCHSTONE_CPU, 0, 0, run};
 *
 * `touchstone new OP` writes such a file, with the op's contract in its comment; it passes as it
 * stands. `touchstone explain OP` names an op's tensors and attributes.
 *
 * The library is loaded in a process of its own. What it prints is kept and shown if it fails.
 */
#ifndef TOUCHSTONE_H_
#define TOUCHSTONE_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Changes whenever anything below changes its layout or meaning. */
#define TOUCHSTONE_ABI 1u

/* A tensor, in the layout of DLPack's DLTensor (dlpack.h, version 0.8 and 1.x): a pointer to one
 * may be cast to DLTensor*. Here always: row-major and dense, strides not null, byte_offset 0, data
 * aligned to 64 bytes and not null (a tensor without elements has one valid address too). */
typedef struct {
  int32_t device_type; /* TOUCHSTONE_CPU, TOUCHSTONE_CUDA */
  int32_t device_id;
} touchstone_device;

typedef struct {
  uint8_t code;   /* TOUCHSTONE_FLOAT (f32), TOUCHSTONE_BFLOAT (bf16), TOUCHSTONE_INT (i64) */
  uint8_t bits;   /* 32, 16, 64 */
  uint16_t lanes; /* 1 */
} touchstone_dtype;

typedef struct {
  void* data;
  touchstone_device device;
  int32_t ndim;
  touchstone_dtype dtype;
  int64_t* shape;
  int64_t* strides; /* in elements */
  uint64_t byte_offset;
} touchstone_tensor;

/* DLPack's numbers. */
enum { TOUCHSTONE_CPU = 1, TOUCHSTONE_CUDA = 2 };
enum { TOUCHSTONE_INT = 0, TOUCHSTONE_FLOAT = 2, TOUCHSTONE_BFLOAT = 4 };

/* Recipes, as a set of bits: what the op's `storage` tensors hold. */
enum { TOUCHSTONE_F32 = 1, TOUCHSTONE_BF16 = 2 };

typedef struct {
  /* As in the model's configuration: "eps". A size of the op that no tensor's shape shows has its
   * letter for a name: "A" of moe_block, how many experts a token has. */
  const char* name;
  double value; /* binary64; rule N12 says how a kernel rounds it */
} touchstone_attribute;

/* One call. Everything in it belongs to the caller and is valid until run returns. */
typedef struct {
  uint32_t abi;  /* TOUCHSTONE_ABI of the caller */
  uint32_t size; /* sizeof(touchstone_call) of the caller */
  const char* op;
  uint32_t recipe; /* one bit */
  int32_t threads; /* how many threads the kernel may use: at least 1 */
  int32_t inputs_count, outputs_count, attributes_count;
  int32_t reserved; /* 0 */
  /* Each in the order in which `touchstone explain OP` lists them. A tensor that is input and
   * output (a cache) is among the outputs, and holds its values before the call. Other outputs hold
   * NaN, or in some calls another filling. */
  const touchstone_tensor* inputs;
  const touchstone_tensor* outputs;
  const touchstone_attribute* attributes;
  /* What `workspace` asked for, aligned to 256 bytes; holds NaN, or in some calls another filling.
   */
  void* workspace;
  uint64_t workspace_bytes;
  void* stream; /* a cudaStream_t where the device is TOUCHSTONE_CUDA, else null */
} touchstone_call;

typedef struct {
  uint32_t abi;     /* TOUCHSTONE_ABI */
  uint32_t size;    /* sizeof(touchstone_kernel) */
  const char* name; /* of this kernel, for reports */
  const char* op;   /* the op or chain that it computes */
  uint32_t recipes; /* those it supports; others are left out, and the report says so */
  int32_t device;   /* where its tensors lie: TOUCHSTONE_CPU, TOUCHSTONE_CUDA */
  /* Processor features that it needs, as the flags of /proc/cpuinfo are spelt, separated by spaces
   * ("avx2 fma"); for TOUCHSTONE_CUDA the architectures it has code for ("sm_90 sm_100"). Null or
   * empty: none. Where they are missing nothing is called and the verdict is NOT RUN. */
  const char* needs;
  /* Bytes of workspace that this call needs (data pointers are null, shapes are valid). Null: none.
   */
  uint64_t (*workspace)(const touchstone_call* call);
  /* Computes the outputs; they are complete when it returns (on a stream: when the stream has
   * run). Returns 0, or TOUCHSTONE_REFUSED for sizes or attributes that it does not support: the
   * case is then left out and counted. Any other number is an error. */
  int (*run)(const touchstone_call* call);
} touchstone_kernel;

enum { TOUCHSTONE_REFUSED = 1 };

#ifdef __cplusplus
#define TOUCHSTONE_LINKAGE extern "C"
}
#else
#define TOUCHSTONE_LINKAGE
#endif

/* Declares and begins the definition of the kernel of an op. */
#define TOUCHSTONE_KERNEL(op)                                                       \
  TOUCHSTONE_LINKAGE const touchstone_kernel __attribute__((visibility("default"))) \
  touchstone_##op;                                                                  \
  const touchstone_kernel touchstone_##op

#endif /* TOUCHSTONE_H_ */
