//! [`Isa`]: the instruction sets the kernels are written for, chosen when the program runs.

use std::fmt;

/// An instruction set. Results are bit for bit the same on one, and differ by rounding between two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Isa {
    /// The reference layers on the `gemm` crate; runs everywhere.
    Portable,
    /// Fused kernels, 8 lanes: AVX2 and FMA.
    Avx2,
    /// Fused kernels, 16 lanes: AVX-512 F, BW, DQ and VL.
    Avx512,
}

impl Isa {
    /// All of them, slowest first.
    pub const ALL: [Self; 3] = [Self::Portable, Self::Avx2, Self::Avx512];

    /// The fastest that this processor has.
    pub fn best() -> Self {
        Self::ALL.into_iter().rev().find(|isa| isa.is_available()).unwrap_or(Self::Portable)
    }

    /// True when this processor has it.
    pub fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            Self::Avx2 => has_avx2(),
            Self::Avx512 => has_avx512(),
        }
    }

    /// `portable`, `avx2` or `avx512`.
    pub fn id(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }

    /// The instruction set of this id.
    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|isa| isa.id() == id)
    }
}

/// The vector instruction set in use, as records and fingerprints name it; results are bit-exact on the same one. The
/// same answer that the kernels are chosen by.
pub fn instruction_set() -> &'static str {
    match Isa::best() {
        Isa::Avx512 => "x86-64 avx512",
        Isa::Avx2 => "x86-64 avx2",
        Isa::Portable if cfg!(target_arch = "x86_64") => "x86_64",
        Isa::Portable if cfg!(target_arch = "aarch64") => "aarch64",
        Isa::Portable => "portable",
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.id())
    }
}

#[cfg(target_arch = "x86_64")]
fn has_avx2() -> bool {
    std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma")
}

#[cfg(target_arch = "x86_64")]
fn has_avx512() -> bool {
    has_avx2()
        && std::arch::is_x86_feature_detected!("avx512f")
        && std::arch::is_x86_feature_detected!("avx512bw")
        && std::arch::is_x86_feature_detected!("avx512dq")
        && std::arch::is_x86_feature_detected!("avx512vl")
}

#[cfg(not(target_arch = "x86_64"))]
fn has_avx2() -> bool {
    false
}

#[cfg(not(target_arch = "x86_64"))]
fn has_avx512() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_is_available_and_ids_are_read_back() {
        assert!(Isa::best().is_available());
        for isa in Isa::ALL {
            assert_eq!(Isa::from_id(isa.id()), Some(isa));
        }
        assert_eq!(Isa::from_id("sse9"), None);
    }
}
