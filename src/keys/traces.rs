//! Looks for what keys leave behind in memory, through `/proc/self/mem`.

use super::{Domain, Key};
use std::fs::File;
use std::hint::black_box;
use std::io::{Read, Seek, SeekFrom};

/// How often a secret is in this thread's stack and in the heap around it. The secret is given masked, so that the test itself does not hold it.
fn traces(masked: &[u8; 32]) -> usize {
    let mut bytes = vec![0_u8; 1 << 16];
    let places = [std::ptr::from_ref(masked).addr(), bytes.as_ptr().addr()];
    let mut memory = File::open("/proc/self/mem").unwrap();
    let mut found = 0;
    for line in std::fs::read_to_string("/proc/self/maps").unwrap().lines() {
        let (range, rest) = line.split_once(' ').unwrap();
        let (from, to) = range.split_once('-').unwrap();
        let (from, to) = (usize::from_str_radix(from, 16).unwrap(), usize::from_str_radix(to, 16).unwrap());
        if !rest.starts_with("rw") || !places.iter().any(|place| (from..to).contains(place)) {
            continue;
        }
        let mut at = from;
        // Windows overlap, so that nothing is cut in two. The window itself lies in the heap, and is looked at after it was filled with something else.
        while at < to {
            let length = bytes.len().min(to - at);
            memory.seek(SeekFrom::Start(at as u64)).unwrap();
            if memory.read_exact(&mut bytes[..length]).is_err() {
                break;
            }
            found += bytes[..length].windows(32).filter(|window| window.iter().zip(masked).all(|(a, b)| a ^ b == 0xff)).count();
            bytes.fill(0);
            at += length.saturating_sub(31).max(1);
            if length < bytes.len() {
                break;
            }
        }
    }
    found
}

/// What `make` gives, masked; made in another thread, whose stack and arena this one does not see.
fn masked(make: impl Fn() -> Key + Send + 'static) -> [u8; 32] {
    std::thread::spawn(move || make().expose().map(|byte| byte ^ 0xff)).join().unwrap()
}

/// Runs far down the stack, where the search that comes afterwards writes nothing over.
#[inline(never)]
fn deep(use_it: impl FnOnce()) {
    let above = black_box([0_u8; 1 << 14]);
    use_it();
    black_box(above);
}

/// Runs in a thread of its own, with a stack that nothing has used before.
fn traces_of(make: impl Fn() -> Key + Send + Copy + 'static, use_it: impl FnOnce() + Send + 'static) -> usize {
    let masked = masked(make);
    std::thread::spawn(move || {
        deep(use_it);
        traces(black_box(&masked))
    })
    .join()
    .unwrap()
}

/// A key that no test writes out.
fn master() -> Key {
    Key::from_bytes([3; 32]).derive(&Domain::of("traces"))
}

fn derived() -> Key {
    master().derive(&Domain::of("pseudonym"))
}

fn moved(key: Key) -> Key {
    black_box(key)
}

#[test]
fn a_derived_key_leaves_nothing_behind() {
    assert_eq!(traces_of(derived, || drop(black_box(derived()))), 0);
    assert_eq!(traces_of(derived, || drop(moved(moved(derived())))), 0, "moved");
    assert_eq!(traces_of(derived, || drop(black_box(derived().duplicate()))), 0, "duplicated");
    assert_eq!(traces_of(master, || drop(black_box(derived()))), 0, "its master key");
    let salted = || master().irreversible_with(&[9; 32]);
    assert_eq!(traces_of(salted, move || drop(black_box(salted()))), 0, "with a salt");
}

/// Secrets of the next test, which leaves them behind: each one is used once, and by no other test.
fn left<const NUMBER: u8>() -> Key {
    Key::from_bytes([NUMBER; 32]).derive(&Domain::of("traces that are left"))
}

#[inline(never)]
fn copied_on_the_stack() -> u8 {
    let copy: [u8; 32] = black_box(*left::<3>().expose());
    copy[0]
}

/// What the test above must catch.
#[test]
fn copies_are_found() {
    let forgotten_on_the_heap = || std::mem::forget(black_box(vec![*left::<1>().expose()]));
    assert!(traces_of(left::<1>, forgotten_on_the_heap) > 0);
    let kept = || std::mem::forget(black_box(left::<2>()));
    assert!(traces_of(left::<2>, kept) > 0);
    let on_the_stack = || {
        black_box(copied_on_the_stack());
    };
    assert!(traces_of(left::<3>, on_the_stack) > 0);
}

#[test]
fn a_key_file_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ring");
    let id = super::KeyRing::create(&path).unwrap().active().unwrap().origin().id().unwrap().to_owned();
    let (first, second) = (path.clone(), path.clone());
    let secret = masked(move || super::open(&first).unwrap().active().unwrap());
    let found = std::thread::spawn(move || {
        let mut ring = super::KeyRing::from_file(&second).unwrap();
        ring.rotate().unwrap();
        drop(black_box(ring.key(&id).unwrap()));
        assert!(traces(&secret) > 0, "the ring still has it");
        let _readiness = ring.erase(&id).unwrap();
        traces(&secret)
    });
    assert_eq!(found.join().unwrap(), 0);
}
