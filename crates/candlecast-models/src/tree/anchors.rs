//! Anchor steps: the steps ahead that trees forecast directly, and the line between them.

/// Most anchors.
pub(crate) const MAX_ANCHORS: usize = 12;

/// Steps forecast directly for a horizon: all up to twelve, otherwise twelve in nearly geometric progression from 1
/// to `horizon`, since near steps differ most from each other in relative terms. Ascending, never empty.
pub(crate) fn anchor_steps(horizon: usize) -> Vec<usize> {
    if horizon <= MAX_ANCHORS {
        return (1..=horizon).collect();
    }
    let ratio = (horizon as f64).powf(1.0 / (MAX_ANCHORS - 1) as f64);
    let mut anchors: Vec<usize> = Vec::with_capacity(MAX_ANCHORS);
    for i in 0..MAX_ANCHORS {
        let geometric = ratio.powi(i as i32).round() as usize;
        anchors.push(anchors.last().map_or(1, |&before| geometric.max(before + 1)));
    }
    anchors[MAX_ANCHORS - 1] = horizon;
    anchors
}

/// Fills `out` (`[step]`, from 1) with the values at the anchors and straight lines between them. The anchors are
/// those of [`anchor_steps`] for `out.len()`. Of prices the values are targets, each in the unit of its own step, which
/// differ less from one step to the next than returns do.
pub(crate) fn interpolate(anchors: &[usize], values: &[f64], out: &mut [f64]) {
    let mut right = 0;
    for (i, o) in out.iter_mut().enumerate() {
        let step = i + 1;
        while anchors[right] < step {
            right += 1;
        }
        *o = if anchors[right] == step {
            values[right]
        } else {
            let (a, b) = (anchors[right - 1] as f64, anchors[right] as f64);
            let share = (step as f64 - a) / (b - a);
            values[right - 1] + share * (values[right] - values[right - 1])
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_ascend_from_one_to_the_horizon() {
        for horizon in 1..=288 {
            let anchors = anchor_steps(horizon);
            assert_eq!(anchors.len(), horizon.min(MAX_ANCHORS));
            assert_eq!((anchors[0], anchors[anchors.len() - 1]), (1, horizon));
            assert!(anchors.windows(2).all(|w| w[0] < w[1]), "{horizon}: {anchors:?}");
        }
        assert_eq!(anchor_steps(24), [1, 2, 3, 4, 5, 6, 7, 8, 10, 13, 18, 24]);
    }

    #[test]
    fn between_anchors_runs_a_line() {
        let anchors = anchor_steps(24);
        let values: Vec<f64> = anchors.iter().map(|&a| 0.5 * a as f64).collect();
        let mut out = [0.0; 24];
        interpolate(&anchors, &values, &mut out);
        for (i, o) in out.iter().enumerate() {
            assert!((o - 0.5 * (i + 1) as f64).abs() < 1e-12);
        }
    }
}
