//! What a schedule is: a rate for each count.

use std::fmt::Debug;

use super::anneal::Anneal;
use super::power::Powers;
use super::rates::{Counts, Rates};
use crate::simd::Isa;

/// What the rates at 16 counts are made of: formulas are compiled once, and for each instruction set only
/// the functions in them.
#[allow(clippy::large_enum_variant, reason = "it lives for one call, on the stack")]
pub enum Parts {
    /// They are there.
    Rates(Rates),
    /// Each lies on a way between two.
    Annealed(Anneal),
    /// Each is a power times this rate.
    Powers(f64, Powers),
}

/// The numbers of a schedule.
pub trait Formula: Debug + Clone + PartialEq {
    /// The parts of the rates at 16 counts; each rate is at least 0.
    fn parts(&self, counts: &Counts) -> Parts;
}

impl Parts {
    /// The rates.
    pub(super) fn rates(self, isa: Isa) -> Rates {
        match self {
            Self::Rates(rates) => rates,
            Self::Annealed(ways) => isa.run(ways),
            Self::Powers(lr, powers) => powers.computed(isa).map(|power| lr * power),
        }
    }
}
