//! Built simulations, kept by content: the same sources, tools and flags are built once.
//!
//! An entry is a folder with the artefact and its SHA-256. It is built in a temporary folder
//! beside its place and renamed into it, under a file lock, so that programs which start at once
//! build once and none ever sees half an entry. An entry that does not match its digest is built
//! anew. What an interrupted build left behind goes when the next one begins. Any entry may be
//! deleted at any time that no build is running.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::CosimError;

/// The file of an entry that holds the artefact's SHA-256.
const DIGEST: &str = "sha256";
/// How names of temporary folders begin; the entry's name follows.
const BUILD: &str = ".build-";
const ENTRY: &str = ".entry-";

/// A folder of built simulations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    root: PathBuf,
}

/// What an entry is made from.
pub(crate) struct Key {
    label: String,
    hasher: Sha256,
}

impl Key {
    /// A key whose entry's folder begins with `label`.
    pub(crate) fn new(label: &str) -> Self {
        Self {
            label: label.to_owned(),
            hasher: Sha256::new(),
        }
    }

    /// Adds a part; parts cannot run into each other.
    pub(crate) fn add(mut self, part: &str) -> Self {
        self.hasher.update((part.len() as u64).to_le_bytes());
        self.hasher.update(part);
        self
    }

    fn folder(self) -> String {
        format!("{}-{}", self.label, hex(&self.hasher.finalize()))
    }
}

impl Cache {
    /// The cache in that folder, which is made when it is first needed.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// `$QUAVER_CACHE`, else `$XDG_CACHE_HOME/quaver`, else `$HOME/.cache/quaver`. Variables that
    /// are empty count as unset.
    ///
    /// # Errors
    /// [`CosimError::NoCache`] when all three are unset.
    pub fn from_environment() -> Result<Self, CosimError> {
        let variable = |name| {
            let value = std::env::var_os(name).filter(|v| !v.is_empty());
            value.map(PathBuf::from)
        };
        variable("QUAVER_CACHE")
            .or_else(|| variable("XDG_CACHE_HOME").map(|p| p.join("quaver")))
            .or_else(|| variable("HOME").map(|p| p.join(".cache").join("quaver")))
            .map(Self::at)
            .ok_or(CosimError::NoCache)
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The artefact of that name for that key. When there is none, `build` makes it: it gets an
    /// empty folder to work in and must leave the artefact there.
    pub(crate) fn artefact(
        &self,
        key: Key,
        name: &str,
        build: impl FnOnce(&Path) -> Result<(), CosimError>,
    ) -> Result<PathBuf, CosimError> {
        let folder = key.folder();
        let entry = self.root.join(&folder);
        let artefact = entry.join(name);
        if is_whole(&entry, name) {
            return Ok(artefact);
        }
        fs::create_dir_all(&self.root).map_err(CosimError::io("make the folder", &self.root))?;
        let lock_path = self.root.join(format!("{folder}.lock"));
        let lock = File::create(&lock_path).map_err(CosimError::io("make", &lock_path))?;
        // Released when `lock` is closed, even if this process is killed.
        lock.lock().map_err(CosimError::io("lock", &lock_path))?;
        if is_whole(&entry, name) {
            return Ok(artefact);
        }
        if entry.exists() {
            fs::remove_dir_all(&entry)
                .map_err(CosimError::io("remove the damaged entry", &entry))?;
        }
        self.sweep(&folder);
        let temporary = |prefix: &str| {
            tempfile::Builder::new()
                .prefix(&format!("{prefix}{folder}."))
                .tempdir_in(&self.root)
                .map_err(CosimError::io("make a temporary folder in", &self.root))
        };
        let work = temporary(BUILD)?;
        build(work.path())?;
        let finished = temporary(ENTRY)?;
        let (built, kept) = (work.path().join(name), finished.path().join(name));
        fs::rename(&built, &kept).map_err(CosimError::io("move", &built))?;
        let digest = digest_of(&kept).map_err(CosimError::io("read", &kept))?;
        let digest_path = finished.path().join(DIGEST);
        fs::write(&digest_path, digest).map_err(CosimError::io("write", &digest_path))?;
        // From here on the folder is the entry's, not a temporary one.
        let finished = finished.keep();
        fs::rename(&finished, &entry).map_err(CosimError::io("make", &entry))?;
        Ok(artefact)
    }

    /// Removes the temporary folders of builds that no longer run: those of entry `own`, whose lock the caller
    /// has, and those whose lock nobody has.
    fn sweep(&self, own: &str) {
        let Ok(found) = fs::read_dir(&self.root) else {
            return;
        };
        for found in found.flatten() {
            let name = found.file_name();
            let name = name.to_string_lossy();
            let of = name.strip_prefix(BUILD).or(name.strip_prefix(ENTRY));
            let Some((entry, _)) = of.and_then(|of| of.rsplit_once('.')) else {
                continue;
            };
            let lock = File::open(self.root.join(format!("{entry}.lock")));
            if entry == own || lock.as_ref().is_ok_and(|lock| lock.try_lock().is_ok()) {
                // What does not go now goes another time.
                let _ = fs::remove_dir_all(found.path());
            }
        }
    }
}

/// Whether the entry holds the artefact that was built.
fn is_whole(entry: &Path, name: &str) -> bool {
    let Ok(expected) = fs::read_to_string(entry.join(DIGEST)) else {
        return false;
    };
    digest_of(&entry.join(name)).is_ok_and(|found| found == expected)
}

fn digest_of(path: &Path) -> std::io::Result<String> {
    Ok(hex(&Sha256::digest(fs::read(path)?)))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Key {
        Key::new("test").add(text)
    }

    fn build_of(text: &'static str) -> impl FnOnce(&Path) -> Result<(), CosimError> {
        move |folder| {
            let path = folder.join("artefact");
            fs::write(&path, text).map_err(CosimError::io("write", &path))
        }
    }

    fn refuse(_: &Path) -> Result<(), CosimError> {
        panic!("built although the entry is whole")
    }

    #[test]
    fn entry_is_built_once_and_parts_do_not_run_together() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path().join("not").join("yet"));
        let path = cache
            .artefact(key("a"), "artefact", build_of("one"))
            .unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one");
        assert_eq!(cache.artefact(key("a"), "artefact", refuse).unwrap(), path);
        let other = Key::new("test").add("").add("a");
        assert_ne!(
            cache.artefact(other, "artefact", build_of("two")).unwrap(),
            path
        );
    }

    #[test]
    fn damaged_entries_are_rebuilt() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path());
        type Damage = fn(&Path);
        let damages: [(&str, Damage); 5] = [
            ("artefact cut", |e| {
                fs::write(e.join("artefact"), "o").unwrap()
            }),
            ("artefact gone", |e| {
                fs::remove_file(e.join("artefact")).unwrap()
            }),
            ("digest gone", |e| fs::remove_file(e.join(DIGEST)).unwrap()),
            ("digest cut", |e| fs::write(e.join(DIGEST), "00").unwrap()),
            ("all gone", |e| fs::remove_dir_all(e).unwrap()),
        ];
        let path = cache
            .artefact(key("a"), "artefact", build_of("one"))
            .unwrap();
        for (what, damage) in damages {
            damage(path.parent().unwrap());
            let again = cache.artefact(key("a"), "artefact", build_of("one"));
            assert_eq!(fs::read_to_string(again.unwrap()).unwrap(), "one", "{what}");
            cache.artefact(key("a"), "artefact", refuse).unwrap();
        }
    }

    #[test]
    fn interrupted_builds_are_removed_by_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path());
        let leave = |kind: &str, entry: &str| {
            let left = folder.path().join(format!("{kind}{entry}.abc"));
            fs::create_dir(&left).unwrap();
            fs::write(left.join("half"), "h").unwrap();
            left
        };
        let lock = |entry: &str| File::create(folder.path().join(format!("{entry}.lock"))).unwrap();
        let (own, other, running) = (key("a").folder(), key("b").folder(), key("c").folder());
        lock(&other);
        let held = lock(&running);
        held.lock().unwrap();
        let gone = [leave(BUILD, &own), leave(ENTRY, &own), leave(BUILD, &other)];
        let kept = leave(BUILD, &running);
        cache
            .artefact(key("a"), "artefact", build_of("one"))
            .unwrap();
        assert!(gone.iter().all(|left| !left.exists()));
        assert!(kept.join("half").exists());
    }

    #[test]
    fn failed_build_leaves_no_entry() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path());
        let failed = cache.artefact(key("a"), "artefact", |_| Err(CosimError::NoCache));
        assert!(matches!(failed, Err(CosimError::NoCache)));
        cache
            .artefact(key("a"), "artefact", build_of("one"))
            .unwrap();
        let left: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.starts_with('.'))
            .collect();
        assert!(left.is_empty(), "{left:?}");
    }
}
