//! Lists `rtl/*.v` for the library, which embeds them: a new unit needs no entry anywhere.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

fn main() {
    let root = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let rtl = root.join("rtl");
    println!("cargo::rerun-if-changed={}", rtl.display());
    let mut units: Vec<PathBuf> = std::fs::read_dir(&rtl)
        .unwrap_or_else(|e| panic!("cannot list {}: {e}", rtl.display()))
        .map(|entry| entry.expect("a directory entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "v"))
        .collect();
    units.sort();
    let mut list = String::from("pub(crate) const EMBEDDED: &[(&str, &str)] = &[\n");
    for path in &units {
        let name = path.file_stem().and_then(|s| s.to_str());
        let name = name.unwrap_or_else(|| panic!("{} is not UTF-8", path.display()));
        writeln!(list, "    ({name:?}, include_str!({path:?})),").expect("a string takes text");
    }
    list.push_str("];\n");
    let out = std::env::var_os("OUT_DIR").expect("cargo sets it");
    let out = Path::new(&out).join("embedded.rs");
    std::fs::write(&out, list).unwrap_or_else(|e| panic!("cannot write {}: {e}", out.display()));
}
