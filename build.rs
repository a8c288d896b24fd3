//! Leaves RocksDB's debugging information out of the binary: half a gigabyte that a profile setting could only remove by
//! compiling the C++ again. Symbols stay, so backtraces name functions.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-link-arg-bins=-Wl,--strip-debug");
}
