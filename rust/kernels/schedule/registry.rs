//! The schedules that there are.

use super::formula::{Counts, Formula, Rates};
use super::{CosineAnnealing, Exponential, MultiStep, OneCycle, Polynomial, Step, WarmRestarts};
use crate::simd::Vector;

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
            #[inline(always)]
            pub(super) fn rates<V: Vector<f64>>(&self, counts: &Counts) -> Rates {
                match self {
                    $(Self::$Name(formula) => formula.rates::<V>(counts),)+
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
