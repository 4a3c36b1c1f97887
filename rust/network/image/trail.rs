//! How the gradient goes back through a layer of images.

use super::norm::NormTrail;
use super::op::{ImageBuffer, PoolOp};
use crate::kernels::activation::Activation;

/// What the forward pass through a layer leaves for the way back.
#[derive(Clone, Copy)]
pub(super) enum ImageTrail {
    Convolution { conv: usize, input: ImageBuffer },
    Activation { activation: Activation, saved: ImageBuffer },
    Prelu { index: usize, trainable: bool, z: ImageBuffer },
    Dropout { mask: ImageBuffer },
    Pool(PoolOp),
    BatchNorm(NormTrail),
    Nothing,
}
