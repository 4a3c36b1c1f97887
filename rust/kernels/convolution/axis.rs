//! Which taps of a kernel meet which positions of an image, along one axis.

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

/// The taps that some positions side by side meet, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Course {
    /// The first tap.
    pub tap: usize,
    /// What it meets at the first position, or would meet if that had it.
    pub source: isize,
    /// From there to what it meets at the next position.
    pub apart: isize,
    /// First come taps that only one of two positions meets,
    pub before: Alone,
    /// then taps that all meet,
    pub count: usize,
    /// and at the end again those that one meets.
    pub after: Alone,
}

/// Taps that only one of two positions meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alone {
    /// How many.
    pub count: usize,
    /// Whether it is the second position.
    pub second: bool,
}

impl Alone {
    const NONE: Self = Self { count: 0, second: false };
}

/// One axis of a correlation: what each position of the result is made from.
///
/// Taps that would meet padding are left out: padding costs no time, and no product with 0 is
/// rounded into a sum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axis {
    taps_of: Vec<Taps>,
    /// Positions of the source from one position to the next, where both meet the same taps.
    apart: isize,
    /// From one tap to the next.
    pub tap_step: usize,
    /// Positions of the source from one tap to the next.
    pub source_step: isize,
}

impl Axis {
    /// The forward pass: the result is the output, the source the input.
    #[must_use]
    pub fn forward(stencil: Stencil, inputs: usize, outputs: usize) -> Self {
        let Stencil { stride, padding, dilation, .. } = stencil;
        let source = |output: usize, tap: usize| {
            (output * stride + tap * dilation).checked_sub(padding).filter(|&at| at < inputs)
        };
        Self::new(stencil.kernel, (outputs, stride), (1, dilation as isize), source)
    }

    /// The gradient at the input: the result is the input, the source the gradient at the output.
    #[must_use]
    pub fn backward(stencil: Stencil, inputs: usize, outputs: usize) -> Self {
        let Stencil { stride, padding, dilation, .. } = stencil;
        let source = |input: usize, tap: usize| {
            let at = (input + padding).checked_sub(tap * dilation)?;
            at.is_multiple_of(stride).then_some(at / stride).filter(|&at| at < outputs)
        };
        let common = gcd(stride, dilation);
        let steps = (stride / common, -((dilation / common) as isize));
        // Neighbours meet the same taps only where the stride is 1.
        Self::new(stencil.kernel, (inputs, 1), steps, source)
    }

    fn new(
        taps: usize,
        (positions, apart): (usize, usize),
        (tap_step, source_step): (usize, isize),
        source: impl Fn(usize, usize) -> Option<usize>,
    ) -> Self {
        let taps_at = |position: usize| {
            let mut met = (0..taps).filter_map(|tap| Some((tap, source(position, tap)?)));
            let (tap, at, count) = match met.next() {
                Some((tap, at)) => (tap, at, 1 + met.count()),
                None => (0, 0, 0),
            };
            Taps { tap, count, source: at, alike: 1 }
        };
        let mut taps_of: Vec<Taps> = (0..positions).map(taps_at).collect();
        for at in (1..positions).rev() {
            let (before, after) = (taps_of[at - 1], taps_of[at]);
            if (before.tap, before.count) == (after.tap, after.count) {
                taps_of[at - 1].alike += after.alike;
            }
        }
        Self { taps_of, apart: apart as isize, tap_step, source_step }
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

    /// The taps of a position, and of the next ones that meet the same.
    #[inline(always)]
    #[must_use]
    pub fn course(&self, position: usize) -> Course {
        let Taps { tap, count, source, .. } = self.at(position);
        let (source, apart) = (source as isize, self.apart);
        Course { tap, source, apart, before: Alone::NONE, count, after: Alone::NONE }
    }

    /// The taps of a position and the next one, which meet others, if some are met by both.
    #[inline(always)]
    #[must_use]
    pub fn course_of_two(&self, position: usize) -> Option<Course> {
        if self.tap_step > 1 || position + 1 == self.len() {
            return None;
        }
        let (one, two) = (self.at(position), self.at(position + 1));
        let ends = (one.tap + one.count, two.tap + two.count);
        let (start, end) = (one.tap.max(two.tap), ends.0.min(ends.1));
        if start >= end {
            return None;
        }
        let first = one.tap.min(two.tap);
        let source =
            |taps: Taps| taps.source as isize - self.source_step * (taps.tap - first) as isize;
        Some(Course {
            tap: first,
            source: source(one),
            apart: source(two) - source(one),
            before: Alone { count: start - first, second: two.tap < one.tap },
            count: end - start,
            after: Alone { count: ends.0.max(ends.1) - end, second: ends.1 > ends.0 },
        })
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::{Axis, Course, Stencil};

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
        assert_eq!(meetings(&Axis::forward(stencil, inputs, outputs)), must, "{stencil:?}");
        let mut back: Vec<_> =
            must.iter().map(|&(output, tap, input)| (input, tap, output)).collect();
        back.sort_unstable();
        assert_eq!(meetings(&Axis::backward(stencil, inputs, outputs)), back, "{stencil:?}");
        for axis in
            [Axis::forward(stencil, inputs, outputs), Axis::backward(stencil, inputs, outputs)]
        {
            check_courses(&axis);
        }
    }

    /// What a course says, for each of `positions` positions as (tap, source).
    fn expand(axis: &Axis, course: Course, positions: usize) -> Vec<Vec<(usize, usize)>> {
        let mut met = vec![Vec::new(); positions];
        let (first, last) = (course.before.count, course.before.count + course.count);
        for i in 0..last + course.after.count {
            let alone = if i < first { course.before } else { course.after };
            for (position, met) in met.iter_mut().enumerate() {
                if (first..last).contains(&i) || alone.second == (position == 1) {
                    let from = course.source + position as isize * course.apart;
                    let source = from + i as isize * axis.source_step;
                    met.push((course.tap + i * axis.tap_step, source as usize));
                }
            }
        }
        met
    }

    fn check_courses(axis: &Axis) {
        let all = meetings(axis);
        let of =
            |at| all.iter().filter(|met| met.0 == at).map(|met| (met.1, met.2)).collect::<Vec<_>>();
        for at in 0..axis.len() {
            let alike = axis.at(at).alike;
            let must: Vec<_> = (at..at + alike).map(of).collect();
            assert_eq!(expand(axis, axis.course(at), alike), must, "{axis:?} at {at}");
            if let Some(course) = axis.course_of_two(at) {
                assert_eq!(expand(axis, course, 2), [of(at), of(at + 1)], "{axis:?} at {at}");
            } else {
                let shared = |tap| of(at + 1).iter().any(|met| met.0 == tap);
                let shares = at + 1 < axis.len() && of(at).iter().any(|met| shared(met.0));
                assert!(!shares || axis.tap_step > 1, "{axis:?} at {at}");
            }
        }
    }
}
