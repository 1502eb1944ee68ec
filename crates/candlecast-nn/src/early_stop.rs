//! [`EarlyStop`]: the best look at the validation part so far, and when to stop waiting for a better one.

use serde::{Deserialize, Serialize};

/// Watches the validation loss.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct EarlyStop {
    /// Lowest validation loss so far.
    pub(crate) best: Option<f64>,
    /// Number of the look that saw it, counted from 1 over the whole fit; 0 for what is known before the first step.
    pub(crate) best_look: usize,
}

impl EarlyStop {
    /// Hears the loss of look `look`; true when it is the lowest so far.
    pub(crate) fn improves(&mut self, look: usize, loss: f64) -> bool {
        let better = self.best.is_none_or(|best| loss < best);
        if better {
            (self.best, self.best_look) = (Some(loss), look);
        }
        better
    }

    /// True when, at look `look`, the best one lies `patience` looks back.
    pub(crate) fn is_over(&self, look: usize, patience: usize) -> bool {
        look >= self.best_look + patience
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_waits_as_long_as_its_patience() {
        let mut stop = EarlyStop::default();
        let over: Vec<bool> = [3.0, 2.0, 2.0, 2.5, 1.0, 1.5, 1.5, 1.0]
            .iter()
            .enumerate()
            .map(|(k, &loss)| {
                stop.improves(k + 1, loss);
                stop.is_over(k + 1, 3)
            })
            .collect();
        assert_eq!(over, [false, false, false, false, false, false, false, true]);
        assert_eq!((stop.best, stop.best_look), (Some(1.0), 5));
    }
}
