//! Fuzzes the target `external` of quaver-fuzz: `scripts/fuzz external`.
#![no_main]

#[global_allocator]
static ALLOCATOR: quaver_tests::Counting = quaver_tests::Counting;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    quaver_fuzz::target("external").hold("input", bytes);
});
