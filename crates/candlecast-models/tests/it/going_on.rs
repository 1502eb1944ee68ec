//! Warm starts, checkpoints and cancelling.

use std::ops::ControlFlow;

use candlecast_core::Seed;
use candlecast_learn::{
    Extent, FitContext, FitObserver, FitOutcome, Learner, ModelState, Progress, Samples, Stop, Task, TrainState,
};
use serde_json::json;

use crate::world::{build, direction, fit, predict, price, reverting, volatility, waving};

/// Keeps the checkpoint of one step, and stops at another.
#[derive(Default)]
struct Watcher {
    keep_at: usize,
    stop_at: Option<usize>,
    kept: Option<TrainState>,
    steps: Vec<Progress>,
}

impl FitObserver for Watcher {
    fn on_step(&mut self, progress: &Progress, snapshot: &dyn Fn() -> TrainState) -> ControlFlow<Stop> {
        self.steps.push(*progress);
        if self.steps.len() == self.keep_at {
            self.kept = Some(snapshot());
        }
        if self.stop_at == Some(self.steps.len()) {
            ControlFlow::Break(Stop::Cancelled)
        } else {
            ControlFlow::Continue(())
        }
    }
}

fn watched(
    learner: &dyn Learner,
    (train, valid): (&Samples<'_>, Option<&Samples<'_>>),
    (warm, resume): (Option<&ModelState>, Option<&TrainState>),
    watcher: &mut Watcher,
) -> FitOutcome {
    let mut cx =
        FitContext { seed: Seed(7), valid, threads: 1, warm, resume, extent: Extent::default(), observer: watcher };
    learner.fit(train, &mut cx).unwrap()
}

#[test]
fn a_warm_start_goes_on_where_the_other_fit_ended() {
    for task in [price(3), direction(3), volatility(3)] {
        let world = reverting(800, 0.4, 21, task);
        let config = |rounds: usize| json!({ "rounds": rounds, "patience": 0, "maxDepth": 3 });
        let (half, whole) = (build("gbdt", &config(10)), build("gbdt", &config(20)));
        let first = fit(&*half, &world.train(), None, 1).unwrap().model.state();
        let data = (&world.train(), None);
        let warm = watched(&*half, data, (Some(&first), None), &mut Watcher::default());
        let at_once = fit(&*whole, &world.train(), None, 1).unwrap();
        assert_eq!((warm.steps, at_once.steps), (20, 20));
        assert_eq!(predict(&warm, &world.test()), predict(&at_once, &world.test()));
    }
}

#[test]
fn a_checkpoint_goes_on_bit_for_bit() {
    for task in [price(14), volatility(14)] {
        let world = reverting(800, 0.4, 22, task);
        let (train, held) = (world.train(), world.valid());
        for (id, config, keep_at) in [
            ("gbdt", json!({ "rounds": 40, "patience": 8, "maxDepth": 3, "subsample": 0.7 }), 6),
            ("random-forest", json!({ "trees": 40 }), 2),
        ] {
            let learner = build(id, &config);
            for valid in [Some(&held), None] {
                let mut watcher = Watcher { keep_at, ..Watcher::default() };
                let whole = watched(&*learner, (&train, valid), (None, None), &mut watcher);
                let text = serde_json::to_string(&watcher.kept.expect("the step was reached")).unwrap();
                let kept: TrainState = serde_json::from_str(&text).unwrap();
                let resumed = watched(&*learner, (&train, valid), (None, Some(&kept)), &mut Watcher::default());
                assert_eq!(resumed.model.state(), whole.model.state(), "{id} {task:?}");
                assert_eq!((resumed.steps, &resumed.curve), (whole.steps, &whole.curve), "{id} {task:?}");
            }
        }
    }
}

/// The smearing factor comes from the first of two fits, whose residuals on the held-out samples are those of
/// forecasts; it must outlive an interruption of the second.
#[test]
fn the_smearing_factor_of_the_choosing_fit_is_kept() {
    let world = waving(1500, 26, volatility(1));
    let train = world.train();
    let learner = build("gbdt", &json!({ "rounds": 40, "patience": 40, "maxDepth": 3, "learningRate": 0.2 }));
    let mut watcher = Watcher { keep_at: 41, ..Watcher::default() };
    let whole = watched(&*learner, (&train, None), (None, None), &mut watcher);
    let kept = watcher.kept.expect("the second fit has begun");
    let resumed = watched(&*learner, (&train, None), (None, Some(&kept)), &mut Watcher::default());
    assert_eq!(resumed.model.state(), whole.model.state());
    // The newest 15 % are held out, and as many samples as the horizon has steps are left out before them.
    let cut = train.len() - (train.len() as f64 * 0.15) as usize;
    let (fitted, held) = (train.slice(0..cut - 1), train.slice(cut..train.len()));
    let choosing = fit(&*learner, &fitted, Some(&held), 1).unwrap();
    let factor = |outcome: &FitOutcome| outcome.model.state().f64("smearing", &[1]).unwrap()[0];
    assert_eq!(factor(&whole), factor(&choosing));
    assert_ne!(whole.model.state(), choosing.model.state());
}

/// Without a validation part the rounds are chosen by a first fit; what it found must outlive an interruption of the
/// second.
#[test]
fn the_second_of_two_fits_goes_on_with_the_course_of_the_first() {
    let world = reverting(1500, 0.6, 25, price(1));
    let data = (&world.train(), None);
    let learner = build("gbdt", &json!({ "rounds": 100, "patience": 5, "maxDepth": 3, "learningRate": 0.2 }));
    let mut heard = Watcher::default();
    let whole = watched(&*learner, data, (None, None), &mut heard);
    let (first, both) = (whole.curve.train.len(), heard.steps.len());
    assert!(whole.stopped == Stop::Early && first + 2 < both, "{:?} after {first}, then {both}", whole.stopped);
    for keep_at in [first, first + 1, both] {
        let mut watcher = Watcher { keep_at, ..Watcher::default() };
        watched(&*learner, data, (None, None), &mut watcher);
        let text = serde_json::to_string(&watcher.kept.expect("the step was reached")).unwrap();
        let kept: TrainState = serde_json::from_str(&text).unwrap();
        assert_eq!(kept.step, keep_at);
        let mut rest = Watcher::default();
        let resumed = watched(&*learner, data, (None, Some(&kept)), &mut rest);
        assert_eq!(resumed.model.state(), whole.model.state(), "from {keep_at}");
        let course = (resumed.stopped, resumed.steps, &resumed.curve);
        assert_eq!(course, (whole.stopped, whole.steps, &whole.curve), "from {keep_at}");
        assert_eq!(rest.steps, heard.steps[keep_at..], "from {keep_at}");
    }
}

#[test]
fn cancelling_keeps_the_best_so_far() {
    let world = reverting(1500, 0.5, 23, price(2));
    let (train, held) = (world.train(), world.valid());
    for (id, config) in [("gbdt", json!({})), ("random-forest", json!({ "trees": 100 }))] {
        let learner = build(id, &config);
        let mut watcher = Watcher { stop_at: Some(3), ..Watcher::default() };
        let outcome = watched(&*learner, (&train, Some(&held)), (None, None), &mut watcher);
        assert_eq!((outcome.stopped, watcher.steps.len()), (Stop::Cancelled, 3), "{id}");
        assert!(outcome.steps > 0 && predict(&outcome, &world.test()).mean.iter().any(|v| *v != 0.0), "{id}");
    }
}

#[test]
fn progress_counts_the_rounds_of_both_fits_and_shows_losses() {
    let world = reverting(1500, 0.5, 24, price(2));
    let (train, held) = (world.train(), world.valid());
    let mut watcher = Watcher::default();
    let learner = build("gbdt", &json!({ "rounds": 25, "patience": 25 }));
    let outcome = watched(&*learner, (&train, Some(&held)), (None, None), &mut watcher);
    assert!(watcher.steps.iter().enumerate().all(|(i, p)| p.step == i + 1 && p.of == 50));
    assert!(watcher.steps.iter().enumerate().all(|(i, p)| p.valid_loss.is_some() == (i < 25)));
    // The second fit does as many rounds as are kept of the first.
    assert_eq!(watcher.steps.len(), 25 + outcome.steps);
    let losses = &outcome.curve.train;
    assert!(
        outcome.steps > 0 && (losses.len(), outcome.curve.valid.len()) == (25, 25) && losses[24] < losses[0],
        "{losses:?}"
    );
}

#[test]
fn without_patience_all_rounds_are_done_at_once_on_all_samples() {
    let world = reverting(1500, 0.5, 24, price(2));
    let (train, held) = (world.train(), world.valid());
    let ids = [train.ids(), held.ids()].concat();
    let all = Samples::new(train.data(), &ids, train.lookback(), *train.task(), None);
    let mut watcher = Watcher::default();
    let learner = build("gbdt", &json!({ "rounds": 25, "patience": 0 }));
    let outcome = watched(&*learner, (&train, Some(&held)), (None, None), &mut watcher);
    assert!(watcher.steps.iter().enumerate().all(|(i, p)| p.step == i + 1 && p.of == 25 && p.valid_loss.is_none()));
    assert_eq!((watcher.steps.len(), outcome.stopped, outcome.steps), (25, Stop::Budget, 25));
    assert_eq!(fit(&*learner, &all, None, 1).unwrap().model.state(), outcome.model.state());
}

/// The rounds are chosen on the validation part, and what serves has learnt from it.
#[test]
fn what_serves_is_a_fit_to_both_parts_with_the_rounds_chosen() {
    for task in [price(1), volatility(1)] {
        let world =
            if let Task::Volatility { .. } = task { waving(1500, 27, task) } else { reverting(1500, 0.5, 27, task) };
        let (train, held) = (world.train(), world.valid());
        let ids = [train.ids(), held.ids()].concat();
        let all = Samples::new(train.data(), &ids, train.lookback(), *train.task(), None);
        let config = |rounds: usize, patience: usize| json!({ "rounds": rounds, "patience": patience, "maxDepth": 3 });
        let chosen = fit(&*build("gbdt", &config(200, 10)), &train, Some(&held), 1).unwrap();
        assert!(chosen.steps > 0, "{task:?}");
        let direct = fit(&*build("gbdt", &config(chosen.steps, 0)), &all, None, 1).unwrap();
        let (chosen, direct) = (chosen.model.state(), direct.model.state());
        for tensor in ["base", "scales", "treeNodes", "treeValues"] {
            assert_eq!(chosen.tensors[tensor], direct.tensors[tensor], "{task:?} {tensor}");
        }
    }
}
