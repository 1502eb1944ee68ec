//! What holds of every space, drawn at random.

use candlecast_core::{Seed, Stream};
use proptest::prelude::*;
use serde_json::json;

use crate::{
    Ask, Dimension, Domain, Goal, Grid, HalvingConfig, Outcome, Random, Sampler, Space, Study, StudyPlan, TpeConfig,
    TrialState,
};

fn domain(rng: &mut Stream) -> Domain {
    let low = rng.below(20) as i64 + 1;
    let width = rng.below(9) as i64;
    let number = rng.uniform() * 4.0 + 0.001;
    match rng.below(7) {
        0 => Domain::int(low, low + width, 1, rng.below(2) == 0).unwrap(),
        1 => Domain::int(-low, width, 1 + rng.below(3) as i64, false).unwrap(),
        2 => Domain::float(-number, number, None, false).unwrap(),
        3 => Domain::float(number, number * 1e3, None, true).unwrap(),
        4 => Domain::float(number, number + 1.0, Some(0.1 + rng.uniform() / 4.0), false).unwrap(),
        5 => Domain::list((0..=width).map(|i| json!(i * i)).collect()).unwrap(),
        _ => Domain::list(vec![json!(null), json!([32, 16]), json!("word"), json!(true)]).unwrap(),
    }
}

/// One to six parameters, each with some chance dependent on one before it.
fn space(rng: &mut Stream) -> Space {
    let mut dimensions: Vec<Dimension> = Vec::new();
    for i in 0..=rng.below(6) {
        let mut dimension = Dimension::new(format!("p{i}"), domain(rng));
        let parent = (i > 0 && rng.below(2) == 0).then(|| &dimensions[rng.below(i)]);
        if let Some((parent, n)) = parent.and_then(|parent| Some((parent, parent.domain().n_values()?))) {
            let mut codes: Vec<u64> = (0..n).collect();
            rng.shuffle(&mut codes);
            codes.truncate(1 + rng.below(n as usize));
            let values = codes.into_iter().map(|i| parent.domain().value(parent.domain().code_at(i))).collect();
            dimension = dimension.when(parent.name(), values);
        }
        dimensions.push(dimension);
    }
    rng.shuffle(&mut dimensions);
    Space::new(dimensions).unwrap()
}

fn study(seed: u64, parallel: u32, n_goals: usize) -> Study {
    let mut rng = Seed(seed).stream();
    let space = space(&mut rng);
    let tpe = TpeConfig {
        startup_trials: 5,
        multivariate: [None, Some(true), Some(false)][rng.below(3)],
        ..TpeConfig::default()
    };
    let (sampler, trials): (Box<dyn Sampler>, u32) = match (rng.below(4), Grid.n_trials(&space, None, 200)) {
        (0, Ok(trials)) => (Box::new(Grid), trials),
        (1, _) => (Box::new(Random), 40),
        _ => (Box::new(tpe), 40),
    };
    let goals = [Goal::Minimize, Goal::Maximize, Goal::Minimize][..n_goals].to_vec();
    let pruner = Box::new(HalvingConfig { min_steps: Some(1), factor: 3, ..HalvingConfig::default() });
    Study::new(StudyPlan { space, goals, sampler, pruner, trials, parallel, seed: Seed(seed) }).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn proposals_are_in_the_space_and_new(seed: u64, parallel in 1..6_u32, n_goals in 1..4_usize) {
        let mut study = study(seed, parallel, n_goals);
        let mut rng = Seed(seed).derive("outcomes", 0).stream();
        loop {
            match study.ask() {
                Ask::Trial { number, params } => {
                    let space = &study.plan().space;
                    let point = space.point(&params);
                    prop_assert!(point.is_ok(), "{params:?} of {space:?}: {point:?}");
                    prop_assert_eq!(space.params(&point.unwrap()), params.clone());
                    let again = study.trials()[..number as usize].iter().any(|t| space.params(&t.point) == params);
                    prop_assert!(!again, "{params:?} again");
                }
                Ask::Wait => {
                    let running: Vec<u32> = study.running().collect();
                    prop_assert!(running.len() <= parallel as usize);
                    let number = running[rng.below(running.len())];
                    let pruned = (0..3).any(|step| study.report(number, step, rng.normal()).unwrap());
                    let outcome = match rng.below(8) {
                        _ if pruned => Outcome::Pruned,
                        0 => Outcome::Failed,
                        _ => Outcome::Complete((0..n_goals).map(|_| rng.normal()).collect()),
                    };
                    study.tell(number, outcome).unwrap();
                }
                Ask::Done => break,
            }
        }
        let all = u128::from(study.plan().trials);
        let expected = study.plan().space.n_points().map_or(all, |n| n.min(all));
        prop_assert!(study.trials().len() as u128 == expected, "{} of {expected}", study.trials().len());
        let shares: f64 = study.importances().iter().map(|importance| importance.value).sum();
        prop_assert!(shares == 0.0 || (shares - 1.0).abs() < 1e-9, "{shares}");
        let complete = study.trials().iter().filter(|t| t.state == TrialState::Complete).count();
        prop_assert_eq!(study.pareto_front().is_empty(), complete == 0);
    }

    #[test]
    fn spaces_are_written_and_thinned_without_changing_what_they_are(seed: u64, max in 1..300_u32) {
        let space = space(&mut Seed(seed).stream());
        let thinned = space.thinned(max);
        prop_assert_eq!(space.dimensions().len(), thinned.dimensions().len());
        let mut rng = Seed(seed).derive("points", 0).stream();
        let endless = |space: &Space| space.dimensions().iter().any(|d| d.domain().n_values().is_none());
        prop_assert!(!endless(&thinned), "{thinned:?}");
        for _ in 0..20 {
            let point = thinned.draw(&mut rng);
            let params = thinned.params(&point);
            prop_assert_eq!(thinned.point(&params).unwrap(), point);
        }
    }
}
