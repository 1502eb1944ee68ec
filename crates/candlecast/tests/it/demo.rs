//! `demo`, in small.

use crate::program::Program;

#[test]
fn the_demo_says_where_its_plot_is_and_finds_nothing_old_in_a_generated_market() {
    let program = Program::new();
    let run = program.run(&["demo", "--models", "hybrid", "--days", "7", "--plot", "demo.svg"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.stderr.contains("plot: demo.svg"), "{run:?}");
    assert!(program.folder().join("demo.svg").is_file());
    assert!(run.stdout.contains("synthetic") && !run.stdout.contains("warning"), "{run:?}");
    // Its work is on record as that of the other commands is.
    let listed = program.json(&["jobs", "list"]);
    let jobs = listed["jobs"].as_array().unwrap().iter();
    let jobs: Vec<_> = jobs.map(|job| (job["kind"].as_str().unwrap(), job["state"].as_str().unwrap())).collect();
    assert_eq!(jobs, [("train", "succeeded"), ("evaluate", "succeeded")]);
}
