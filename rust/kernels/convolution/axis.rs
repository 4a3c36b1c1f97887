//! Which taps of a kernel meet which positions of an image, along one axis.

use crate::error::Result;
use crate::runtime::memory;

/// A convolution along one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stencil {
    /// Taps of the kernel.
    pub kernel: usize,
    /// Input positions from one output to the next.
    pub stride: usize,
    /// Positions before the first and after the last that count as 0.
    pub padding: usize,
    /// Input positions from one tap to the next.
    pub dilation: usize,
}

impl Stencil {
    /// Outputs for so many inputs; `None` if the kernel does not fit in.
    #[must_use]
    pub fn outputs(&self, inputs: usize) -> Option<usize> {
        let span = self.dilation.checked_mul(self.kernel - 1)?.checked_add(1)?;
        let padded = self.padding.checked_mul(2)?.checked_add(inputs)?;
        Some(padded.checked_sub(span)? / self.stride + 1)
    }
}

/// The taps that meet something at one position of the result: they are `count`, from `tap` on in
/// steps of [`Axis::tap_step`]; the first meets `source`, the others that in steps of
/// [`Axis::source_step`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taps {
    /// The first tap.
    pub tap: usize,
    /// How many taps.
    pub count: usize,
    /// What the first tap meets.
    pub source: usize,
    /// How many positions, from this one on, are made with the same taps.
    pub alike: usize,
}

/// One axis of a correlation: what each position of the result is made from.
///
/// Taps that would meet padding are left out: padding costs no time, and no product with 0 is
/// rounded into a sum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axis {
    taps_of: Vec<Taps>,
    /// From one tap to the next.
    pub tap_step: usize,
    /// Positions of the source from one tap to the next.
    pub source_step: isize,
}

impl Axis {
    /// The forward pass: the result is the output, the source the input.
    ///
    /// # Errors
    /// `Error::Memory` if there is no room for its positions.
    pub fn forward(stencil: Stencil, inputs: usize, outputs: usize) -> Result<Self> {
        let Stencil { stride, padding, dilation, .. } = stencil;
        let source = |output: usize, tap: usize| {
            (output * stride + tap * dilation).checked_sub(padding).filter(|&at| at < inputs)
        };
        Self::new(stencil.kernel, outputs, (1, dilation as isize), source)
    }

    /// The gradient at the input: the result is the input, the source the gradient at the output.
    ///
    /// # Errors
    /// As [`Self::forward`].
    pub fn backward(stencil: Stencil, inputs: usize, outputs: usize) -> Result<Self> {
        let Stencil { stride, padding, dilation, .. } = stencil;
        let source = |input: usize, tap: usize| {
            let at = (input + padding).checked_sub(tap * dilation)?;
            at.is_multiple_of(stride).then_some(at / stride).filter(|&at| at < outputs)
        };
        let common = gcd(stride, dilation);
        let steps = (stride / common, -((dilation / common) as isize));
        Self::new(stencil.kernel, inputs, steps, source)
    }

    fn new(
        taps: usize,
        positions: usize,
        (tap_step, source_step): (usize, isize),
        source: impl Fn(usize, usize) -> Option<usize>,
    ) -> Result<Self> {
        let taps_at = |position: usize| {
            let mut met = (0..taps).filter_map(|tap| Some((tap, source(position, tap)?)));
            let (tap, at, count) = match met.next() {
                Some((tap, at)) => (tap, at, 1 + met.count()),
                None => (0, 0, 0),
            };
            Taps { tap, count, source: at, alike: 1 }
        };
        let mut taps_of = memory::collected((0..positions).map(taps_at))?;
        for at in (1..positions).rev() {
            let (before, after) = (taps_of[at - 1], taps_of[at]);
            if (before.tap, before.count) == (after.tap, after.count) {
                taps_of[at - 1].alike += after.alike;
            }
        }
        Ok(Self { taps_of, tap_step, source_step })
    }

    /// Positions of the result.
    #[inline(always)]
    #[must_use]
    pub fn len(&self) -> usize {
        self.taps_of.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.taps_of.is_empty()
    }

    /// What a position of the result is made from.
    #[inline(always)]
    #[must_use]
    pub fn at(&self, position: usize) -> Taps {
        self.taps_of[position]
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::{Axis, Stencil};

    /// All that an axis says, as (result, tap, source).
    fn meetings(axis: &Axis) -> Vec<(usize, usize, usize)> {
        let mut list = Vec::new();
        for position in 0..axis.len() {
            let reach = axis.at(position);
            for i in 0..reach.count {
                let source = reach.source as isize + i as isize * axis.source_step;
                list.push((position, reach.tap + i * axis.tap_step, source as usize));
            }
        }
        list
    }

    #[test]
    fn both_ways_meet_what_the_definition_says() {
        let sizes = [1, 2, 3, 5, 8];
        for kernel in 1..=5 {
            for stride in 1..=4 {
                for dilation in 1..=4 {
                    for padding in 0..=3 {
                        let stencil = Stencil { kernel, stride, padding, dilation };
                        for inputs in sizes {
                            let Some(outputs) = stencil.outputs(inputs) else { continue };
                            check(stencil, inputs, outputs);
                        }
                    }
                }
            }
        }
    }

    fn check(stencil: Stencil, inputs: usize, outputs: usize) {
        let mut must = Vec::new();
        for output in 0..outputs {
            for tap in 0..stencil.kernel {
                let at = (output * stencil.stride + tap * stencil.dilation) as isize;
                let input = at - stencil.padding as isize;
                if (0..inputs as isize).contains(&input) {
                    must.push((output, tap, input as usize));
                }
            }
        }
        assert_eq!(
            meetings(&Axis::forward(stencil, inputs, outputs).expect("memory")),
            must,
            "{stencil:?}"
        );
        let mut back: Vec<_> =
            must.iter().map(|&(output, tap, input)| (input, tap, output)).collect();
        back.sort_unstable();
        assert_eq!(
            meetings(&Axis::backward(stencil, inputs, outputs).expect("memory")),
            back,
            "{stencil:?}"
        );
        check_alike(&Axis::forward(stencil, inputs, outputs).expect("memory"));
        check_alike(&Axis::backward(stencil, inputs, outputs).expect("memory"));
    }

    /// Positions that are alike meet the same taps, their sources lie evenly apart, and the next
    /// position is another.
    fn check_alike(axis: &Axis) {
        for first in 0..axis.len() {
            let of = |at: usize| (axis.at(at).tap, axis.at(at).count);
            let end = first + axis.at(first).alike;
            assert!((first..end).all(|at| of(at) == of(first)), "{axis:?} at {first}");
            assert!(end == axis.len() || of(end) != of(first), "{axis:?} at {first}");
            if axis.at(first).count > 0 && end - first > 1 {
                let apart = axis.at(first + 1).source - axis.at(first).source;
                for at in first..end {
                    let must = axis.at(first).source + (at - first) * apart;
                    assert_eq!(axis.at(at).source, must, "{axis:?} at {first}");
                }
            }
        }
    }
}
