//! What boosted trees and forests share: binned features, histograms, split search, trees and their storage.

mod anchors;
mod binning;
mod encode;
mod grow;
mod histogram;
mod matrix;
mod node;
mod split;
mod workers;

pub(crate) use anchors::{anchor_steps, interpolate};
pub(crate) use binning::{Binned, Columns};
pub(crate) use encode::{decode, encode};
pub(crate) use grow::{GrowConfig, GrowInput, Grower};
pub use matrix::Matrix;
pub(crate) use matrix::{anchor_targets, inputs};
pub(crate) use node::{Tree, gain_importances};
pub(crate) use split::SplitRules;
pub(crate) use workers::Workers;
