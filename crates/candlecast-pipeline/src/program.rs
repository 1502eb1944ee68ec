//! What tells one program from another as far as results go: by what it is built from and by how the machine computes,
//! never by a file's time or place. So a program that was built from the same sources on another machine goes on with
//! what this one kept, and one with a changed line of a model does not.
//!
//! The instruction set alone does not say how a machine computes: logarithms and exponentials are those of its C library,
//! and matrix products sum in blocks whose length follows the sizes of its caches. So a few results are computed and
//! hashed, each by the same way as in a fit.

use std::hint::black_box;
use std::sync::OnceLock;

use candlecast_core::hex;
use sha2::{Digest, Sha256};

use crate::fingerprint::instruction_set;

/// Arguments at which functions are looked at.
const N_ARGUMENTS: u32 = 512;
/// Terms of a sum in a matrix product that is looked at: more than any block of one.
const N_TERMS: usize = 16_384;
/// Columns of the regression that is looked at.
const N_FEATURES: usize = 32;
/// Rows and columns of the product in single precision that is looked at.
const SIDE: usize = 16;

/// Version, sources, compiler, target, features and arithmetic of this program in one hash, hexadecimal: equal ones give
/// equal bits. Computed at the first call, which takes some milliseconds.
pub fn program_identity() -> &'static str {
    static IDENTITY: OnceLock<String> = OnceLock::new();
    IDENTITY.get_or_init(|| {
        let mut hash = Sha256::new();
        let built = [
            env!("CARGO_PKG_VERSION"),
            env!("CANDLECAST_SOURCES"),
            env!("CANDLECAST_COMPILER"),
            env!("CANDLECAST_TARGET"),
            instruction_set(),
        ];
        for part in built {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        hash.update(arithmetic().as_bytes());
        hex(&hash.finalize())
    })
}

/// Hash of what this machine computes, hexadecimal.
fn arithmetic() -> String {
    let mut hash = Sha256::new();
    functions(&mut hash);
    double_precision(&mut hash);
    single_precision(&mut hash);
    hex(&hash.finalize())
}

/// Functions that are the C library's.
fn functions(hash: &mut Sha256) {
    for i in 0..N_ARGUMENTS {
        // A compiler that knew the arguments would compute them itself.
        let x = black_box(0.013 + 0.0371 * f64::from(i));
        for value in [x.exp(), x.ln(), x.exp_m1(), x.ln_1p(), x.sin(), x.cos(), x.tanh(), x.powf(1.37)] {
            hash.update(value.to_le_bytes());
        }
        let x = x as f32;
        for value in [x.exp(), x.ln(), x.tanh(), x.powf(1.37)] {
            hash.update(value.to_le_bytes());
        }
    }
}

/// Long sums and a factorisation, as in a regression.
fn double_precision(hash: &mut Sha256) {
    let x: Vec<f64> = (0..N_TERMS * N_FEATURES).map(|i| uneven(i, 7_919)).collect();
    let y: Vec<f64> = (0..N_TERMS).map(|i| uneven(i, 104_729)).collect();
    // The columns are of full rank. Where they were not, that would be the same everywhere.
    if let Ok(fit) = candlecast_models::ridge(&x, &y, N_FEATURES, 1, 1.0) {
        fit.coefficients.iter().chain(&fit.intercept).for_each(|value| hash.update(value.to_le_bytes()));
    }
}

/// Long sums, as in a layer of a network without kernels of its own.
fn single_precision(hash: &mut Sha256) {
    let of = |step| -> Vec<f32> { (0..SIDE * N_TERMS).map(|i| uneven(i, step) as f32).collect() };
    let mut product = vec![0.0_f32; SIDE * SIDE];
    candlecast_nn::sgemm(&mut product, &of(7_919), &of(104_729), (SIDE, N_TERMS, SIDE));
    product.iter().for_each(|value| hash.update(value.to_le_bytes()));
}

/// The `i`-th of a row of numbers within -0.5 to 0.5 that follow no order; most are no sums of few powers of two, so that
/// another order of a sum is another sum.
fn uneven(i: usize, step: usize) -> f64 {
    ((i * step + 1) % 65_537) as f64 / 65_537.0 - 0.5
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identity_is_a_hash_that_stays_the_same() {
        let identity = program_identity();
        assert!(identity.len() == 64 && identity.bytes().all(|b| b.is_ascii_hexdigit()), "{identity}");
        assert_eq!(arithmetic(), arithmetic());
    }

    #[test]
    fn the_sources_are_known() {
        let sources = env!("CANDLECAST_SOURCES");
        assert!(sources.len() == 16 && sources != "cbf29ce484222325", "{sources}: nothing was hashed");
        assert!(env!("CANDLECAST_COMPILER").starts_with("rustc "), "{}", env!("CANDLECAST_COMPILER"));
        assert!(env!("CANDLECAST_TARGET").contains('-'), "{}", env!("CANDLECAST_TARGET"));
    }

    /// Were sums of these numbers exact, machines that sum in another order would look alike.
    #[test]
    fn sums_of_the_numbers_depend_on_their_order() {
        let terms: Vec<f64> = (0..N_TERMS).map(|i| uneven(i, 7_919) * uneven(i, 104_729)).collect();
        let in_order: f64 = terms.iter().sum();
        let in_blocks: f64 = terms.chunks(512).map(|block| block.iter().sum::<f64>()).sum();
        assert_ne!(in_order.to_bits(), in_blocks.to_bits());
        let single: f32 = terms.iter().map(|&term| term as f32).sum();
        let in_blocks: f32 = terms.chunks(512).map(|block| block.iter().map(|&term| term as f32).sum::<f32>()).sum();
        assert_ne!(single.to_bits(), in_blocks.to_bits());
    }

    #[test]
    fn the_regression_can_be_solved() {
        let x: Vec<f64> = (0..N_TERMS * N_FEATURES).map(|i| uneven(i, 7_919)).collect();
        let y: Vec<f64> = (0..N_TERMS).map(|i| uneven(i, 104_729)).collect();
        let fit = candlecast_models::ridge(&x, &y, N_FEATURES, 1, 1.0).unwrap();
        assert_eq!((fit.coefficients.len(), fit.intercept.len()), (N_FEATURES, 1));
        assert!(fit.coefficients.iter().all(|b| b.is_finite() && *b != 0.0));
    }
}
