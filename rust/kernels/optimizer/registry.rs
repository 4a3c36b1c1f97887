//! The optimizers that there are.

use super::formula::{Formula, MOMENTS, Settings};
use super::update::Update;
use super::{Adam, AdamW, Clock, Lion, Sgd};
use crate::kernels::panels::Span;
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

            /// [`Update`] by this rule. A formula is compiled once for an instruction set and a type,
            /// and called.
            #[inline(always)]
            pub fn update<S: Simd>(
                &self,
                w: Span<T>,
                g: Span<T>,
                moments: [Span<T>; MOMENTS],
                live: usize,
            ) {
                match *self {
                    $(Self::$Name(formula) => S::call(Update { formula, w, g, moments, live }),)+
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
