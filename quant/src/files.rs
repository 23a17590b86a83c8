//! Files: read by mapping them into memory, and written whole or not at all.
#![allow(unsafe_code)]

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use memmap2::Mmap;

use crate::Error;

/// Maps a regular file. Whoever truncates it while it is mapped ends the process, as with every
/// program that maps files; replacing it by a rename does no harm.
pub(crate) fn map(path: &Path) -> io::Result<Arc<Mmap>> {
    // Asked before opening: to open a pipe without a writer would wait for one.
    let metadata = std::fs::metadata(path)?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !metadata.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "not a regular file",
        ));
    }
    let file = File::open(path)?;
    // SAFETY: the bytes are only read, and every access is within the length that was mapped.
    let map = unsafe { Mmap::map(&file)? };
    Ok(Arc::new(map))
}

/// Fills a file under a temporary name, and renames it when it is whole.
pub(crate) fn persist(
    path: &Path,
    fill: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
) -> Result<(), Error> {
    let fail = |source| Error::File {
        path: path.to_owned(),
        source,
    };
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let file = builder().tempfile_in(folder).map_err(fail)?;
    let mut writer = BufWriter::new(file);
    fill(&mut writer).map_err(fail)?;
    let file = writer
        .into_inner()
        .map_err(|error| fail(error.into_error()))?;
    file.persist(path).map_err(|error| fail(error.error))?;
    Ok(())
}

/// Names and permissions of temporary files: those of any file that a user makes.
fn builder() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".quaver-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // The process's umask still applies.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder
}
