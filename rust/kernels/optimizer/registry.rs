//! The optimizers that there are.

use super::formula::{Formula, Settings};
use super::update::{Applied, FormulaWork};
use super::{Adam, AdamW, Clock, Lion, Sgd};
use crate::simd::{Real, Simd};

/// From the list of optimizers to [`Optimizer`] and [`Rule`], which are one of them.
macro_rules! registry {
    ($($Name:ident,)+) => {
        /// An optimizer with its settings.
        #[derive(Clone, Copy, Debug, PartialEq)]
        #[allow(missing_docs, reason = "each is documented where it is")]
        pub enum Optimizer {
            $($Name($Name),)+
        }

        /// The formula of one update of a parameter.
        #[derive(Clone, Copy, Debug, PartialEq)]
        #[allow(missing_docs, reason = "each is documented where it is")]
        pub enum Rule<T: Real> {
            $($Name(<$Name as Settings>::Formula<T>),)+
        }

        impl Optimizer {
            /// How many arrays of a parameter's size it keeps between updates.
            #[must_use]
            pub fn moments(&self) -> usize {
                match self {
                    $(Self::$Name(settings) => settings.moments(),)+
                }
            }

            /// Counts one more update; call before its rules are asked for.
            pub fn tick(&self, clock: &mut Clock) {
                clock.steps += 1;
                match self {
                    $(Self::$Name(settings) => settings.advance(clock),)+
                }
            }

            /// The rule of the update that the clock has counted.
            #[inline]
            pub(super) fn rule<T: Real>(&self, learning_rate: f64, clock: &Clock) -> Rule<T> {
                match self {
                    $(Self::$Name(settings) => Rule::$Name(settings.formula(learning_rate, clock)),)+
                }
            }
        }

        impl<T: Real> Rule<T> {
            /// How many moments it reads and writes.
            #[must_use]
            pub fn moments(&self) -> usize {
                match *self {
                    $(Self::$Name(formula) => formula.moments(),)+
                }
            }

            /// Does some work with the rule's formula, by a call.
            #[inline(always)]
            pub fn apply<S: Simd, W: FormulaWork<T>>(&self, work: W) {
                match *self {
                    $(Self::$Name(formula) => S::call(Applied::<T, _, W>::new(formula, work)),)+
                }
            }
        }
    };
}

impl<T: Real> Rule<T> {
    /// The learning rate, if the rule is SGD without momentum and weight decay: the one that kernels
    /// update by in the registers where they have summed a gradient.
    #[inline(always)]
    #[must_use]
    pub fn plain_sgd(&self) -> Option<T> {
        match self {
            Self::Sgd(formula) => formula.plain(),
            _ => None,
        }
    }
}

registry! {
    Sgd,
    Adam,
    AdamW,
    Lion,
}
