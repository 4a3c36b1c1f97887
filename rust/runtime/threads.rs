//! The number of threads.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::{Error, Result};

/// More threads than any machine has cores; a larger number is a slip, not a wish.
pub const MAX_THREADS: usize = 4096;

/// The variables that may give the number: our own, and that of OpenMP.
const OWN: &str = "IRONMLP_NUM_THREADS";
const OMP: &str = "OMP_NUM_THREADS";

/// What [`set_num_threads`] said; 0 is nothing yet.
static CHOSEN: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// What [`set_cap`] said; 0 is nothing.
    static CAP: Cell<usize> = const { Cell::new(0) };
}

/// Sets the most threads of whatever the calling thread begins, or none for `None`; gives what was said
/// before.
///
/// # Errors
/// `Error::Value` unless `1 <= n <= MAX_THREADS`.
pub fn set_cap(n: Option<usize>) -> Result<Option<usize>> {
    let cap = n.map(|n| checked("n", n)).transpose()?;
    let before = CAP.replace(cap.unwrap_or(0));
    Ok((before > 0).then_some(before))
}

/// `n`, or less if [`set_cap`] says so.
#[must_use]
pub fn capped(n: usize) -> usize {
    match CAP.get() {
        0 => n,
        cap => n.min(cap),
    }
}

/// Sets the number of threads of this process, above all else but a model's own argument.
///
/// # Errors
/// `Error::Value` unless `1 <= n <= MAX_THREADS`.
pub fn set_num_threads(n: usize) -> Result<()> {
    CHOSEN.store(checked("n", n)?, Ordering::Relaxed);
    Ok(())
}

/// The number of threads: the first of [`set_num_threads`], `IRONMLP_NUM_THREADS`,
/// `OMP_NUM_THREADS` and the cores that affinity and control group leave to this process.
///
/// The environment is read until it gives a number, once a process.
///
/// # Errors
/// `Error::Value` if `IRONMLP_NUM_THREADS` decides and does not hold a number.
pub fn num_threads() -> Result<usize> {
    // 0 until it is known. Threads that ask at once all find the same, and none waits for another,
    // which a fork could have cut off.
    static DEFAULT: AtomicUsize = AtomicUsize::new(0);
    for known in [&CHOSEN, &DEFAULT] {
        match known.load(Ordering::Relaxed) {
            0 => {}
            n => return Ok(n),
        }
    }
    let [own, omp] = variables();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let n = from_environment(own.as_deref(), omp.as_deref(), cores)?;
    DEFAULT.store(n, Ordering::Relaxed);
    Ok(n)
}

/// What to tell a user whose `OMP_NUM_THREADS` would decide and is no number of threads.
#[must_use]
pub fn complaint() -> Option<String> {
    let [own, omp] = variables();
    complaint_about(own.as_deref(), omp.as_deref())
}

/// [`OWN`] and [`OMP`], if they are set.
fn variables() -> [Option<String>; 2] {
    [OWN, OMP].map(|name| Some(std::env::var_os(name)?.to_string_lossy().into_owned()))
}

/// The number that two variables and the cores give. Empty is unset, and so is an `OMP_NUM_THREADS`
/// that holds no number of threads: it is another's variable, which may mean something else there.
///
/// # Errors
/// `Error::Value` if `IRONMLP_NUM_THREADS` is set, to no number from 1 to `MAX_THREADS`.
pub fn from_environment(own: Option<&str>, omp: Option<&str>, cores: usize) -> Result<usize> {
    let Some(text) = set(own) else { return Ok(set(omp).and_then(omp_number).unwrap_or(cores)) };
    match text.parse() {
        Ok(n) => checked(OWN, n),
        Err(_) => Err(Error::Value(format!(
            "{OWN} is {text:?}, it must be a number from 1 to {MAX_THREADS}"
        ))),
    }
}

/// As [`complaint`], of these values.
#[must_use]
pub fn complaint_about(own: Option<&str>, omp: Option<&str>) -> Option<String> {
    match (set(own), set(omp)) {
        (None, Some(text)) if omp_number(text).is_none() => Some(format!(
            "{OMP} is {text:?}, which is no number from 1 to {MAX_THREADS}, and is ignored; \
             {OWN} is the variable for ironmlp alone"
        )),
        _ => None,
    }
}

/// The text of a variable, if there is some.
fn set(variable: Option<&str>) -> Option<&str> {
    variable.map(str::trim).filter(|text| !text.is_empty())
}

/// Of a list, which `OMP_NUM_THREADS` has for nested regions, the first number.
fn omp_number(text: &str) -> Option<usize> {
    let first = text.split(',').next()?.trim().parse().ok()?;
    checked(OMP, first).ok()
}

/// `n` if it is a number of threads.
///
/// # Errors
/// `Error::Value`, naming the argument or variable, if it is not.
pub fn checked(name: &str, n: usize) -> Result<usize> {
    if (1..=MAX_THREADS).contains(&n) {
        Ok(n)
    } else {
        Err(Error::Value(format!("{name} is {n}, it must be from 1 to {MAX_THREADS}")))
    }
}
