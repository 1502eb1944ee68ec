//! [`EarlyStop`]: the best epoch so far, and when to stop waiting for a better one.

use serde::{Deserialize, Serialize};

/// Watches the validation loss.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct EarlyStop {
    /// Lowest validation loss so far.
    pub(crate) best: Option<f64>,
    /// Epochs behind the weights that had it, counted from 1; 0 before the first.
    pub(crate) best_epoch: usize,
}

impl EarlyStop {
    /// Hears the loss after `epoch` epochs; true when it is the lowest so far.
    pub(crate) fn improves(&mut self, epoch: usize, loss: f64) -> bool {
        let better = self.best.is_none_or(|best| loss < best);
        if better {
            (self.best, self.best_epoch) = (Some(loss), epoch);
        }
        better
    }

    /// True when the best epoch lies `patience` epochs back.
    pub(crate) fn is_over(&self, epoch: usize, patience: usize) -> bool {
        epoch >= self.best_epoch + patience
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
        assert_eq!((stop.best, stop.best_epoch), (Some(1.0), 5));
    }
}
