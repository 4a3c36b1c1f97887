//! What passes unchanged where z is above 0, and times a slope elsewhere.

use crate::kernels::panels::{Panels, Span};
use crate::simd::{Kernel, LANES, Real, Simd, Vector};

/// The slopes of columns.
#[derive(Clone, Copy)]
pub enum Slopes<T> {
    /// One for all.
    One(T),
    /// One for each, 16 elements for each panel.
    Each(Span<T>),
}

/// output = x where z > 0, else a x: forward with x = z, back with the gradient as x.
pub struct Prelu<T> {
    /// z.
    pub z: Panels<T>,
    /// As many rows and columns.
    pub x: Panels<T>,
    /// a.
    pub slopes: Slopes<T>,
    /// Written, as many; may be the memory of either. Padding that is 0 in x stays so.
    pub output: Panels<T>,
    /// Whether small results become +0 (N5).
    pub flush: bool,
}

impl<T: Real> Kernel for Prelu<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { z, x, slopes, output, flush } = self;
        assert!(z.rows() == output.rows() && z.cols() == output.cols());
        assert!(x.rows() == output.rows() && x.cols() == output.cols());
        for panel in 0..output.panels() {
            let slope = match slopes {
                Slopes::One(slope) => S::Lanes::<T>::splat(slope),
                Slopes::Each(slopes) => {
                    assert!((panel + 1) * LANES <= slopes.len());
                    // SAFETY: the span holds these 16 elements, for which its maker vouches.
                    unsafe { S::Lanes::<T>::load(slopes.at(panel * LANES)) }
                }
            };
            for row in 0..output.rows() {
                // SAFETY: the views' makers vouch for the 16 elements of their rows.
                let (z, x) = unsafe {
                    (S::Lanes::<T>::load(z.row(panel, row)), S::Lanes::<T>::load(x.row(panel, row)))
                };
                let above = S::Lanes::<T>::zero().lt(z);
                let y = S::Lanes::<T>::select(above, x, x.mul(slope));
                let y = if flush { y.flush() } else { y };
                // SAFETY: as above.
                unsafe { y.store(output.row(panel, row)) };
            }
        }
    }
}
