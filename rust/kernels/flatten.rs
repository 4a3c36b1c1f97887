//! Images to rows of features and back: 16 x 16 transposes.

use super::gemm::turn;
use super::images::{Images, PixelOrder, Pixels};
use super::panels::Panels;
use super::scratch::Scratch;
use crate::simd::{Kernel, LANES, Real, Simd, Vector};

/// Writes the images of a block into rows of features, as many as the target has; padding columns
/// become +0.
pub struct FlattenImages<T> {
    /// Up to 16 samples.
    pub images: Images<T>,
    /// (samples, features).
    pub rows: Panels<T>,
    /// The order of the features.
    pub order: PixelOrder,
}

/// Reads rows of features, or of some of them, into the images of a block; the lanes past the last row
/// become +0.
pub struct Unflatten<T> {
    /// (samples, features), at most 16 rows.
    pub rows: Panels<T>,
    /// Up to 16 samples.
    pub images: Images<T>,
    /// The order of the features.
    pub order: PixelOrder,
    /// The first of them in `rows`.
    pub first: usize,
}

/// Whether a panel has 16 rows and columns, and the columns' pixels follow each other too: they are turned
/// where they are.
#[inline(always)]
fn is_whole<T>(rows: Panels<T>, panel: usize, pixels: &Pixels) -> bool {
    rows.rows() == LANES && rows.width(panel) == LANES && pixels.run(LANES) == LANES
}

/// 16 rows of 16 elements.
type Square<T> = Scratch<T, { LANES * LANES }>;

impl<T: Real> Kernel for FlattenImages<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { images, rows, order } = self;
        assert!(rows.rows() <= LANES && rows.cols() == images.shape().features());
        let mut pixels = Pixels::new(images.shape(), order, 0);
        let mut features = Square::<T>::new();
        let mut samples = Square::<T>::new();
        let (from, to) = (features.ptr(), samples.ptr());
        for panel in 0..rows.panels() {
            let width = rows.width(panel);
            if is_whole(rows, panel, &pixels) {
                let (from, to) = (pixels.next_run(images, LANES), rows.row(panel, 0));
                // SAFETY: 16 pixels and 16 rows, which follow each other; the views' makers vouch for them.
                unsafe { turn::<T, S::Register<T>>(from, to) };
                continue;
            }
            for feature in 0..LANES {
                let vector = if feature < width {
                    // SAFETY: a pixel has 16 elements, for which the view's maker vouches.
                    unsafe { S::Lanes::<T>::load(pixels.next(images)) }
                } else {
                    S::Lanes::<T>::zero()
                };
                // SAFETY: row `feature` of the block.
                unsafe { vector.store(from.add(feature * LANES)) };
            }
            // SAFETY: both blocks hold 16 x 16 elements; the first was just written.
            unsafe { turn::<T, S::Register<T>>(from, to) };
            for sample in 0..rows.rows() {
                // SAFETY: a panel's row holds 16 elements, and so does one of the block's.
                unsafe {
                    S::Lanes::<T>::load(to.add(sample * LANES)).store(rows.row(panel, sample));
                }
            }
        }
    }
}

impl<T: Real> Kernel for Unflatten<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { rows, images, order, first } = self;
        assert!(rows.rows() <= LANES && first + rows.cols() <= images.shape().features());
        let mut pixels = Pixels::new(images.shape(), order, first);
        let mut samples = Square::<T>::new();
        let mut features = Square::<T>::new();
        let (from, to) = (samples.ptr(), features.ptr());
        for panel in 0..rows.panels() {
            if is_whole(rows, panel, &pixels) {
                let (from, to) = (rows.row(panel, 0), pixels.next_run(images, LANES));
                // SAFETY: 16 rows and 16 pixels, which follow each other; the views' makers vouch for them.
                unsafe { turn::<T, S::Register<T>>(from, to) };
                continue;
            }
            for sample in 0..LANES {
                let vector = if sample < rows.rows() {
                    // SAFETY: a panel's row holds 16 elements, for which the view's maker vouches.
                    unsafe { S::Lanes::<T>::load(rows.row(panel, sample)) }
                } else {
                    S::Lanes::<T>::zero()
                };
                // SAFETY: row `sample` of the block.
                unsafe { vector.store(from.add(sample * LANES)) };
            }
            // SAFETY: both blocks hold 16 x 16 elements; the first was just written.
            unsafe { turn::<T, S::Register<T>>(from, to) };
            for feature in 0..rows.width(panel) {
                // SAFETY: a pixel has 16 elements, and so has one of the block's rows.
                unsafe {
                    S::Lanes::<T>::load(to.add(feature * LANES)).store(pixels.next(images));
                }
            }
        }
    }
}
