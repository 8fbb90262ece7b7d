//! Changing a ring.

use super::super::codec::{hexadecimal, now, shown};
use super::super::disk::{Former, Lock, Secret, check_one_name, exists, mistake};
use super::super::key::{Key, KeyOrigin, random_bytes};
use super::{Entry, KeyEntry, KeyRing, KeyState, Readiness, format};
use crate::error::{Error, Result};
use std::collections::HashSet;
use std::path::Path;

impl KeyRing {
    /// Makes a ring with one new, active key in a new file that only its owner can read (mode 0600 on Unix).
    ///
    /// # Errors
    /// [`Error::Key`] if the file exists or the system has no random bits; [`Error::Io`] if it cannot be written.
    ///
    /// # Guarantee
    /// An existing file is never changed. When this returns, the file is on the disk; when it fails, no file is left behind.
    pub fn create(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let failed = |error| Error::io(path, error);
        // The real folder, as in a ring that is read; the name itself must not exist, not even as a link that leads nowhere.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let name = path.file_name().ok_or_else(|| mistake(path, "it is not the name of a file", "give the path of a new file"))?;
        let path = std::fs::canonicalize(folder).map_err(failed)?.join(name);
        if std::fs::symlink_metadata(&path).is_ok() {
            return Err(exists(&path));
        }
        let lock = Lock::on(&path)?;
        let mut ring = Self { path, entries: Vec::new() };
        ring.add_key()?;
        ring.write(&lock, Former::None)?;
        Ok(ring)
    }

    /// Makes a new active key; the former one is retired. Returns the new id.
    ///
    /// # Errors
    /// [`Error::Key`] if the file is damaged, is another ring by now or has a second name, or the system has no random bits; [`Error::Io`] if it cannot be written.
    /// The file then holds the former ring; the new one only if the last step failed, which makes its name durable.
    pub fn rotate(&mut self) -> Result<String> {
        self.update(Former::Kept, |ring| {
            for entry in ring.entries.iter_mut().filter(|entry| entry.entry.state == KeyState::Active) {
                entry.retire();
            }
            ring.add_key()
        })
    }

    /// Retires a key: no new tokens are made with it. A ring whose active key is retired has none until [`rotate`](Self::rotate); the answer says so.
    ///
    /// # Errors
    /// [`Error::Key`] if there is no such key or it is retired or erased already; otherwise as of [`rotate`](Self::rotate).
    pub fn retire(&mut self, id: &str) -> Result<Readiness> {
        self.update(Former::Kept, |ring| ring.change(id, |state| state == KeyState::Active, Entry::retire))
    }

    /// Erases the secret of a key; its id stays, so that refusals can say what became of it. Tokens that were made with it can never be reversed or made again.
    /// A ring whose active key is erased has none until [`rotate`](Self::rotate); the answer says so.
    ///
    /// # Errors
    /// [`Error::Key`] if there is no such key or it is erased already; otherwise as of [`rotate`](Self::rotate).
    ///
    /// # Security
    /// See [`KeyRing`] for the copies that this does not reach.
    pub fn erase(&mut self, id: &str) -> Result<Readiness> {
        self.update(Former::Wiped, |ring| ring.change(id, |state| state != KeyState::Erased, Entry::erase))
    }

    /// Changes the ring as it is on the disk now, which others may have changed since it was read.
    fn update<T>(&mut self, former: Former, change: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let lock = Lock::on(&self.path)?;
        let mut fresh = Self::from_text(&self.path, Secret::read(&self.path)?.text())?;
        check_one_name(&self.path)?;
        let ids: HashSet<&str> = fresh.entries().map(|entry| entry.id.as_str()).collect();
        if fresh.path != self.path || !self.entries().all(|entry| ids.contains(entry.id.as_str())) {
            return Err(mistake(&self.path, "it is another ring than the one that was read", "open it again"));
        }
        let outcome = change(&mut fresh)?;
        fresh.write(&lock, former)?;
        *self = fresh;
        Ok(outcome)
    }

    fn write(&self, lock: &Lock, former: Former) -> Result<()> {
        let text = format::write(&self.entries).map_err(|damage| mistake(&self.path, damage.problem(), damage.remedy()))?;
        lock.write(text.as_bytes(), former)
    }

    /// Adds an active key, and returns its id.
    fn add_key(&mut self) -> Result<String> {
        let mut id = hexadecimal(&*random_bytes::<8>()?).to_string();
        while self.entries().any(|entry| entry.id == id) {
            id = hexadecimal(&*random_bytes::<8>()?).to_string();
        }
        let key = Key::from_system(KeyOrigin::File { id: id.clone() })?;
        let entry = KeyEntry { id: id.clone(), created: now(), state: KeyState::Active, retired: None, erased: None };
        self.entries.push(Entry { entry, key: Some(key) });
        Ok(id)
    }

    /// Changes one key, unless its state forbids it.
    fn change(&mut self, id: &str, allowed: impl Fn(KeyState) -> bool, change: impl Fn(&mut Entry)) -> Result<Readiness> {
        let state = self.find(id)?.entry.state;
        if !allowed(state) {
            return Err(mistake(&self.path, &format!("{} is {state} already", shown(id)), "nothing was changed"));
        }
        self.entries.iter_mut().filter(|entry| entry.entry.id == id).for_each(change);
        Ok(self.readiness())
    }
}

impl Entry {
    fn retire(&mut self) {
        self.entry.state = KeyState::Retired;
        self.entry.retired = Some(now());
    }

    fn erase(&mut self) {
        self.entry.state = KeyState::Erased;
        self.entry.erased = Some(now());
        // Dropped, and thereby wiped.
        self.key = None;
    }
}
