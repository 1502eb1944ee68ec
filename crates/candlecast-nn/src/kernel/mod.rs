//! The only place with `unsafe`: fused vector kernels, the team of threads, and the front to the `gemm` crate.
//!
//! The kernels are written once over the trait `Simd` and compiled for AVX-512 and for AVX2 with FMA; which of them
//! runs is chosen when the program runs. On other processors this module holds the team and the matrix products
//! only.

mod matmul;
mod team;

#[cfg(target_arch = "x86_64")]
mod fused;

#[cfg(target_arch = "x86_64")]
pub(crate) use fused::FusedNetwork;
pub use matmul::sgemm;
pub(crate) use matmul::{Matrix, MatrixMut, multiply};
pub(crate) use team::Team;
