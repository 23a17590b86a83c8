//! Output files that appear whole or not at all.
//!
//! A file is written under a temporary name beside its place and then renamed. Temporary files
//! are listed in [`PENDING`] while they exist; whoever ends the process on a signal removes them
//! with the list locked, so that no other can appear.

use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::TempPath;

use crate::error::CliError;

/// Temporary files that exist now.
static PENDING: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn pending() -> MutexGuard<'static, Vec<PathBuf>> {
    PENDING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes every temporary file, then runs `last` while none can be made.
pub(crate) fn discard_pending(last: impl FnOnce()) {
    let mut files = pending();
    for file in files.drain(..) {
        // Nothing can be done about a file that does not go.
        let _ = std::fs::remove_file(file);
    }
    last();
}

/// Runs `work`, which writes files in a way of its own, without a signal's end in between.
pub(crate) fn uninterrupted<T>(work: impl FnOnce() -> T) -> T {
    let _files = pending();
    work()
}

/// Checks that files of those names can be made or replaced below a folder, which need not exist.
///
/// # Errors
/// [`CliError::Write`] naming what is in the way.
pub(crate) fn check_folder(folder: &Path, files: &[&str]) -> Result<(), CliError> {
    let fail = |path: &Path, kind: ErrorKind| CliError::write(path)(kind.into());
    for file in files {
        let file = folder.join(file);
        if file.is_dir() {
            return Err(fail(&file, ErrorKind::IsADirectory));
        }
        // What exists above the file must be folders, and the innermost of them writable.
        for above in file.ancestors().skip(1) {
            let above = match above.as_os_str().is_empty() {
                true => Path::new("."),
                false => above,
            };
            if above.is_dir() {
                tempfile::tempfile_in(above).map_err(CliError::write(above))?;
                break;
            }
            if above.symlink_metadata().is_ok() {
                return Err(fail(above, ErrorKind::NotADirectory));
            }
        }
    }
    Ok(())
}

/// Where a result will go: checked before the work, written after it.
#[derive(Debug)]
pub(crate) struct Output {
    /// As given on the command line, for messages.
    path: PathBuf,
    /// The file itself, behind symbolic links.
    file: PathBuf,
    /// Devices and pipes are written in place: renaming would put a file where they are.
    in_place: bool,
}

impl Output {
    /// Checks that a file can be made or replaced there.
    ///
    /// # Errors
    /// [`CliError::Write`] naming the path.
    pub(crate) fn check(path: &Path) -> Result<Self, CliError> {
        let fail = |kind: ErrorKind| CliError::write(path)(kind.into());
        let mut output = Self {
            path: path.to_owned(),
            file: path.to_owned(),
            in_place: false,
        };
        match std::fs::metadata(path) {
            Ok(found) if found.is_dir() => return Err(fail(ErrorKind::IsADirectory)),
            Ok(found) if found.is_file() => {
                if found.permissions().readonly() {
                    return Err(fail(ErrorKind::PermissionDenied));
                }
                output.file = path.canonicalize().map_err(CliError::write(path))?;
            }
            Ok(_) => output.in_place = true,
            Err(_) if path.file_name().is_none() => {
                return Err(fail(ErrorKind::InvalidFilename));
            }
            Err(_) => {}
        }
        if !output.in_place {
            // This file has no name, or loses it at once: a probe that leaves nothing behind.
            tempfile::tempfile_in(output.folder()).map_err(CliError::write(path))?;
        }
        Ok(output)
    }

    /// The path as given.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the file: `fill` gets a buffered writer.
    ///
    /// # Errors
    /// [`CliError::Write`] naming the path; the place then holds what it held before.
    pub(crate) fn write(
        &self,
        fill: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
    ) -> Result<(), CliError> {
        let pending = self.begin()?;
        std::fs::OpenOptions::new()
            .write(true)
            .open(pending.path())
            .and_then(|file| {
                let mut writer = BufWriter::with_capacity(1 << 16, file);
                fill(&mut writer)?;
                writer.flush()
            })
            .map_err(CliError::write(&self.path))?;
        pending.commit()
    }

    /// Makes an empty temporary file beside the place, for a writer that wants a path.
    ///
    /// # Errors
    /// [`CliError::Write`] naming the path.
    pub(crate) fn begin(&self) -> Result<Pending<'_>, CliError> {
        let temporary = match self.in_place {
            true => None,
            false => {
                let mut files = pending();
                let temporary = builder()
                    .tempfile_in(self.folder())
                    .map_err(CliError::write(&self.path))?
                    .into_temp_path();
                files.push(temporary.to_path_buf());
                Some(temporary)
            }
        };
        Ok(Pending {
            output: self,
            temporary,
        })
    }

    fn folder(&self) -> &Path {
        match self.file.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        }
    }
}

/// An output that is being written. Without a commit it is as if it had never begun.
#[derive(Debug)]
pub(crate) struct Pending<'a> {
    output: &'a Output,
    temporary: Option<TempPath>,
}

impl Pending<'_> {
    /// The file to write.
    pub(crate) fn path(&self) -> &Path {
        self.temporary.as_deref().unwrap_or(&self.output.file)
    }

    /// Puts the file in its place.
    ///
    /// # Errors
    /// [`CliError::Write`] naming the path.
    pub(crate) fn commit(mut self) -> Result<(), CliError> {
        let mut files = pending();
        let Some(temporary) = self.temporary.take() else {
            return Ok(());
        };
        files.retain(|file| *file != *temporary);
        temporary
            .persist(&self.output.file)
            .map_err(|error| CliError::write(&self.output.path)(error.error))
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        if let Some(temporary) = self.temporary.take() {
            let mut files = pending();
            files.retain(|file| *file != *temporary);
            // A file that does not go is one that somebody else took away.
            let _ = temporary.close();
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_write_leaves_the_old_file_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        std::fs::write(&path, "old").unwrap();
        let output = Output::check(&path).unwrap();
        output
            .write(|w| {
                w.write_all(b"half")?;
                Err(ErrorKind::StorageFull.into())
            })
            .unwrap_err();
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        output.write(|w| w.write_all(b"new")).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(pending().is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn devices_are_written_in_place() {
        let output = Output::check(Path::new("/dev/null")).unwrap();
        output.write(|w| w.write_all(b"gone")).unwrap();
        assert!(!std::fs::metadata("/dev/null").unwrap().is_file());
    }

    #[cfg(unix)]
    #[test]
    fn symbolic_links_stay_links() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        std::fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let output = Output::check(&link).unwrap();
        output.write(|w| w.write_all(b"new")).unwrap();
        assert!(link.is_symlink());
        assert_eq!(std::fs::read(&file).unwrap(), b"new");
    }
}
