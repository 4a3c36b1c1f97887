//! Which rows.

/// Which rows of a source, as many as the target has.
#[derive(Clone, Copy, Debug)]
pub enum RowOrder<'a> {
    /// Those from this one on.
    From(usize),
    /// These.
    List(&'a [u32]),
}

impl RowOrder<'_> {
    /// Rows `start..end` of these.
    #[inline]
    #[must_use]
    pub fn range(self, start: usize, end: usize) -> Self {
        match self {
            Self::From(first) => Self::From(first + start),
            Self::List(list) => Self::List(&list[start..end]),
        }
    }

    /// The source's row that is row `i` of these.
    #[inline(always)]
    #[must_use]
    pub fn at(self, i: usize) -> usize {
        match self {
            Self::From(start) => start + i,
            Self::List(list) => list[i] as usize,
        }
    }
}
