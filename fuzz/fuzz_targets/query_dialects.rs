//! See `tests/it/fuzzed.rs`.
#![no_main]

#[path = "../../tests/it/fuzzed.rs"]
#[allow(dead_code)]
mod fuzzed;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzzed::run("query_dialects", bytes));
