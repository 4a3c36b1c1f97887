//! How wide the units are that work on registers.

/// Whether 512-bit registers go through units of 256 bits, half by half, as Zen 4's do. Such a CPU makes
/// one multiply-add of 512 bits a cycle, and a store takes 1.5 of them.
#[must_use]
pub fn halve_registers() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        use std::sync::atomic::{AtomicU8, Ordering};
        // A virtual machine takes microseconds to answer. 0 until then; threads that ask at once all
        // get the same answer, and none waits for another, which a fork could have cut off.
        static ANSWER: AtomicU8 = AtomicU8::new(0);
        match ANSWER.load(Ordering::Relaxed) {
            0 => {
                let answer = amd_says_256();
                ANSWER.store(1 + u8::from(answer), Ordering::Relaxed);
                answer
            }
            answer => answer == 2,
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Only AMD has the leaf: bit 2 stands for units of 256 bits, bit 3 for 512.
#[cfg(target_arch = "x86_64")]
fn amd_says_256() -> bool {
    use core::arch::x86_64::__cpuid;
    const LAST: u32 = 0x8000_0000;
    const UNITS: u32 = 0x8000_001a;
    // SAFETY: all of x86-64 has the instruction.
    #[allow(unused_unsafe, reason = "newer versions of Rust have a safe function")]
    let leaf = |leaf| unsafe { __cpuid(leaf) }.eax;
    leaf(LAST) >= UNITS && leaf(UNITS) >> 2 & 3 == 1
}
