//! What each layer makes of a batch: that layers fit each other, the loss and the images.

use super::layers::{Conv2d, Layer, Linear};
use super::model::Spec;
use crate::error::{Error, Result};
use crate::kernels::images::ImageShape;
use crate::runtime::memory;
use crate::simd::LANES;

/// One sample between two layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// So many features.
    Row(usize),
    /// An image.
    Image(ImageShape),
}

impl Shape {
    /// Numbers of one sample.
    #[must_use]
    pub fn features(self) -> usize {
        match self {
            Self::Row(width) => width,
            Self::Image(shape) => shape.features(),
        }
    }
}

/// As [`Shape`], as far as it is known before any images are there.
#[derive(Clone, Copy)]
enum Kind {
    Unknown,
    Row(Option<usize>),
    Image(Option<usize>),
}

impl Spec {
    /// Checks that the layers fit each other and the loss, whatever the size of images.
    ///
    /// # Errors
    /// `Error::Shape` names the layer and both sides, `Error::Value` what else is wrong.
    pub fn check(&self) -> Result<()> {
        let mut kind = Kind::Unknown;
        for (index, layer) in self.layers.iter().enumerate() {
            kind = match (layer, kind) {
                (Layer::Linear(linear), Kind::Unknown | Kind::Row(_)) => {
                    check_linear(index, linear)?;
                    if let Kind::Row(Some(width)) = kind {
                        check_width(index, linear, width)?;
                    }
                    Kind::Row(Some(linear.out_features))
                }
                (Layer::Linear(_), Kind::Image(_)) => {
                    return Err(Error::Shape(format!(
                        "layer {index}: Linear takes rows, gets images: put Flatten() before it"
                    )));
                }
                (Layer::Conv2d(conv), Kind::Unknown | Kind::Image(_)) => {
                    check_conv(index, conv)?;
                    if let Kind::Image(Some(channels)) = kind {
                        check_channels(index, conv, channels)?;
                    }
                    Kind::Image(Some(conv.out_channels))
                }
                (Layer::Conv2d(_) | Layer::Pool(_), Kind::Row(_)) => {
                    let name = name(layer);
                    return Err(Error::Shape(format!(
                        "layer {index}: {name} takes images, gets rows"
                    )));
                }
                (Layer::Pool(_), Kind::Unknown) => Kind::Image(None),
                (Layer::Flatten, Kind::Image(_)) => Kind::Row(None),
                (_, kind) => kind,
            };
        }
        if !self.layers.iter().any(|layer| matches!(layer, Layer::Linear(_))) {
            return Err(Error::Value("layers has no Linear layer, a network needs one".into()));
        }
        self.parameter_count()?;
        self.loss.as_ref().map_or(Ok(()), |(loss, _)| loss.check(self.out_features()))
    }

    /// Whether X holds images.
    #[must_use]
    pub fn takes_images(&self) -> bool {
        self.layers.iter().any(|layer| matches!(layer, Layer::Conv2d(_) | Layer::Pool(_)))
    }

    /// The channels that images need to have; `None` if any number will do.
    #[must_use]
    pub fn in_channels(&self) -> Option<usize> {
        self.layers.iter().find_map(|layer| match layer {
            Layer::Conv2d(conv) => Some(conv.in_channels),
            _ => None,
        })
    }

    /// Columns of X of a network that takes rows.
    #[must_use]
    pub fn in_features(&self) -> usize {
        self.weighted().next().map_or(0, |first| first.inputs)
    }

    /// What each layer makes of an X of images of this size, or of rows.
    ///
    /// # Errors
    /// `Error::Shape` if a layer does not fit, with both sides; `Error::Memory` if images between two
    /// layers would be larger than the memory.
    pub fn shapes(&self, image: Option<ImageShape>) -> Result<Vec<Shape>> {
        let mut shape = image.map_or_else(|| Shape::Row(self.in_features()), Shape::Image);
        let mut shapes = Vec::new();
        for (index, layer) in self.layers.iter().enumerate() {
            shape = match (layer, shape) {
                (Layer::Linear(linear), shape) => {
                    if let (Some(image), true) = (image, linear.in_features != shape.features()) {
                        return Err(Error::Shape(format!(
                            "layer {index}: Linear takes {} features, gets {} from images of {}",
                            linear.in_features,
                            shape.features(),
                            size(image)
                        )));
                    }
                    Shape::Row(linear.out_features)
                }
                (Layer::Conv2d(conv), Shape::Image(input)) => {
                    check_channels(index, conv, input.channels)?;
                    let output = convolved(conv, input);
                    Shape::Image(output.ok_or_else(|| too_small(index, layer, input))?)
                }
                (Layer::Pool(pool), Shape::Image(input)) => {
                    let output = pool.output(input);
                    Shape::Image(output.ok_or_else(|| too_small(index, layer, input))?)
                }
                (Layer::Flatten, shape) => Shape::Row(shape.features()),
                (_, shape) => shape,
            };
            if let Shape::Image(image) = shape {
                check_memory(image)?;
            }
            shapes.push(shape);
        }
        Ok(shapes)
    }
}

/// Refuses images of which 16 are larger than the memory: padding makes them of any size.
fn check_memory(image: ImageShape) -> Result<()> {
    let sizes = [image.channels, image.height, image.width, LANES * size_of::<f32>()];
    let bytes = sizes.into_iter().try_fold(1u64, |product, size| product.checked_mul(size as u64));
    let bytes = usize::try_from(bytes.unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
    memory::check_large(memory::bytes_of::<u8>(bytes)? as u64)
}

fn convolved(conv: &Conv2d, input: ImageShape) -> Option<ImageShape> {
    Some(ImageShape {
        channels: conv.out_channels,
        height: conv.rows.outputs(input.height)?,
        width: conv.cols.outputs(input.width)?,
    })
}

fn name(layer: &Layer) -> &'static str {
    match layer {
        Layer::Conv2d(_) => "Conv2d",
        _ => "a pool",
    }
}

fn size(image: ImageShape) -> String {
    format!("{} x {}", image.height, image.width)
}

fn too_small(index: usize, layer: &Layer, input: ImageShape) -> Error {
    Error::Shape(format!(
        "layer {index}: the kernel of {} is larger than its input of {}",
        name(layer),
        size(input)
    ))
}

fn check_linear(index: usize, linear: &Linear) -> Result<()> {
    if linear.in_features == 0 || linear.out_features == 0 {
        return Err(Error::Value(format!(
            "layer {index}: Linear has {} inputs and {} outputs, both must be at least 1",
            linear.in_features, linear.out_features
        )));
    }
    Ok(())
}

fn check_width(index: usize, linear: &Linear, width: usize) -> Result<()> {
    if width != linear.in_features {
        return Err(Error::Shape(format!(
            "layer {index}: Linear takes {} features, gets {width}",
            linear.in_features
        )));
    }
    Ok(())
}

fn check_conv(index: usize, conv: &Conv2d) -> Result<()> {
    let steps = [conv.rows.kernel, conv.rows.stride, conv.rows.dilation];
    let steps = steps.into_iter().chain([conv.cols.kernel, conv.cols.stride, conv.cols.dilation]);
    let channels = [conv.in_channels, conv.out_channels];
    if conv.groups == 0
        || channels.iter().any(|&count| count == 0 || !count.is_multiple_of(conv.groups))
        || steps.into_iter().any(|step| step == 0)
    {
        return Err(Error::Value(format!(
            "layer {index}: Conv2d needs kernel, stride and dilation of at least 1, and groups that \
             divide the channels"
        )));
    }
    Ok(())
}

fn check_channels(index: usize, conv: &Conv2d, channels: usize) -> Result<()> {
    if channels != conv.in_channels {
        return Err(Error::Shape(format!(
            "layer {index}: Conv2d takes {} channels, gets {channels}",
            conv.in_channels
        )));
    }
    Ok(())
}
