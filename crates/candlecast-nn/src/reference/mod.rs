//! The readable network: layers with explicit forward and backward passes on plain row-major arrays, their
//! products by the `gemm` crate. It is the portable path, and what the fused kernels are checked against.

mod activation;
mod gru;
mod head;
mod layer;
mod lstm;
mod network;

pub(crate) use network::ReferenceNetwork;
