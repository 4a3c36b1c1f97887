//! The instruction set chosen at run time.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicU8, Ordering};

use super::Kernel;
use super::portable;
#[cfg(target_arch = "x86_64")]
use super::{avx2, avx512};
use crate::error::{Error, Result};

/// An instruction set that this host runs; holding one is the proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Isa(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

/// In the order of their numbers.
const KINDS: &[Kind] = &[
    Kind::Portable,
    #[cfg(target_arch = "x86_64")]
    Kind::Avx2,
    #[cfg(target_arch = "x86_64")]
    Kind::Avx512,
];

/// Names that `IRONMLP_ISA` takes.
const NAMES: &str = "portable, avx2, avx512";

impl Isa {
    /// Plain Rust, which every host runs.
    pub const PORTABLE: Self = Self(Kind::Portable);

    /// All that this host runs, slowest first.
    #[must_use]
    pub fn all() -> Vec<Self> {
        #[allow(unused_mut)]
        let mut all = vec![Self(Kind::Portable)];
        #[cfg(target_arch = "x86_64")]
        {
            // Exactly the features that `enter` in `avx2.rs` and `avx512.rs` enables.
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                all.push(Self(Kind::Avx2));
                if is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512bw")
                {
                    all.push(Self(Kind::Avx512));
                }
            }
        }
        all
    }

    /// The one to use: `IRONMLP_ISA` if it is set, else the fastest. Looked up once a process.
    ///
    /// # Errors
    /// `Error::Value` if `IRONMLP_ISA` names none, or one that this host does not run.
    pub fn chosen() -> Result<Self> {
        // Threads that ask at once all find the same, and none waits for another, which a fork could
        // have cut off. No kind has the number that stands for none yet.
        static CHOSEN: AtomicU8 = AtomicU8::new(u8::MAX);
        if let Some(&kind) = KINDS.get(usize::from(CHOSEN.load(Ordering::Relaxed))) {
            return Ok(Self(kind));
        }
        let isa = match std::env::var("IRONMLP_ISA") {
            Ok(name) if !name.is_empty() => Self::by_name(&name)?,
            _ => *Self::all().last().unwrap_or(&Self::PORTABLE),
        };
        CHOSEN.store(isa.0 as u8, Ordering::Relaxed);
        Ok(isa)
    }

    /// The instruction set of that name.
    ///
    /// # Errors
    /// `Error::Value` if there is none, or if this host does not run it.
    pub fn by_name(name: &str) -> Result<Self> {
        let all = Self::all();
        if let Some(&isa) = all.iter().find(|isa| isa.name() == name) {
            return Ok(isa);
        }
        let here = all.iter().map(|isa| isa.name()).collect::<Vec<_>>().join(", ");
        Err(Error::Value(if NAMES.split(", ").any(|known| known == name) {
            format!("IRONMLP_ISA is {name:?}, this machine runs {here}")
        } else {
            format!("IRONMLP_ISA is {name:?}, known are {NAMES}")
        }))
    }

    /// `"portable"`, `"avx2"` or `"avx512"`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self.0 {
            Kind::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => "avx512",
        }
    }

    /// The instruction set for work that fills no 512-bit register: AVX2 instead of AVX-512, whose
    /// comparisons go through mask registers, 3 cycles more each.
    #[must_use]
    pub fn narrow(self) -> Self {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => Self(Kind::Avx2),
            _ => self,
        }
    }

    /// Runs a kernel.
    #[inline]
    pub fn run<K: Kernel>(self, kernel: K) -> K::Output {
        self.entry::<K>().call(kernel)
    }

    /// The kernel's function for this instruction set, to be called many times.
    #[must_use]
    pub fn entry<K: Kernel>(self) -> Entry<K> {
        let function: unsafe fn(K) -> K::Output = match self.0 {
            Kind::Portable => portable::enter::<K>,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => avx2::enter::<K>,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => avx512::enter::<K>,
        };
        Entry { function, kernel: PhantomData }
    }
}

/// A kernel compiled for an instruction set that this host runs.
pub struct Entry<K: Kernel> {
    function: unsafe fn(K) -> K::Output,
    kernel: PhantomData<fn(K)>,
}

impl<K: Kernel> Entry<K> {
    /// Runs the kernel.
    #[inline(always)]
    pub fn call(&self, kernel: K) -> K::Output {
        // SAFETY: `Isa::entry` chose the function for an instruction set that the host runs.
        unsafe { (self.function)(kernel) }
    }
}

impl<K: Kernel> Clone for Entry<K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K: Kernel> Copy for Entry<K> {}
