//! A convolution of images.

use super::builder::{Builder, Gradient, Place, Trail};
use super::node::{Node, unchanged};
use super::parameters::{Init, Weighted};
use super::shape::{PartialShape, Shape, last, no_rows, too_small};
use crate::error::{Error, Result};
use crate::kernels::convolution::Stencil;
use crate::kernels::images::ImageShape;
use crate::network::memory::BufferId;

/// Each output channel is made from the input channels of its group.
#[derive(Clone, Debug, PartialEq)]
pub struct Conv2d {
    /// Channels of the input.
    pub in_channels: usize,
    /// Channels of the output.
    pub out_channels: usize,
    /// The convolution from one row of an image to the next.
    pub rows: Stencil,
    /// The convolution along a row.
    pub cols: Stencil,
    /// Divides both numbers of channels.
    pub groups: usize,
    /// Whether there is a bias.
    pub bias: bool,
    /// Initial values.
    pub init: Init,
    /// Whether updates change it.
    pub trainable: bool,
    /// Factor on the learning rate.
    pub lr_scale: f64,
}

impl Conv2d {
    /// Taps of the kernel.
    pub(in crate::network) fn taps(&self) -> usize {
        self.rows.kernel.saturating_mul(self.cols.kernel)
    }

    fn check(&self, name: &str) -> Result<()> {
        let Self { rows, cols, groups, .. } = *self;
        let steps = [rows.kernel, rows.stride, rows.dilation];
        let steps = steps.into_iter().chain([cols.kernel, cols.stride, cols.dilation]);
        let channels = [self.in_channels, self.out_channels];
        if groups == 0
            || channels.iter().any(|&count| count == 0 || !count.is_multiple_of(groups))
            || steps.into_iter().any(|step| step == 0)
        {
            return Err(Error::Value(format!(
                "layer {name}: Conv2d needs kernel, stride and dilation of at least 1, and groups \
                 that divide the channels"
            )));
        }
        Ok(())
    }

    fn check_channels(&self, name: &str, channels: usize) -> Result<()> {
        if channels != self.in_channels {
            return Err(Error::Shape(format!(
                "layer {name}: Conv2d takes {} channels, gets {channels}",
                self.in_channels
            )));
        }
        Ok(())
    }

    fn output(&self, input: ImageShape) -> Option<ImageShape> {
        Some(ImageShape {
            channels: self.out_channels,
            height: self.rows.outputs(input.height)?,
            width: self.cols.outputs(input.width)?,
        })
    }
}

impl Node for Conv2d {
    fn kind(&self, name: &str, inputs: &[PartialShape]) -> Result<PartialShape> {
        let input = last(inputs);
        if matches!(input, PartialShape::Row(_)) {
            return Err(no_rows(name, "Conv2d"));
        }
        self.check(name)?;
        if let PartialShape::Image(Some(channels)) = input {
            self.check_channels(name, channels)?;
        }
        Ok(PartialShape::Image(Some(self.out_channels)))
    }

    fn shape(&self, name: &str, inputs: &[Shape]) -> Result<Shape> {
        let Shape::Image(input) = last(inputs) else { return Ok(last(inputs)) };
        self.check_channels(name, input.channels)?;
        match self.output(input) {
            Some(output) => Ok(Shape::Image(output)),
            None => Err(too_small(name, "Conv2d", input)),
        }
    }

    fn weighted(&self, layer: usize) -> Option<Weighted> {
        let taps = self.taps();
        let channels = self.in_channels / self.groups;
        Some(Weighted {
            layer,
            inputs: channels.saturating_mul(taps),
            outputs: self.out_channels,
            fan_out: self.out_channels.saturating_mul(taps),
            shape: vec![self.out_channels, channels, self.rows.kernel, self.cols.kernel],
            bias: self.bias,
            init: self.init,
            trainable: self.trainable,
            lr_scale: self.lr_scale,
        })
    }

    /// No convolution works on rows.
    fn forward(&self, _: &mut Builder, _: &Place, input: BufferId) -> Trail {
        unchanged(input)
    }

    fn backward(&self, _: &mut Builder, _: &Place, _: Trail, grad: Gradient) -> Option<Gradient> {
        Some(grad)
    }
}
