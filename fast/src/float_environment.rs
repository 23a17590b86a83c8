//! The floating-point environment that the kernels need, whatever the caller's is: round to
//! nearest even, subnormals kept on both sides, no trap.

use std::marker::PhantomData;

/// Holds the default environment while it lives; gives the caller's back when dropped.
pub(crate) struct FloatEnvironment {
    callers: u64,
    /// The register belongs to the thread.
    thread: PhantomData<*const ()>,
}

#[cfg(target_arch = "x86_64")]
mod register {
    use std::arch::asm;

    /// MXCSR after reset: all exceptions masked, nearest even, no DAZ, no FTZ (Intel SDM 1, 10.2.3).
    pub(super) const DEFAULT: u64 = 0x1f80;
    /// The sticky exception flags, which are not a mode.
    pub(super) const FLAGS: u64 = 0x3f;

    pub(super) fn read() -> u64 {
        let mut value = 0u32;
        // SAFETY: stores MXCSR to the given word and touches nothing else.
        unsafe { asm!("stmxcsr [{}]", in(reg) &raw mut value, options(nostack)) };
        u64::from(value)
    }

    pub(super) fn write(value: u64) {
        let value = value as u32;
        // SAFETY: the value is the default or one that was read before, so reserved bits are 0.
        unsafe { asm!("ldmxcsr [{}]", in(reg) &raw const value, options(nostack, readonly)) };
    }
}

#[cfg(target_arch = "aarch64")]
mod register {
    use std::arch::asm;

    /// FPCR of all zeros: nearest even, no flush to zero, no default NaN (Arm ARM, C5.2.8).
    pub(super) const DEFAULT: u64 = 0;
    pub(super) const FLAGS: u64 = 0;

    pub(super) fn read() -> u64 {
        let value;
        // SAFETY: reads FPCR.
        unsafe { asm!("mrs {}, fpcr", out(reg) value, options(nomem, nostack)) };
        value
    }

    pub(super) fn write(value: u64) {
        // SAFETY: the value is the default or one that was read before.
        unsafe { asm!("msr fpcr, {}", in(reg) value, options(nomem, nostack)) };
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod register {
    /// Other targets: Rust itself assumes the default environment.
    pub(super) const DEFAULT: u64 = 0;
    pub(super) const FLAGS: u64 = 0;

    pub(super) fn read() -> u64 {
        DEFAULT
    }

    pub(super) fn write(_: u64) {}
}

impl FloatEnvironment {
    /// Sets the default environment for this thread.
    pub(crate) fn enter() -> Self {
        let callers = register::read();
        if callers & !register::FLAGS != register::DEFAULT {
            register::write(register::DEFAULT);
        }
        Self {
            callers,
            thread: PhantomData,
        }
    }
}

impl Drop for FloatEnvironment {
    fn drop(&mut self) {
        if self.callers & !register::FLAGS != register::DEFAULT {
            register::write(self.callers);
        }
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;

    #[test]
    fn environment_flush_to_zero_vs_default() {
        const FLUSH: u64 = 0x8040;
        register::write(register::DEFAULT | FLUSH);
        {
            let _environment = FloatEnvironment::enter();
            assert_eq!(register::read() & FLUSH, 0);
        }
        assert_eq!(register::read() & FLUSH, FLUSH);
        register::write(register::DEFAULT);
    }
}
