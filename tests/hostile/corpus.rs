//! The files of tests/vectors/onnx: each one is refused, with its place and reason.

use std::collections::BTreeSet;

use quaver_quant::{Error, onnx};
use quaver_tests::{peak, root};

/// Most memory for any of these files, which have a few hundred bytes.
const BYTES_MAX: usize = 64 << 10;

#[test]
fn files_are_refused_with_place_and_reason() {
    let folder = root().join("tests/vectors/onnx");
    let listed = std::fs::read_to_string(folder.join("errors.txt")).unwrap();
    let mut names = BTreeSet::new();
    for line in listed.lines().filter(|line| !line.starts_with('#')) {
        let [name, field, words] = line.splitn(3, "; ").collect::<Vec<_>>()[..] else {
            panic!("{line}: not three columns");
        };
        let path = folder.join(format!("{name}.onnx"));
        let bytes = std::fs::read(&path).unwrap();
        for from_memory in [false, true] {
            let (result, most) = peak(|| match from_memory {
                false => onnx::read(&path),
                true => onnx::parse(&bytes, Some(&folder)),
            });
            let error = result.map(|_| name).unwrap_err();
            let Error::Onnx {
                offset,
                field: found,
                message,
            } = &error
            else {
                panic!("{name}: {error}");
            };
            assert!(*offset <= bytes.len(), "{name}: {error}");
            assert_eq!(found, field, "{name}: {error}");
            assert!(message.contains(words), "{name}: {error}");
            assert!(most < BYTES_MAX, "{name}: {most} bytes of memory");
        }
        names.insert(format!("{name}.onnx"));
    }
    let files = folder.read_dir().unwrap();
    let files = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let files: BTreeSet<String> = files.filter(|name| name.ends_with(".onnx")).collect();
    assert!(!files.is_empty());
    assert_eq!(files, names);
}
