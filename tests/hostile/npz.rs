//! Archives of arrays.

use std::path::Path;
use std::process::Command;

use quaver_fuzz::npz as read;
use quaver_quant::npz;
use quaver_tests::{peak, python};

use crate::{damaged, hold};

/// Bytes of memory for each byte that an archive unpacks to: itself in a list that may have grown to
/// twice its length, and an integer of 8 bytes.
const UNPACKED_MULTIPLE: usize = 10;

/// Bytes of memory for each byte of an archive.
const MULTIPLE: usize = UNPACKED_MULTIPLE * npz::UNPACKED.1 as usize;

/// Writes small archives of what a model is given.
const WRITE: &str = "
import sys, numpy as np
ids = np.arange(24, dtype=np.int64).reshape(2, 12)
image = np.linspace(0, 1, 32, dtype=np.float32).reshape(2, 1, 4, 4)
np.savez(sys.argv[1] + '/stored.npz', input_ids=ids, attention_mask=np.ones_like(ids))
np.savez_compressed(sys.argv[1] + '/compressed.npz', image=image, label=np.uint8([1, 2]))
";

/// Runs Python with a folder as its argument.
fn write(code: &str, folder: &Path) {
    let mut command = Command::new(python());
    let output = command.args(["-c", code]).arg(folder).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
}

#[test]
fn damaged_archives_are_refused_or_read() {
    let folder = tempfile::tempdir().unwrap();
    write(WRITE, folder.path());
    for name in ["stored", "compressed"] {
        let file = std::fs::read(folder.path().join(format!("{name}.npz"))).unwrap();
        assert!(hold(name, &file, MULTIPLE, &read).0);
        println!("{}", damaged(name, &file, MULTIPLE, &read));
    }
}

/// A few kilobytes that unpack to as much as is allowed, and to much more.
#[test]
fn archives_that_unpack_to_too_much_are_refused() {
    const WRITE: &str = "
import sys, numpy as np
for bits in [25, 30]:
    np.savez_compressed(f'{sys.argv[1]}/{bits}.npz', x=np.zeros(2**bits, np.int8))
";
    let limit = usize::try_from(npz::UNPACKED.0).unwrap();
    let folder = tempfile::tempdir().unwrap();
    write(WRITE, folder.path());
    // A gigabyte of zeros is a file of a megabyte, which adds as much as is allowed for any file.
    let buffers = 1 << 20;
    let rows = [
        (25, true, UNPACKED_MULTIPLE * limit + buffers),
        (30, false, 4 * limit + buffers),
    ];
    for (bits, accepted, most) in rows {
        let (result, used) = peak(|| npz::read(&folder.path().join(format!("{bits}.npz"))));
        println!("2^{bits}: {used} bytes of memory");
        assert_eq!(result.is_ok(), accepted, "2^{bits}");
        assert!(used < most, "2^{bits}: {used} bytes of memory");
    }
}
