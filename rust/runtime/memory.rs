//! The bytes that this process may still use, and vectors whose memory may be refused.

use std::fs;
use std::path::{Path, PathBuf};

use super::tuning::{CHECKED, SMALL, SMALL_OF_LAYER};
use crate::error::{Error, Result};

/// Bytes that this process may still use: the least of what the machine has left, what each control
/// group (version 1 or 2) around the process leaves, and what its own limits (`ulimit -v`, `-d`) do.
/// `None` where the system does not say.
#[must_use]
pub fn available() -> Option<u64> {
    available_under(Path::new("/"))
}

/// [`available`], with the system's files looked up under another root: what its test needs.
#[must_use]
pub fn available_under(root: &Path) -> Option<u64> {
    let machine = fs::read_to_string(root.join("proc/meminfo"))
        .ok()
        .and_then(|text| field(&text, "MemAvailable:"))
        .and_then(|kilobytes| kilobytes.checked_mul(1024));
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let groups = groups.lines().filter_map(|line| group_left(root, line));
    machine.into_iter().chain(groups).chain(limits_left(root)).min()
}

/// Refuses a need that is larger than the available memory.
///
/// # Errors
/// `Error::Memory` with both byte counts.
pub fn check(needed: u64) -> Result<()> {
    match available() {
        Some(available) if needed > available => Err(Error::Memory { needed, available }),
        _ => Ok(()),
    }
}

/// As [`check`], which is asked only where the need is large.
///
/// # Errors
/// `Error::Memory` with both byte counts.
pub fn check_large(needed: u64) -> Result<()> {
    if needed >= CHECKED as u64 { check(needed) } else { Ok(()) }
}

/// Bytes of `len` elements.
///
/// # Errors
/// `Error::Memory` if they are more than an address can count.
pub fn bytes_of<T>(len: usize) -> Result<usize> {
    match len.checked_mul(size_of::<T>()) {
        Some(bytes) if isize::try_from(bytes).is_ok() => Ok(bytes),
        _ => Err(refusal(usize::MAX)),
    }
}

/// A vector without elements and room for `len`.
///
/// # Errors
/// `Error::Memory` if there is no such room.
pub fn vector<T>(len: usize) -> Result<Vec<T>> {
    let bytes = bytes_of::<T>(len)?;
    check_large(bytes as u64)?;
    let mut vector = Vec::new();
    match vector.try_reserve_exact(len) {
        Ok(()) => Ok(vector),
        Err(_) => Err(refusal(bytes)),
    }
}

/// A vector of `len` times the same.
///
/// # Errors
/// As [`vector`].
pub fn filled<T: Copy>(value: T, len: usize) -> Result<Vec<T>> {
    let mut all = vector(len)?;
    all.resize(len, value);
    Ok(all)
}

/// A vector with a copy of all elements.
///
/// # Errors
/// As [`vector`].
pub fn copied<T: Copy>(elements: &[T]) -> Result<Vec<T>> {
    let mut all = vector(elements.len())?;
    all.extend_from_slice(elements);
    Ok(all)
}

/// A vector of what an iterator that knows its length gives.
///
/// # Errors
/// As [`vector`].
pub fn collected<T>(elements: impl ExactSizeIterator<Item = T>) -> Result<Vec<T>> {
    let mut all = vector(elements.len())?;
    all.extend(elements);
    Ok(all)
}

/// Makes room for `more` elements behind those of a vector.
///
/// # Errors
/// `Error::Memory` if there is none.
pub fn reserve<T>(vector: &mut Vec<T>, more: usize) -> Result<()> {
    vector
        .try_reserve(more)
        .map_err(|_| refusal(vector.len().saturating_add(more).saturating_mul(size_of::<T>())))
}

/// Refuses unless there is room for what a call makes of small pieces, which go unchecked: lists with
/// an entry for each of so many layers, names, texts.
///
/// # Errors
/// `Error::Memory` if there is not.
pub fn room(layers: usize) -> Result<()> {
    let bytes = layers.saturating_mul(SMALL_OF_LAYER).saturating_add(SMALL);
    let trial: Vec<u8> = vector(bytes)?;
    // Else the compiler may leave the allocation out.
    std::hint::black_box(&trial);
    Ok(())
}

/// The error of an allocation that failed.
#[must_use]
#[cold]
#[inline(never)]
pub fn refusal(needed: usize) -> Error {
    Error::Memory { needed: needed as u64, available: available().unwrap_or(0) }
}

/// What the groups of one line of `/proc/self/cgroup`, `number:controllers:/path`, leave.
///
/// Each ancestor has a limit of its own. In a container the path may be that of the host, of which
/// the container sees only the root: levels that do not exist here are skipped.
fn group_left(root: &Path, line: &str) -> Option<u64> {
    let mut parts = line.splitn(3, ':');
    let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
    let version = match controllers {
        "" => &VERSION_2,
        list if list.split(',').any(|name| name == "memory") => &VERSION_1,
        _ => return None,
    };
    let mount = root.join(version.mount);
    let path = PathBuf::from(path.trim_start_matches('/'));
    path.ancestors().filter_map(|level| version.left(&mount.join(level))).min()
}

/// What the limits on this process's own address space and data leave.
fn limits_left(root: &Path) -> Option<u64> {
    let read = |file| fs::read_to_string(root.join(file)).unwrap_or_default();
    let (limits, status) = (read("proc/self/limits"), read("proc/self/status"));
    let left = |limit: &str, used: &str| {
        // The first number is the soft limit; "unlimited" is none.
        let limit = limits.lines().find_map(|line| line.strip_prefix(limit))?;
        let limit: u64 = limit.split_whitespace().next()?.parse().ok()?;
        Some(limit.saturating_sub(field(&status, used)?.saturating_mul(1024)))
    };
    let space = left("Max address space", "VmSize:");
    space.into_iter().chain(left("Max data size", "VmData:")).min()
}

/// The files of one version of control groups.
struct Version {
    mount: &'static str,
    limit: &'static str,
    used: &'static str,
    /// Lines of `memory.stat` with the page cache of files, which counts as used but makes room
    /// when memory gets short.
    reclaimable: [&'static str; 2],
}

const VERSION_2: Version = Version {
    mount: "sys/fs/cgroup",
    limit: "memory.max",
    used: "memory.current",
    reclaimable: ["active_file", "inactive_file"],
};
const VERSION_1: Version = Version {
    mount: "sys/fs/cgroup/memory",
    limit: "memory.limit_in_bytes",
    used: "memory.usage_in_bytes",
    reclaimable: ["total_active_file", "total_inactive_file"],
};

impl Version {
    /// What the group in this folder leaves; `None` if it has no limit ("max").
    fn left(&self, group: &Path) -> Option<u64> {
        let number = |file| fs::read_to_string(group.join(file)).ok()?.trim().parse::<u64>().ok();
        let limit = number(self.limit)?;
        let used = number(self.used)?;
        let stat = fs::read_to_string(group.join("memory.stat")).unwrap_or_default();
        let cache = self.reclaimable.iter().filter_map(|name| field(&stat, name));
        Some(limit.saturating_sub(used.saturating_sub(cache.sum())))
    }
}

/// The number after `name` at the start of a line.
fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        if words.next() == Some(name) { words.next()?.parse().ok() } else { None }
    })
}
