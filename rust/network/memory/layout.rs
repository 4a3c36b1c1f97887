//! Where parameters, gradients and moments lie, and how they look from outside.
//!
//! Inside, a weight is kept transposed and in panels: rows are inputs, columns outputs, the right
//! operand of the forward product as it is. Gradients and moments share that layout, so that the
//! update of 16 inputs x 16 outputs is one pass over consecutive elements. A second copy of the
//! weights, not transposed, is the right operand of the input gradient; a layer that reads images needs
//! none, and plans make that of a convolution. At every boundary the layout is canonical: per layer the
//! weight (out, in), row-major, then the bias (out). A convolution's inputs are (channel of the group,
//! kernel row, kernel column).

use super::running::RunningLayout;
use super::view::{view, whole};
use crate::error::{Error, Result};
use crate::kernels::elementary::Elementary;
use crate::kernels::gemm::{Transpose, pack, unpack};
use crate::kernels::panels::{Panels, Span};
use crate::kernels::weight::ParameterSums;
use crate::network::nodes::Weighted;
use crate::network::spec::Spec;
use crate::runtime::{Arena, memory};
use crate::simd::{Isa, LANES};

/// Where one layer's parameters lie in a buffer.
#[derive(Clone, Debug)]
pub(in crate::network) struct LayerLayout {
    /// The layer's name.
    name: String,
    /// Inputs of one output.
    pub inputs: usize,
    /// Outputs: units or channels.
    pub outputs: usize,
    /// The weight's shape from outside.
    shape: Vec<usize>,
    /// Whether there is a bias; its 16-padded row exists, at +0, in either case.
    pub bias: bool,
    /// Factor on the learning rate.
    pub lr_scale: f64,
    /// As [`Weighted::is_matrix`].
    pub matrix: bool,
    /// Whether its weight has a second copy.
    pub(in crate::network) copied: bool,
    pub(in crate::network) weight_at: usize,
    weight_stride: usize,
    pub(in crate::network) bias_at: usize,
    backward_at: usize,
    backward_stride: usize,
    /// Where its entries begin in a table of sums over blocks of parameters, and how many they are.
    sums: (usize, usize),
}

/// Where all parameters lie.
#[derive(Clone, Debug)]
pub struct Layout {
    /// First to last.
    pub(in crate::network) layers: Vec<LayerLayout>,
    /// Of what normalizations over batches keep, which is in no such buffer.
    pub running: RunningLayout,
    /// Of the network: [`Spec::fingerprint`].
    pub(in crate::network) fingerprint: u64,
    /// Elements of a buffer of parameters, gradients or moments.
    len: usize,
    /// Elements of the part of the layers on images, which comes first.
    images_len: usize,
    /// Elements of the buffer of weights for the input gradients.
    backward_len: usize,
    /// Entries of a table of sums over blocks of parameters (N3).
    sums_len: usize,
}

impl Layout {
    /// The layout for elements of `size` bytes.
    ///
    /// # Errors
    /// `Error::Value` for more elements than an address space holds.
    pub fn new<T: Elementary>(spec: &Spec) -> Result<Self> {
        let too_large =
            || Error::Value("the network has more parameters than memory can hold".into());
        let parameters = spec.parameter_count()?;
        // Padding at most multiplies by 16 x 2; a buffer must stay below 2^62 bytes.
        if parameters > (1 << 54) {
            memory::check(parameters.saturating_mul(size_of::<T>() as u64))?;
            return Err(too_large());
        }
        let (mut len, mut backward_len, mut images_len) = (0usize, 0usize, 0usize);
        let mut sums_len = 0;
        let mut layers = Vec::new();
        let names = spec.names();
        for weighted in spec.weighted() {
            let matrix = weighted.is_matrix();
            let Weighted { layer, inputs, outputs, shape, bias, lr_scale, .. } = weighted;
            let on_images = spec.works_on_images(layer);
            let weight_stride = Panels::<T>::padded_stride(inputs, size_of::<T>());
            let backward_stride = Panels::<T>::padded_stride(outputs, size_of::<T>());
            let weight_len =
                outputs.div_ceil(LANES).checked_mul(weight_stride).ok_or_else(too_large)?;
            let copied = spec.is_copied(layer);
            let backward = match copied {
                true => {
                    inputs.div_ceil(LANES).checked_mul(backward_stride).ok_or_else(too_large)?
                }
                false => 0,
            };
            let bias_at = len.checked_add(weight_len).ok_or_else(too_large)?;
            layers.push(LayerLayout {
                name: names[layer].clone(),
                inputs,
                outputs,
                shape,
                bias,
                lr_scale,
                matrix,
                copied,
                weight_at: len,
                weight_stride,
                bias_at,
                backward_at: backward_len,
                backward_stride,
                sums: (sums_len, ParameterSums::count(inputs, outputs)),
            });
            sums_len += ParameterSums::count(inputs, outputs);
            len = bias_at.checked_add(outputs.next_multiple_of(LANES)).ok_or_else(too_large)?;
            backward_len = backward_len.checked_add(backward).ok_or_else(too_large)?;
            if on_images {
                images_len = len;
            }
        }
        // A padded stride is a multiple of a cache line, in f64 8 elements; sums of whole buffers take 16.
        let len = len.checked_next_multiple_of(LANES).ok_or_else(too_large)?;
        let tracked = spec.tracked().map(|tracked| (names[tracked.layer].clone(), tracked));
        let (running, fingerprint) = (RunningLayout::new(tracked)?, spec.fingerprint());
        Ok(Self { layers, running, fingerprint, len, images_len, backward_len, sums_len })
    }

    /// How many layers have parameters.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.layers.len()
    }

    /// A zeroed buffer for parameters, gradients or moments.
    ///
    /// # Errors
    /// `Error::Memory` if there is no room.
    pub fn buffer<T: Elementary>(&self) -> Result<Arena<T>> {
        Arena::zeroed(self.len)
    }

    /// A zeroed buffer for the gradients of the layers on images alone.
    ///
    /// # Errors
    /// `Error::Memory` if there is no room.
    pub fn images_buffer<T: Elementary>(&self) -> Result<Arena<T>> {
        Arena::zeroed(self.images_len)
    }

    /// A zeroed table for two sums over blocks of parameters: see [`Self::sums`].
    ///
    /// # Errors
    /// `Error::Memory` if there is no room.
    pub fn sums_table(&self) -> Result<Arena<f64>> {
        Arena::zeroed(2 * self.sums_len)
    }

    /// The entries of both sums of such a table.
    pub(in crate::network) fn sums(&self, table: &Arena<f64>) -> [Span<f64>; 2] {
        let (table, len) = (whole(table), self.sums_len);
        [table.slice(0, len), table.slice(len, 2 * len)]
    }

    /// A zeroed buffer for the weights as the input gradients read them.
    ///
    /// # Errors
    /// `Error::Memory` if there is no room.
    pub fn backward_buffer<T: Elementary>(&self) -> Result<Arena<T>> {
        Arena::zeroed(self.backward_len)
    }

    /// Whether a buffer, and one of the weights' second copies, have the right lengths.
    pub(in crate::network) fn fits<T: Elementary>(
        &self,
        buffer: &Arena<T>,
        backward: &Arena<T>,
    ) -> bool {
        buffer.len() == self.len && backward.len() == self.backward_len
    }

    /// Bytes of `buffers` buffers and of the weights' second copy.
    #[must_use]
    pub fn bytes<T: Elementary>(&self, buffers: usize) -> u64 {
        (self.len as u64)
            .saturating_mul(buffers as u64)
            .saturating_add(self.backward_len as u64)
            .saturating_mul(size_of::<T>() as u64)
    }

    /// Copies a buffer out: for each layer its weight and, if it has one, its bias.
    ///
    /// # Errors
    /// `Error::Memory` if there is no room for the copies.
    pub fn export<T: Elementary>(&self, buffer: &Arena<T>) -> Result<Vec<Vec<T>>> {
        let mut tensors = Vec::new();
        for layer in &self.layers {
            let mut weight = memory::filled(T::ZERO, layer.outputs * layer.inputs)?;
            unpack(layer.weight(buffer), &mut weight, 1, layer.inputs);
            tensors.push(weight);
            if layer.bias {
                let mut bias = memory::filled(T::ZERO, layer.outputs)?;
                unpack(layer.bias(buffer), &mut bias, 0, 1);
                tensors.push(bias);
            }
        }
        Ok(tensors)
    }

    /// Copies tensors in the order and sizes of [`Self::export`] into a buffer.
    ///
    /// # Panics
    /// If their number or a length differs; the callers check both.
    pub fn import<T: Elementary>(&self, tensors: &[Vec<T>], buffer: &Arena<T>) {
        let mut tensors = tensors.iter();
        for layer in &self.layers {
            let weight = tensors.next().expect("a weight for each layer");
            assert_eq!(weight.len(), layer.outputs * layer.inputs);
            pack(weight, 1, layer.inputs, layer.weight(buffer));
            if layer.bias {
                let bias = tensors.next().expect("a bias for each layer that has one");
                assert_eq!(bias.len(), layer.outputs);
                pack(bias, 0, 1, layer.bias(buffer));
            }
        }
        assert!(tensors.next().is_none());
    }

    /// Elements of [`Self::export_packed`].
    #[must_use]
    pub fn packed_len(&self) -> usize {
        self.layers
            .iter()
            .map(|layer| layer.outputs * (layer.inputs + usize::from(layer.bias)))
            .sum()
    }

    /// Copies a buffer out as one list: the weights of all layers, each (in, out) and row-major, then their
    /// biases.
    ///
    /// # Panics
    /// If the list has another length than [`Self::packed_len`].
    pub fn export_packed<T: Elementary>(&self, buffer: &Arena<T>, mut list: &mut [T]) {
        assert_eq!(list.len(), self.packed_len());
        for (layer, weight) in self.pieces() {
            let count = layer.outputs * if weight { layer.inputs } else { 1 };
            let piece;
            (piece, list) = list.split_at_mut(count);
            let view = if weight { layer.weight(buffer) } else { layer.bias(buffer) };
            unpack(view, piece, layer.outputs, 1);
        }
    }

    /// Copies such a list into a buffer.
    ///
    /// # Panics
    /// As [`Self::export_packed`].
    pub fn import_packed<T: Elementary>(&self, mut list: &[T], buffer: &Arena<T>) {
        assert_eq!(list.len(), self.packed_len());
        for (layer, weight) in self.pieces() {
            let count = layer.outputs * if weight { layer.inputs } else { 1 };
            let piece;
            (piece, list) = list.split_at(count);
            let view = if weight { layer.weight(buffer) } else { layer.bias(buffer) };
            pack(piece, layer.outputs, 1, view);
        }
    }

    /// What a packed list has: of which layers the weight, then of which the bias.
    fn pieces(&self) -> impl Iterator<Item = (&LayerLayout, bool)> {
        let weights = self.layers.iter().map(|layer| (layer, true));
        weights.chain(self.layers.iter().filter(|layer| layer.bias).map(|layer| (layer, false)))
    }

    /// The shapes of its weights, and of its biases.
    #[must_use]
    pub fn packed_shapes(&self) -> [Vec<Vec<usize>>; 2] {
        let shape = |(layer, weight): (&LayerLayout, bool)| match weight {
            true => vec![layer.inputs, layer.outputs],
            false => vec![layer.outputs],
        };
        let mut shapes = [Vec::new(), Vec::new()];
        for piece in self.pieces() {
            shapes[usize::from(!piece.1)].push(shape(piece));
        }
        shapes
    }

    /// The names of the tensors of [`Self::export`]: "0.weight", "0.bias", "2.weight".
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        for layer in &self.layers {
            names.push(format!("{}.weight", layer.name));
            if layer.bias {
                names.push(format!("{}.bias", layer.name));
            }
        }
        names
    }

    /// The shapes of the tensors of [`Self::export`].
    #[must_use]
    pub fn shapes(&self) -> Vec<Vec<usize>> {
        let mut shapes = Vec::new();
        for layer in &self.layers {
            shapes.push(layer.shape.clone());
            if layer.bias {
                shapes.push(vec![layer.outputs]);
            }
        }
        shapes
    }
}

impl LayerLayout {
    /// The transposed weight (in, out).
    pub(in crate::network) fn weight<T: Elementary>(&self, buffer: &Arena<T>) -> Panels<T> {
        view(buffer, self.weight_at, self.inputs, self.outputs, self.weight_stride)
    }

    /// Its entries among those of a sum.
    pub(in crate::network) fn entries(&self, sum: Span<f64>) -> Span<f64> {
        let (start, count) = self.sums;
        sum.slice(start, start + count)
    }

    /// The bias as a matrix of one row.
    pub(in crate::network) fn bias<T: Elementary>(&self, buffer: &Arena<T>) -> Panels<T> {
        view(buffer, self.bias_at, 1, self.outputs, LANES)
    }

    /// The weight (out, in) of a layer that is copied, in the buffer of [`Layout::backward_buffer`].
    pub(in crate::network) fn backward_weight<T: Elementary>(
        &self,
        buffer: &Arena<T>,
    ) -> Panels<T> {
        view(buffer, self.backward_at, self.outputs, self.inputs, self.backward_stride)
    }
}

/// Makes the second copy of a weight from the first.
pub(in crate::network) fn transpose<T: Elementary>(isa: Isa, source: Panels<T>, target: Panels<T>) {
    for block in 0..source.rows().div_ceil(LANES) {
        for panel in 0..source.panels() {
            isa.run(Transpose { source, target, block, panel });
        }
    }
}
