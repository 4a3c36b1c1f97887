//! The schedules that there are.

use super::formula::{Formula, Parts};
use super::rates::Counts;
use super::{CosineAnnealing, Exponential, MultiStep, OneCycle, Polynomial, Step, WarmRestarts};

/// From the list of schedules to [`Curve`], which is one of them.
macro_rules! registry {
    ($($Name:ident,)+) => {
        /// A schedule with its numbers.
        #[derive(Clone, Debug, PartialEq)]
        #[allow(missing_docs, reason = "each is documented where it is")]
        pub enum Curve {
            $($Name($Name),)+
        }

        impl Curve {
            pub(super) fn parts(&self, counts: &Counts) -> Parts {
                match self {
                    $(Self::$Name(formula) => formula.parts(counts),)+
                }
            }
        }
    };
}

registry! {
    Step,
    MultiStep,
    Exponential,
    CosineAnnealing,
    WarmRestarts,
    OneCycle,
    Polynomial,
}
