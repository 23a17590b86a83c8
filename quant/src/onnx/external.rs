//! Files of tensors beside a model.

use std::collections::BTreeMap;
use std::io::Error;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use memmap2::Mmap;

use crate::files::map;

/// Files of tensors beside a model.
#[derive(Debug, Default)]
pub(super) struct Externals {
    /// The model's folder; `None` for a model that is no file.
    folder: Option<PathBuf>,
    open: BTreeMap<PathBuf, Arc<Mmap>>,
}

impl Externals {
    /// Beside a model in that folder.
    pub(super) const fn beside(folder: Option<PathBuf>) -> Self {
        Self {
            folder,
            open: BTreeMap::new(),
        }
    }

    /// The file of that location, which must be below the model's folder, symbolic links followed.
    pub(super) fn get(&mut self, location: &str) -> Result<Arc<Mmap>, String> {
        let Some(folder) = &self.folder else {
            return Err("a model that is no file has no files beside it".to_owned());
        };
        let inside = |component| matches!(component, Component::Normal(_) | Component::CurDir);
        let relative = Path::new(location);
        if !relative.components().all(inside) {
            return Err("is not a relative path below the model's folder".to_owned());
        }
        let fail = |error: Error| format!("cannot read {location:?}: {error}");
        let folder = folder.canonicalize().map_err(fail)?;
        let path = folder.join(relative).canonicalize().map_err(fail)?;
        if !path.starts_with(&folder) {
            return Err(format!("{location:?} leads out of the model's folder"));
        }
        if let Some(map) = self.open.get(&path) {
            return Ok(Arc::clone(map));
        }
        let map = map(&path).map_err(fail)?;
        self.open.insert(path, Arc::clone(&map));
        Ok(map)
    }
}
