//! The one layout of images inside a plan: 16 samples side by side.
//!
//! A batch goes in blocks of 16 samples, one in each lane: a pixel of a channel is 16 consecutive
//! elements. So a convolution is a product whose right operand is read in place, and strides, padding
//! and dilation never move anything between lanes. A block is one panel of [`Panels`], whose rows are
//! (image row, channel, image column): all channels of an image row lie together, since a window
//! reads a few rows of all channels. The rows of an image lie an odd number of panel rows apart, so
//! that those a window reads do not share a few sets of L1.

use super::panels::Panels;
use crate::simd::LANES;

/// The size of one image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ImageShape {
    /// Channels.
    pub channels: usize,
    /// Rows of pixels.
    pub height: usize,
    /// Columns of pixels.
    pub width: usize,
}

impl ImageShape {
    /// Pixels of all channels.
    #[inline]
    #[must_use]
    pub fn features(self) -> usize {
        self.channels * self.height * self.width
    }

    /// Panel rows from one image row to the next.
    #[inline(always)]
    #[must_use]
    pub fn row_stride(self) -> usize {
        (self.channels * self.width) | 1
    }

    /// Rows of a panel that holds the images of 16 samples.
    #[inline]
    #[must_use]
    pub fn panel_rows(self) -> usize {
        self.height * self.row_stride()
    }
}

/// The images of 16 samples, under the terms of [`Panels`].
#[derive(Debug)]
pub struct Images<T> {
    panel: Panels<T>,
    shape: ImageShape,
    /// Panel rows from one image row to the next, and from one channel to the next.
    row_stride: usize,
    channel_stride: usize,
}

impl<T> Clone for Images<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Images<T> {}

impl<T> Images<T> {
    /// Block `block` of the panels of a batch of images.
    #[inline]
    #[must_use]
    pub fn new(panels: Panels<T>, block: usize, shape: ImageShape) -> Self {
        assert!(panels.rows() >= shape.panel_rows());
        Self::in_rows(panels.from(block, 0), shape)
    }

    /// Block `block` of the panels of a batch of features: channel after channel, without gaps. Row `i` of
    /// a panel is feature `i`, so that a product takes the panels as they are.
    #[inline]
    #[must_use]
    pub fn of_features(panels: Panels<T>, block: usize, shape: ImageShape) -> Self {
        assert!(panels.rows() == shape.features());
        let (row_stride, channel_stride) = (shape.width, shape.height * shape.width);
        Self { panel: panels.from(block, 0), shape, row_stride, channel_stride }
    }

    #[inline(always)]
    fn in_rows(panel: Panels<T>, shape: ImageShape) -> Self {
        Self { panel, shape, row_stride: shape.row_stride(), channel_stride: shape.width }
    }

    /// As [`Self::new`] of memory that holds only rows from `origin` on, as many as fit in: a window on
    /// images that exist nowhere as a whole. Rows keep their numbers; only those may be used.
    #[inline]
    #[must_use]
    pub fn window(panels: Panels<T>, shape: ImageShape, origin: usize) -> Self {
        let moved = panels.first_panel().moved(origin * shape.row_stride(), shape.panel_rows());
        Self::in_rows(moved, shape)
    }

    /// The images' size.
    #[inline(always)]
    #[must_use]
    pub fn shape(self) -> ImageShape {
        self.shape
    }

    /// The 16 elements of a pixel.
    #[inline(always)]
    #[must_use]
    pub fn at(self, row: usize, channel: usize, col: usize) -> *mut T {
        debug_assert!(channel < self.shape.channels && col < self.shape.width);
        self.panel.row(0, row * self.row_stride + channel * self.channel_stride + col)
    }

    /// Elements from one channel to the next.
    #[inline(always)]
    pub(super) fn channel_stride(self) -> usize {
        self.channel_stride * LANES
    }

    /// The first pixel of a channel.
    #[inline(always)]
    #[must_use]
    pub fn first(self, channel: usize) -> *mut T {
        self.at(0, channel, 0)
    }

    /// Image rows `start..end` of all channels as a panel of their own, for what works element by
    /// element.
    #[inline]
    #[must_use]
    pub fn rows(self, start: usize, end: usize) -> Panels<T> {
        let stride = self.row_stride;
        assert!(stride == self.shape.row_stride(), "all channels of a row lie together");
        self.panel.slice(start * stride, end * stride).first_panel()
    }

    /// As [`Self::rows`], of one row of a channel.
    #[inline]
    #[must_use]
    pub fn line(self, row: usize, channel: usize) -> Panels<T> {
        let at = channel * self.channel_stride;
        self.rows(row, row + 1).slice(at, at + self.shape.width)
    }

    /// As [`Self::rows`], of one pixel.
    #[inline]
    #[must_use]
    pub fn pixel(self, row: usize, channel: usize, col: usize) -> Panels<T> {
        let at = channel * self.channel_stride + col;
        self.rows(row, row + 1).slice(at, at + 1)
    }
}

/// In which order a row of features holds the pixels of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PixelOrder {
    /// Channel, row, column: PyTorch's.
    ChannelsFirst,
    /// Row, column, channel.
    ChannelsLast,
}

/// Where the features of an image lie, one after the other.
#[derive(Clone, Copy)]
pub(super) struct Pixels {
    shape: ImageShape,
    order: PixelOrder,
    row: usize,
    channel: usize,
    col: usize,
}

impl Pixels {
    /// Those from feature `first` on.
    #[inline(always)]
    pub(super) fn new(shape: ImageShape, order: PixelOrder, first: usize) -> Self {
        let ImageShape { channels, height, width } = shape;
        let (row, channel, col) = match order {
            PixelOrder::ChannelsFirst => {
                (first / width % height, first / (width * height), first % width)
            }
            PixelOrder::ChannelsLast => {
                (first / (channels * width), first % channels, first / channels % width)
            }
        };
        Self { shape, order, row, channel, col }
    }

    /// How many of the next features, of at most `most`, lie one after the other in a row of pixels.
    #[inline(always)]
    pub(super) fn run(&self, most: usize) -> usize {
        let along = match self.order {
            PixelOrder::ChannelsFirst => self.shape.width - self.col,
            PixelOrder::ChannelsLast if self.shape.channels == 1 => self.shape.width - self.col,
            PixelOrder::ChannelsLast => 1,
        };
        if along < most { along } else { most }
    }

    /// The 16 elements of each of the next `count` features, of a run of them.
    #[inline(always)]
    pub(super) fn next_run<T>(&mut self, images: Images<T>, count: usize) -> *mut T {
        let first = images.at(self.row, self.channel, self.col);
        self.col += count - 1;
        self.next(images);
        first
    }

    /// The 16 elements of the next feature.
    #[inline(always)]
    pub(super) fn next<T>(&mut self, images: Images<T>) -> *mut T {
        let at = images.at(self.row, self.channel, self.col);
        let ImageShape { channels, height, width } = self.shape;
        match self.order {
            PixelOrder::ChannelsFirst => {
                step(&mut self.col, width)
                    && step(&mut self.row, height)
                    && step(&mut self.channel, channels)
            }
            PixelOrder::ChannelsLast => {
                step(&mut self.channel, channels)
                    && step(&mut self.col, width)
                    && step(&mut self.row, height)
            }
        };
        at
    }
}

/// Counts one on; whether that began again.
#[inline(always)]
fn step(index: &mut usize, end: usize) -> bool {
    *index += 1;
    let over = *index == end;
    if over {
        *index = 0;
    }
    over
}

/// Lanes of a block that hold samples, of a batch of `rows`.
#[inline]
#[must_use]
pub fn block_rows(block: usize, rows: usize) -> usize {
    let left = rows - block * LANES;
    if left < LANES { left } else { LANES }
}
