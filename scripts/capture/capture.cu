// FP8 dot products of 32 terms on an NVIDIA tensor core: d = c + sum of a[k] * b[k].
//
// One warp takes one dot product in one mma.sync m16n8k32: row 0 of A is a, column 0 of B is b,
// element (0, 0) of C is c, and everything else is zero.
//
// Standard input: for each dot product 32 codes of a, 32 codes of b, the 4 bytes of c (binary32,
// little-endian). Standard output: the 4 bytes of each d. Chip and driver go to standard error.
// Source of the instruction and of its fragments: PTX ISA, section "Matrix Fragments for
// mma.m16n8k32".

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include <cuda_runtime.h>

struct Block {
    uint32_t a[8];
    uint32_t b[8];
    uint32_t c;
};
static_assert(sizeof(Block) == 68, "the record of the file");

template <bool E5M2>
__global__ void dot(const Block *blocks, uint32_t *results) {
    const Block &block = blocks[blockIdx.x];
    const unsigned lane = threadIdx.x;
    // Lanes 0 to 3 hold row 0 of A and column 0 of B: terms 4 * lane on, and 16 + 4 * lane on.
    const bool first = lane < 4;
    const uint32_t a0 = first ? block.a[lane] : 0, a2 = first ? block.a[4 + lane] : 0;
    const uint32_t b0 = first ? block.b[lane] : 0, b1 = first ? block.b[4 + lane] : 0;
    const float c0 = lane == 0 ? __uint_as_float(block.c) : 0.0f;
    float d0, d1, d2, d3;
    if (E5M2) {
        asm volatile(
            "mma.sync.aligned.m16n8k32.row.col.f32.e5m2.e5m2.f32 "
            "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%10,%11,%12,%13};"
            : "=f"(d0), "=f"(d1), "=f"(d2), "=f"(d3)
            : "r"(a0), "r"(0), "r"(a2), "r"(0), "r"(b0), "r"(b1), "f"(c0), "f"(0.0f), "f"(0.0f),
              "f"(0.0f));
    } else {
        asm volatile(
            "mma.sync.aligned.m16n8k32.row.col.f32.e4m3.e4m3.f32 "
            "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%10,%11,%12,%13};"
            : "=f"(d0), "=f"(d1), "=f"(d2), "=f"(d3)
            : "r"(a0), "r"(0), "r"(a2), "r"(0), "r"(b0), "r"(b1), "f"(c0), "f"(0.0f), "f"(0.0f),
              "f"(0.0f));
    }
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
    // For 9.0 and 10.0 the compiler turns this instruction into FP16 ones; a result would not be
    // of the FP8 unit.
    if (chip.major != 8 || chip.minor != 9) {
        fprintf(stderr, "%s: compute capability %d.%d; this program reaches the FP8 unit of 8.9\n",
                chip.name, chip.major, chip.minor);
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
        dot<true><<<blocks.size(), 32>>>(in, out);
    else
        dot<false><<<blocks.size(), 32>>>(in, out);
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
