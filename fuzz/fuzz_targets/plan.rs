//! Fuzzes the target `plan` of quaver-fuzz: `scripts/fuzz plan`.
#![no_main]

#[global_allocator]
static ALLOCATOR: quaver_tests::Counting = quaver_tests::Counting;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    quaver_fuzz::target("plan").hold("input", bytes);
});
