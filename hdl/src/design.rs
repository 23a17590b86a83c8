//! A generated design: its files, and the ports of its top.

use std::io::Write as _;
use std::path::Path;

use crate::HdlError;

/// Which way a port goes, seen from the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Driven from outside.
    Input,
    /// Driven by the module.
    Output,
}

/// A port of the top, with its width resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Name, with its `_i`, `_o` or `_ni`.
    pub name: String,
    /// Number of bits, at least 1.
    pub width: u32,
    /// Direction.
    pub direction: Direction,
}

/// One file of a design.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesignFile {
    /// Path below the design's folder, with forward slashes.
    pub path: String,
    /// The text.
    pub contents: String,
}

/// A complete, self-contained design.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Design {
    /// Name of the top module.
    pub top: String,
    /// The configuration that it was generated from; for a single unit, the unit's name.
    pub config_name: String,
    /// All files, Verilog in dependency order: a module comes after those it instantiates.
    pub files: Vec<DesignFile>,
    /// Ports of the top, in the order of its declaration.
    pub ports: Vec<Port>,
}

impl Design {
    /// The Verilog files, in dependency order.
    pub fn verilog(&self) -> impl Iterator<Item = &DesignFile> {
        self.files.iter().filter(|f| f.path.ends_with(".v"))
    }

    /// Paths of the Verilog files, in dependency order.
    pub fn verilog_paths(&self) -> impl Iterator<Item = &str> {
        self.verilog().map(|f| f.path.as_str())
    }

    /// The top's inputs.
    pub fn inputs(&self) -> impl Iterator<Item = &Port> {
        self.ports_of(Direction::Input)
    }

    /// The top's outputs.
    pub fn outputs(&self) -> impl Iterator<Item = &Port> {
        self.ports_of(Direction::Output)
    }

    /// The file at that path below the design's folder.
    pub fn file(&self, path: &str) -> Option<&DesignFile> {
        self.files.iter().find(|f| f.path == path)
    }

    /// The top's port of that name.
    pub fn port(&self, name: &str) -> Option<&Port> {
        self.ports.iter().find(|p| p.name == name)
    }

    /// Writes every file below `directory`, which is made when it is not there. Each file appears
    /// whole or not at all: it is written beside its place under a temporary name, then renamed.
    /// A file that already has the contents keeps its time stamp; other files in the folder stay.
    ///
    /// # Errors
    /// [`HdlError::Write`] with the first file or folder that could not be written.
    pub fn write_to(&self, directory: &Path) -> Result<(), HdlError> {
        for file in &self.files {
            write_whole(&directory.join(&file.path), &file.contents)?;
        }
        Ok(())
    }

    fn ports_of(&self, direction: Direction) -> impl Iterator<Item = &Port> {
        self.ports.iter().filter(move |p| p.direction == direction)
    }
}

fn write_whole(path: &Path, contents: &str) -> Result<(), HdlError> {
    let fail = |action: &'static str, at: &Path| {
        let path = at.to_owned();
        move |source| HdlError::Write {
            action,
            path,
            source,
        }
    };
    if std::fs::read(path).is_ok_and(|old| old == contents.as_bytes()) {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(fail("make the folder", folder))?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".quaver-");
    readable_by_all(&mut builder);
    let mut temporary = builder
        .tempfile_in(folder)
        .map_err(fail("make a temporary file in", folder))?;
    temporary
        .write_all(contents.as_bytes())
        .map_err(fail("write", path))?;
    temporary
        .persist(path)
        .map_err(|e| fail("write", path)(e.error))?;
    Ok(())
}

/// Gives the file the usual permissions: temporary files are private unless told otherwise.
#[cfg(unix)]
fn readable_by_all(builder: &mut tempfile::Builder<'_, '_>) {
    use std::os::unix::fs::PermissionsExt as _;
    // The process's umask still applies.
    builder.permissions(std::fs::Permissions::from_mode(0o666));
}

#[cfg(not(unix))]
fn readable_by_all(_: &mut tempfile::Builder<'_, '_>) {}
