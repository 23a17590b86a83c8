// FP8 dot products of 32 terms on an NVIDIA tensor core: d = c + sum of a[k] * b[k].
//
// One block of threads takes one dot product in one instruction: row 0 of A is a, column 0 of B is
// b, element (0, 0) of C is c, and everything else is zero. Compute capability 8.9 (Ada) has
// mma.sync m16n8k32 for this, 9.0 (Hopper) wgmma m64n8k32.
//
// Standard input: for each dot product 32 codes of a, 32 codes of b, the 4 bytes of c (binary32,
// little-endian). Standard output: the 4 bytes of each d. Chip and toolkit go to standard error.
// Source of the instructions, their fragments and the descriptor of a matrix in shared memory: PTX
// ISA, sections "Matrix Fragments for mma.m16n8k32" and "Asynchronous Warpgroup Level Matrix
// Instructions".

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include <cuda_runtime.h>

#if !defined(CAPABILITY)
#error "compile as scripts/capture/capture.py does"
#endif

// A warp, or a group of four.
constexpr unsigned THREADS = CAPABILITY == 90 ? 128 : 32;

struct Block {
    uint32_t a[8];
    uint32_t b[8];
    uint32_t c;
};
static_assert(sizeof(Block) == 68, "the record of the file");

// The instruction of the architecture that this is compiled for, with operands of one type.
#if CAPABILITY == 90
#define DOT(TYPE)                                                                       \
    asm volatile(                                                                       \
        "wgmma.fence.sync.aligned;\n"                                                   \
        "wgmma.mma_async.sync.aligned.m64n8k32.f32." TYPE "." TYPE " "                  \
        "{%0,%1,%2,%3}, {%4,%5,%6,%7}, %8, 1, 1, 1;\n"                                  \
        "wgmma.commit_group.sync.aligned;\n"                                            \
        "wgmma.wait_group.sync.aligned 0;\n"                                            \
        : "+f"(d0), "+f"(d1), "+f"(d2), "+f"(d3)                                        \
        : "r"(a0), "r"(0), "r"(a2), "r"(0), "l"(descriptor)                             \
        : "memory")
#else
#define DOT(TYPE)                                                                       \
    asm volatile(                                                                       \
        "mma.sync.aligned.m16n8k32.row.col.f32." TYPE "." TYPE ".f32 "                  \
        "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};\n"                       \
        : "+f"(d0), "+f"(d1), "+f"(d2), "+f"(d3)                                        \
        : "r"(a0), "r"(0), "r"(a2), "r"(0), "r"(b0), "r"(b1))
#endif

template <bool E5M2>
__global__ void dot(const Block *blocks, uint32_t *results) {
    const Block &block = blocks[blockIdx.x];
    const unsigned lane = threadIdx.x;
    // Lanes 0 to 3 hold row 0 of A, and of B in registers its column 0: terms 4 * lane on, and
    // 16 + 4 * lane on.
    const bool first = lane < 4;
    const uint32_t a0 = first ? block.a[lane] : 0, a2 = first ? block.a[4 + lane] : 0;
    float d0 = lane == 0 ? __uint_as_float(block.c) : 0.0f, d1 = 0.0f, d2 = 0.0f, d3 = 0.0f;
#if CAPABILITY == 90
    // B in shared memory: two core matrices of 8 columns by 16 terms, one after the other, each
    // column's 16 bytes together.
    __shared__ alignas(128) uint32_t matrix[64];
    if (lane < 64) matrix[lane] = lane % 32 < 4 ? block.b[lane / 32 * 4 + lane % 32] : 0;
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
    __syncthreads();
    // The address, and the distances of core matrices along the terms and along the columns, in
    // units of 16 bytes; no swizzle.
    const uint64_t address = __cvta_generic_to_shared(matrix);
    const uint64_t descriptor = (address & 0x3ffff) >> 4 | 128ull >> 4 << 16 | 256ull >> 4 << 32;
#else
    const uint32_t b0 = first ? block.b[lane] : 0, b1 = first ? block.b[4 + lane] : 0;
#endif
    if (E5M2)
        DOT("e5m2");
    else
        DOT("e4m3");
    if (lane == 0) results[blockIdx.x] = __float_as_uint(d0);
}

static void check(cudaError_t status, const char *what) {
    if (status == cudaSuccess) return;
    fprintf(stderr, "%s: %s\n", what, cudaGetErrorString(status));
    exit(2);
}

int main(int argc, char **argv) {
    const bool e5m2 = argc == 2 && strcmp(argv[1], "e5m2") == 0;
    if (argc != 2 || (!e5m2 && strcmp(argv[1], "e4m3fn") != 0)) {
        fprintf(stderr, "usage: capture e4m3fn|e5m2 < blocks > results\n");
        return 2;
    }
    std::vector<Block> blocks;
    Block block;
    size_t bytes;
    while ((bytes = fread(&block, 1, sizeof block, stdin)) == sizeof block) blocks.push_back(block);
    if (bytes != 0 || blocks.empty()) {
        fprintf(stderr, "standard input: not whole records of %zu bytes\n", sizeof block);
        return 2;
    }
    cudaDeviceProp chip;
    int driver = 0;
    check(cudaGetDeviceProperties(&chip, 0), "device 0");
    check(cudaDriverGetVersion(&driver), "driver");
    // On any other chip mma.sync becomes FP16 instructions, whose sums are not the FP8 unit's.
    if (chip.major * 10 + chip.minor != CAPABILITY) {
        fprintf(stderr, "%s: compute capability %d.%d; compiled for %d.%d\n", chip.name, chip.major,
                chip.minor, CAPABILITY / 10, CAPABILITY % 10);
        return 2;
    }
    fprintf(stderr, "%s, compute capability %d.%d, CUDA %d.%d\n", chip.name, chip.major,
            chip.minor, driver / 1000, driver % 1000 / 10);
    Block *in;
    uint32_t *out;
    std::vector<uint32_t> results(blocks.size());
    check(cudaMalloc(&in, blocks.size() * sizeof(Block)), "memory");
    check(cudaMalloc(&out, results.size() * sizeof(uint32_t)), "memory");
    check(cudaMemcpy(in, blocks.data(), blocks.size() * sizeof(Block), cudaMemcpyHostToDevice),
          "copy of the blocks");
    if (e5m2)
        dot<true><<<blocks.size(), THREADS>>>(in, out);
    else
        dot<false><<<blocks.size(), THREADS>>>(in, out);
    check(cudaGetLastError(), "launch");
    check(cudaMemcpy(results.data(), out, results.size() * sizeof(uint32_t),
                     cudaMemcpyDeviceToHost),
          "results");
    if (fwrite(results.data(), sizeof(uint32_t), results.size(), stdout) != results.size() ||
        fflush(stdout) != 0) {
        perror("standard output");
        return 2;
    }
    return 0;
}
