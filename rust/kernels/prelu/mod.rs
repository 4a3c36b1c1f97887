//! PReLU (He et al., 2015): y = z where z > 0, else a z. The slopes a are parameters: one for all
//! features, or one for each; of images, one for each channel.
//!
//! - `pass.rs`: [`Prelu`], forward and back with respect to z.
//! - `slopes.rs`: the gradient of slopes by rows, dy min(z, 0) summed over these, and their update.
//! - `images.rs`: the same by pixels of images.
//!
//! Where one slope stands for all, the sums that each would have are added over features or channels by
//! N3, before those of blocks of rows meet (N2).

mod images;
mod pass;
mod slopes;

pub use images::ImageSlopeGradient;
pub use pass::{Prelu, Slopes};
pub use slopes::{SlopeGradient, TrainSlopes};
