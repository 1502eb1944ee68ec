//! `random`: points at random.

use candlecast_core::Stream;
use candlecast_core::catalog::Entry;

use super::{Sampler, View};
use crate::space::Point;

/// Points at random, each value of a parameter as likely as any other, none of them twice.
#[derive(Debug, Clone, Copy, Default)]
pub struct Random;

/// The line in the catalog.
pub(crate) const ENTRY: Entry<dyn Sampler> = Entry {
    id: "random",
    aliases: &[],
    summary: "points at random, none twice",
    params: &[],
    build: |_| Ok(Box::new(Random)),
};

impl Sampler for Random {
    fn propose(&self, view: &View<'_>, rng: &mut Stream) -> Option<Point> {
        view.untried(rng)
    }
}
