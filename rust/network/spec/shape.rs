//! What each layer makes of a batch: that layers fit each other, the loss and the images.

use super::model::Spec;
use crate::error::{Error, Result};
use crate::kernels::images::ImageShape;
use crate::network::nodes::{Layer, PartialShape, Shape};
use crate::runtime::memory;
use crate::simd::LANES;

impl Spec {
    /// Checks that the layers fit each other and the loss, whatever the size of images.
    ///
    /// # Errors
    /// `Error::Shape` names the layer and both sides, `Error::Value` what else is wrong.
    pub fn check(&self) -> Result<()> {
        let names = self.names();
        let mut inputs = vec![match self.takes_images() {
            true => PartialShape::Unknown,
            false => PartialShape::Row(Some(self.in_features())),
        }];
        for (layer, name) in self.layers.iter().zip(&names) {
            inputs.push(layer.node().kind(name, &inputs)?);
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
        self.layers.iter().any(|layer| match layer {
            Layer::Conv2d(_) | Layer::Pool(_) => true,
            Layer::BatchNorm(norm) => norm.images,
            _ => false,
        })
    }

    /// The channels that images need to have; `None` if any number will do.
    #[must_use]
    pub fn in_channels(&self) -> Option<usize> {
        self.layers.iter().find_map(|layer| match layer {
            Layer::Conv2d(conv) => Some(conv.in_channels),
            Layer::BatchNorm(norm) if norm.images => Some(norm.features),
            _ => None,
        })
    }

    /// Columns of X of a network that takes rows.
    #[must_use]
    pub fn in_features(&self) -> usize {
        self.layers.iter().find_map(|layer| layer.node().in_features()).unwrap_or(0)
    }

    /// What each layer makes of an X of images of this size, or of rows.
    ///
    /// # Errors
    /// `Error::Shape` if a layer does not fit, with both sides; `Error::Memory` if images between two
    /// layers would be larger than the memory.
    pub fn shapes(&self, image: Option<ImageShape>) -> Result<Vec<Shape>> {
        let names = self.names();
        let x = image.map_or_else(|| Shape::Row(self.in_features()), Shape::Image);
        let mut shapes = vec![x];
        for (layer, name) in self.layers.iter().zip(&names) {
            let shape = layer.node().shape(name, &shapes)?;
            if let Shape::Image(image) = shape {
                check_memory(image)?;
            }
            shapes.push(shape);
        }
        shapes.remove(0);
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
