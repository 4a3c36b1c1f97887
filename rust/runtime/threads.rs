//! The number of threads.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::{Error, Result};

/// More threads than any machine has cores; a larger number is a slip, not a wish.
pub const MAX_THREADS: usize = 4096;

/// What [`set_num_threads`] said; 0 is nothing yet.
static CHOSEN: AtomicUsize = AtomicUsize::new(0);

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
/// The environment is read once a process.
///
/// # Errors
/// `Error::Value` if the variable that decides does not hold a number.
pub fn num_threads() -> Result<usize> {
    static DEFAULT: OnceLock<Result<usize>> = OnceLock::new();
    match CHOSEN.load(Ordering::Relaxed) {
        0 => DEFAULT
            .get_or_init(|| {
                let variable = |name| Some(std::env::var_os(name)?.to_string_lossy().into_owned());
                let own = variable("IRONMLP_NUM_THREADS");
                let omp = variable("OMP_NUM_THREADS");
                let cores = std::thread::available_parallelism().map_or(1, usize::from);
                from_environment(own.as_deref(), omp.as_deref(), cores)
            })
            .clone(),
        n => Ok(n),
    }
}

/// The number that two variables and the cores give. Empty is unset; of a list, which
/// `OMP_NUM_THREADS` has for nested regions, the first counts.
///
/// # Errors
/// `Error::Value` if the variable that decides does not hold a number from 1 to `MAX_THREADS`.
pub fn from_environment(own: Option<&str>, omp: Option<&str>, cores: usize) -> Result<usize> {
    let set = |text: Option<&'_ str>| text.map(str::trim).is_some_and(|text| !text.is_empty());
    let (name, text, number) = match (own, omp) {
        (Some(text), _) if set(own) => ("IRONMLP_NUM_THREADS", text, text),
        (_, Some(text)) if set(omp) => {
            ("OMP_NUM_THREADS", text, text.split_once(',').map_or(text, |(first, _)| first))
        }
        _ => return Ok(cores),
    };
    match number.trim().parse() {
        Ok(n) => checked(name, n),
        Err(_) => Err(Error::Value(format!(
            "{name} is {text:?}, it must be a number from 1 to {MAX_THREADS}"
        ))),
    }
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
