//! A file system in memory that loses what was not synchronized, tears what was half written, and lets writers take turns in a random order.

use super::storage::{Storage, sibling};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

/// A step of the protocol that is left out, to see that the tests notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Broken {
    Nothing,
    /// The content is not made durable before the rename.
    NoSync,
    /// The new name is not made durable before the debit counts.
    NoSyncFolder,
    /// Writers do not wait for each other.
    NoLock,
    /// The former file is written over instead of being exchanged.
    InPlace,
}

#[derive(Debug, Clone, Default)]
struct File {
    content: Vec<u8>,
    durable: Vec<u8>,
}

#[derive(Debug, Clone)]
enum Name {
    Set(PathBuf, usize),
    Move(PathBuf, PathBuf, usize),
    Remove(PathBuf),
}

fn apply(names: &mut BTreeMap<PathBuf, usize>, change: &Name) {
    match change {
        Name::Set(path, file) => drop(names.insert(path.clone(), *file)),
        Name::Move(from, to, file) => {
            names.remove(from);
            names.insert(to.clone(), *file);
        }
        Name::Remove(path) => drop(names.remove(path)),
    }
}

#[derive(Debug)]
struct State {
    rng: ChaCha8Rng,
    broken: Broken,
    files: Vec<File>,
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    /// Changes of names since the folder was last made durable.
    pending: Vec<Name>,
    holder: Option<usize>,
    /// The writers that still take turns, and whose turn it is.
    active: Vec<bool>,
    turn: usize,
    steps: usize,
    /// At this step the machine stops; at that one this writer is killed.
    crash_at: Option<usize>,
    kill: Option<(usize, usize)>,
    /// One operation in so many fails.
    failing: Option<u32>,
    stopped: bool,
}

impl State {
    /// Hands the turn to one of those who can go on.
    fn pass(&mut self) {
        let ready: Vec<usize> = (0..self.active.len()).filter(|writer| self.active[*writer]).collect();
        if !ready.is_empty() {
            self.turn = ready[self.rng.random_range(0..ready.len())];
        }
    }

    fn dead(&self, writer: usize) -> bool {
        self.stopped || self.kill.is_some_and(|(step, killed)| killed == writer && self.steps >= step)
    }

    /// What a power failure leaves: any part of what was not made durable.
    fn lose(&mut self) {
        let mut names = self.durable_names.clone();
        let journaled = self.rng.random_bool(0.5);
        let until = self.rng.random_range(0..=self.pending.len());
        for (at, change) in self.pending.iter().enumerate() {
            if if journaled { at < until } else { self.rng.random_bool(0.5) } {
                apply(&mut names, change);
            }
        }
        for file in &mut self.files {
            if file.content != file.durable {
                let length = self.rng.random_range(0..=file.content.len());
                match self.rng.random_range(0..5) {
                    0 => file.content.clone_from(&file.durable),
                    1 => file.content.truncate(length),
                    2 => file.content[length..].fill(0),
                    3 => {
                        // Some blocks are new, the others are still the former ones.
                        for (at, byte) in file.content.iter_mut().enumerate() {
                            if (at / 64) % 2 == 0 {
                                *byte = file.durable.get(at).copied().unwrap_or(0);
                            }
                        }
                    }
                    _ => {}
                }
            }
            file.durable.clone_from(&file.content);
        }
        self.names.clone_from(&names);
        self.durable_names = names;
        self.pending.clear();
        self.holder = None;
    }
}

/// What can go wrong in one run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Faults {
    pub(super) broken: Broken,
    pub(super) crash_at: Option<usize>,
    /// At this step this writer is killed.
    pub(super) kill: Option<(usize, usize)>,
    /// One operation in so many fails.
    pub(super) failing: Option<u32>,
}

#[derive(Debug)]
pub(super) struct Machine {
    state: Mutex<State>,
    turns: Condvar,
}

impl Machine {
    pub(super) fn new(seed: u64, writers: usize) -> Arc<Self> {
        let state = State {
            rng: ChaCha8Rng::seed_from_u64(seed),
            broken: Broken::Nothing,
            files: Vec::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            pending: Vec::new(),
            holder: None,
            active: vec![false; writers],
            turn: 0,
            steps: 0,
            crash_at: None,
            kill: None,
            failing: None,
            stopped: false,
        };
        Arc::new(Self { state: Mutex::new(state), turns: Condvar::new() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no writer panics inside")
    }

    /// Lets the writers run under these faults.
    pub(super) fn start(&self, faults: Faults) {
        let mut state = self.state();
        state.active.fill(true);
        (state.steps, state.crash_at, state.kill) = (0, faults.crash_at, faults.kill);
        (state.failing, state.broken) = (faults.failing, faults.broken);
        state.pass();
    }

    /// The machine starts again, after a power failure or a proper stop. Only the first writer takes turns until [`Self::start`].
    pub(super) fn restart(&self, power_failure: bool) {
        let mut state = self.state();
        if power_failure || state.stopped {
            state.lose();
        }
        state.active.fill(false);
        state.active[0] = true;
        (state.turn, state.steps, state.crash_at, state.kill, state.failing) = (0, 0, None, None, None);
        (state.stopped, state.holder) = (false, None);
    }

    /// The writer takes no more turns.
    pub(super) fn leave(&self, writer: usize) {
        let mut state = self.state();
        state.active[writer] = false;
        if state.holder == Some(writer) {
            state.holder = None;
        }
        state.pass();
        drop(state);
        self.turns.notify_all();
    }

    pub(super) fn writer(self: &Arc<Self>, number: usize) -> Arc<Writer> {
        Arc::new(Writer { machine: Arc::clone(self), number })
    }

    /// One operation of a writer, when it is its turn.
    fn step<T>(&self, writer: usize, operation: impl FnOnce(&mut State) -> Result<T>) -> Result<T> {
        let gone = || Error::other("the process is gone");
        let mut state = self.turns.wait_while(self.state(), |state| state.turn != writer && !state.stopped).expect("no writer panics");
        if state.dead(writer) {
            return Err(gone());
        }
        state.steps += 1;
        let before = state.rng.random_bool(0.5);
        let stops = state.crash_at == Some(state.steps);
        let killed = state.kill.is_some_and(|(step, killed)| killed == writer && state.steps >= step);
        let fails = state.failing.is_some_and(|one_in| state.rng.random_ratio(1, one_in));
        let result =
            if (stops || killed || fails) && before { Err(Error::other("the operation was interrupted")) } else { operation(&mut state) };
        if stops {
            state.stopped = true;
        }
        if killed && state.holder == Some(writer) {
            state.holder = None;
        }
        state.pass();
        drop(state);
        self.turns.notify_all();
        if stops || killed {
            return Err(gone());
        }
        if fails { Err(Error::other("the operation failed")) } else { result }
    }
}

/// One process on the machine.
#[derive(Debug)]
pub(super) struct Writer {
    machine: Arc<Machine>,
    number: usize,
}

/// The lock, until it is dropped.
#[derive(Debug)]
struct Held {
    machine: Arc<Machine>,
    writer: usize,
}

impl Drop for Held {
    fn drop(&mut self) {
        // It takes no turn, as the lock of a process that ends does not.
        let mut state = self.machine.state();
        if state.holder == Some(self.writer) {
            state.holder = None;
        }
    }
}

fn missing() -> Error {
    Error::from(ErrorKind::NotFound)
}

impl Writer {
    fn step<T>(&self, operation: impl FnOnce(&mut State) -> Result<T>) -> Result<T> {
        self.machine.step(self.number, operation)
    }
}

impl Storage for Writer {
    fn lock(&self, _path: &Path) -> Result<Box<dyn Debug>> {
        loop {
            let taken = self.step(|state| {
                let free = state.holder.is_none() || state.broken == Broken::NoLock;
                if free {
                    state.holder = Some(self.number);
                }
                Ok(free)
            })?;
            if taken {
                return Ok(Box::new(Held { machine: Arc::clone(&self.machine), writer: self.number }));
            }
        }
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>> {
        self.step(|state| state.names.get(path).map(|file| state.files[*file].content.clone()).ok_or_else(missing))
    }

    fn create(&self, path: &Path, content: &[u8]) -> Result<()> {
        let file = self.step(|state| {
            if state.names.contains_key(path) {
                return Err(Error::from(ErrorKind::AlreadyExists));
            }
            let file = state.files.len();
            state.files.push(File::default());
            let change = Name::Set(path.to_owned(), file);
            apply(&mut state.names, &change);
            state.pending.push(change);
            Ok(file)
        })?;
        // The content arrives in two pieces, and the writer may be gone in between.
        for part in content.chunks(content.len() / 2 + 1) {
            self.step(|state| {
                state.files[file].content.extend_from_slice(part);
                Ok(())
            })?;
        }
        Ok(())
    }

    fn sync(&self, path: &Path) -> Result<()> {
        self.step(|state| {
            let file = *state.names.get(path).ok_or_else(missing)?;
            if state.broken != Broken::NoSync {
                // A synchronization that is reported as failed may have written anything: the caller sees the error, the file is never used.
                state.files[file].durable = state.files[file].content.clone();
            }
            Ok(())
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        if self.machine.state().broken == Broken::InPlace {
            let content = self.step(|state| state.names.get(from).map(|file| state.files[*file].content.clone()).ok_or_else(missing))?;
            let half = content.len() / 2;
            for part in [&content[..half], &content[..]] {
                self.step(|state| {
                    let file = *state.names.get(to).ok_or_else(missing)?;
                    state.files[file].content = part.to_vec();
                    Ok(())
                })?;
            }
            return self.sync(to);
        }
        self.step(|state| {
            let file = *state.names.get(from).ok_or_else(missing)?;
            let change = Name::Move(from.to_owned(), to.to_owned(), file);
            apply(&mut state.names, &change);
            state.pending.push(change);
            Ok(())
        })
    }

    fn rename_new(&self, from: &Path, to: &Path) -> Result<()> {
        self.step(|state| {
            if state.names.contains_key(to) {
                return Err(Error::from(ErrorKind::AlreadyExists));
            }
            let file = *state.names.get(from).ok_or_else(missing)?;
            let change = Name::Move(from.to_owned(), to.to_owned(), file);
            apply(&mut state.names, &change);
            state.pending.push(change);
            Ok(())
        })
    }

    fn remove(&self, path: &Path) -> Result<()> {
        self.step(|state| {
            state.names.get(path).ok_or_else(missing)?;
            let change = Name::Remove(path.to_owned());
            apply(&mut state.names, &change);
            state.pending.push(change);
            Ok(())
        })
    }

    fn sync_folder(&self, _path: &Path) -> Result<()> {
        self.step(|state| {
            if state.broken != Broken::NoSyncFolder {
                state.durable_names = state.names.clone();
                state.pending.clear();
            }
            Ok(())
        })
    }
}

/// The simulation loses and keeps what a real machine may.
#[test]
fn what_was_not_synchronized_may_be_lost_and_what_was_is_kept() {
    let (path, mut kept_torn, mut kept_former) = (Path::new("folder/ledger"), 0, 0);
    for seed in 0..200 {
        let machine = Machine::new(seed, 1);
        machine.restart(false);
        let disk = machine.writer(0);
        disk.create(&sibling(path, "new"), b"former").unwrap();
        disk.sync(&sibling(path, "new")).unwrap();
        disk.rename_new(&sibling(path, "new"), path).unwrap();
        disk.sync_folder(path).unwrap();
        disk.create(&sibling(path, "new"), b"another").unwrap();
        disk.rename(&sibling(path, "new"), path).unwrap();
        machine.restart(true);
        match disk.read(path).unwrap().as_slice() {
            b"former" => kept_former += 1,
            b"another" => {}
            _ => kept_torn += 1,
        }
    }
    assert!(kept_torn > 20 && kept_former > 20, "{kept_torn} {kept_former}");
}
