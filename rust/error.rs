//! The one error type of the crate; `python/error.rs` maps it to Python's exceptions.

use std::fmt;

/// What can go wrong, with the data that a message needs.
///
/// Every message names the argument and both sides: what came and what was needed.
#[derive(Clone, Debug, PartialEq)]
pub enum Error {
    /// A size that does not fit (`ValueError`), e.g. "X has 31 columns, the network takes 30".
    Shape(String),
    /// A value that an argument must not have (`ValueError`).
    Value(String),
    /// A label outside the classes (`ValueError`).
    Label {
        /// The argument's name.
        argument: &'static str,
        /// Row of the label.
        row: usize,
        /// The label found.
        label: i64,
        /// Labels run from 0 to `classes - 1`.
        classes: usize,
    },
    /// Weights whose sum is a divisor, and 0 (`ZeroDivisionError`).
    ZeroWeight,
    /// NaN or infinity where finite numbers are needed (`ValueError`).
    NonFinite {
        /// The argument's name.
        argument: &'static str,
        /// First row that holds one.
        row: usize,
        /// The first such column of that row, by name or number, where there are columns.
        column: Option<String>,
    },
    /// A dtype or kind of object that does not fit (`TypeError`).
    Type(String),
    /// More memory than the machine or its cgroup has (`MemoryError`).
    Memory {
        /// Bytes that were asked for.
        needed: u64,
        /// Bytes that are available.
        available: u64,
    },
    /// The model is in training elsewhere (`RuntimeError`).
    Busy(String),
    /// The model has to learn something first (`RuntimeError`).
    Unready(String),
    /// A step's loss was not finite; the step was not applied (`FloatingPointError`).
    Diverged {
        /// Zero-based epoch of the model.
        epoch: u64,
        /// Zero-based batch within the epoch.
        batch: u64,
    },
    /// The call was to end early, by Ctrl-C (`KeyboardInterrupt`, or what a signal's handler raised).
    Interrupted,
    /// A step with a finite loss has left parameters or moments that are not (`FloatingPointError`).
    Overflow {
        /// Which of them.
        tensor: String,
        /// Zero-based epoch of the model in which it was found.
        epoch: u64,
        /// Zero-based batch at which it was found.
        batch: u64,
    },
    /// A defect of this crate, a caught panic among them (`RuntimeError`).
    Internal(String),
}

/// A result with the crate's error.
pub type Result<T> = std::result::Result<T, Error>;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shape(message)
            | Self::Value(message)
            | Self::Type(message)
            | Self::Busy(message)
            | Self::Unready(message)
            | Self::Internal(message) => f.write_str(message),
            Self::Interrupted => f.write_str("interrupted"),
            Self::ZeroWeight => f.write_str(
                "sample_weight sums to zero over the rows of a batch, and the loss divides by that \
                 sum: leave rows of zero weight out, or take larger batches",
            ),
            Self::Label { argument, row, label, classes } => write!(
                f,
                "{argument}[{row}] is {label}, the network has classes 0 to {}",
                classes - 1
            ),
            Self::NonFinite { argument, row, column } => {
                write!(f, "{argument} has a NaN or infinite value in row {row}")?;
                if let Some(column) = column {
                    write!(f, ", column {column}")?;
                }
                f.write_str(", all must be finite")
            }
            Self::Memory { needed, available } => {
                write!(f, "{needed} bytes are needed, {available} bytes are available")
            }
            Self::Diverged { epoch, batch } => write!(
                f,
                "training diverged: the loss of epoch {epoch}, batch {batch} is not finite; \
                 the model is as it was before that batch (a lower learning rate may help)"
            ),
            Self::Overflow { tensor, epoch, batch } => write!(
                f,
                "training diverged: {tensor} has NaN or infinite values, found at epoch {epoch}, \
                 batch {batch}; the model keeps them until reset() (a lower learning rate may help)"
            ),
        }
    }
}

impl std::error::Error for Error {}
