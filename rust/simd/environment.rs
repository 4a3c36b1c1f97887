//! The floating-point environment of a call.

/// Puts the default floating-point environment in force while it lives, and then the caller's back.
///
/// Some libraries set flush-to-zero (FTZ) and denormals-are-zero (DAZ), or another rounding mode,
/// for their whole thread; results must not depend on that (N5). On x86-64 this is the MXCSR
/// register, on aarch64 FPCR.
#[derive(Debug)]
pub struct FloatEnvironment {
    callers: Word,
}

#[cfg(target_arch = "x86_64")]
type Word = u32;
#[cfg(target_arch = "aarch64")]
type Word = u64;

/// Round to nearest even, gradual underflow, all exceptions masked.
#[cfg(target_arch = "x86_64")]
const DEFAULT: Word = 0x1f80;
#[cfg(target_arch = "aarch64")]
const DEFAULT: Word = 0;

/// The default with FTZ (bit 15) and DAZ (bit 6); on aarch64 FZ (bit 24).
#[cfg(target_arch = "x86_64")]
const FLUSH_TO_ZERO: Word = DEFAULT | 1 << 15 | 1 << 6;
#[cfg(target_arch = "aarch64")]
const FLUSH_TO_ZERO: Word = 1 << 24;

impl FloatEnvironment {
    /// Sets the default environment.
    #[must_use]
    pub fn enter() -> Self {
        let callers = read();
        if callers != DEFAULT {
            write(DEFAULT);
        }
        Self { callers }
    }

    /// Does work in the caller's environment.
    pub fn outside<R>(&self, work: impl FnOnce() -> R) -> R {
        write(self.callers);
        let result = work();
        write(DEFAULT);
        result
    }

    /// Sets the default environment until [`Self::put_back`], for who has no scope to hold one in; gives
    /// the caller's.
    #[must_use]
    pub fn put_aside() -> u64 {
        let callers = read();
        write(DEFAULT);
        u64::from(callers)
    }

    /// Puts back what [`Self::put_aside`] gave in this thread.
    pub fn put_back(callers: u64) {
        write(callers as Word);
    }

    /// Sets flush-to-zero and, where it is a bit of its own, denormals-are-zero in this thread: what
    /// a test of [`Self::enter`] needs.
    pub fn flush_to_zero() {
        write(FLUSH_TO_ZERO);
    }

    /// The environment word of this thread, for tests of [`Self::enter`].
    #[must_use]
    pub fn word() -> u64 {
        u64::from(read())
    }
}

impl Drop for FloatEnvironment {
    fn drop(&mut self) {
        // The sticky exception flags that our arithmetic raised go with this.
        if self.callers != DEFAULT || read() != DEFAULT {
            write(self.callers);
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn read() -> Word {
    let mut word: Word = 0;
    // SAFETY: stores the register into a local variable; SSE is x86-64's baseline.
    unsafe {
        core::arch::asm!("stmxcsr [{}]", in(reg) &raw mut word, options(nostack, preserves_flags));
    }
    word
}

#[cfg(target_arch = "x86_64")]
fn write(word: Word) {
    // SAFETY: loads the register from a local variable; every value written is one that was read
    // from the register, or the default.
    unsafe {
        core::arch::asm!("ldmxcsr [{}]", in(reg) &raw const word, options(nostack, preserves_flags));
    }
}

#[cfg(target_arch = "aarch64")]
fn read() -> Word {
    let word: Word;
    // SAFETY: reads a register that user code may read.
    unsafe {
        core::arch::asm!("mrs {}, fpcr", out(reg) word, options(nomem, nostack, preserves_flags))
    };
    word
}

#[cfg(target_arch = "aarch64")]
fn write(word: Word) {
    // SAFETY: writes a register that user code may write.
    unsafe {
        core::arch::asm!("msr fpcr, {}", in(reg) word, options(nomem, nostack, preserves_flags))
    };
}
