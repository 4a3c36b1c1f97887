//! (introduced by its files)
