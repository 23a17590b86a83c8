//! Fuzzes the target `gemm` of quaver-fuzz: `scripts/fuzz gemm`.
#![no_main]

#[global_allocator]
static ALLOCATOR: quaver_tests::Counting = quaver_tests::Counting;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    quaver_fuzz::target("gemm").hold("input", bytes);
});
