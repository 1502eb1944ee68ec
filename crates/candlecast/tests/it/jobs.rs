//! `--queue`, `worker` and `jobs`: work that waits, is killed, interrupted, cancelled, and gone on with.
#![cfg(unix)]

use std::fs;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::program::{Program, SERIES, SHORT, line};
use crate::resume::comparable;
use crate::shape::{
    Is, assert_fields, count, elements, flag, instant, list, number_or_null, object, share, text, text_or_null,
};

/// Time until a job must have begun, or a lease run out.
const PATIENCE: Duration = Duration::from_secs(120);
const NOW: &[&str] = &["--now", "2024-03-24T10:30:00Z"];
const TRAIN: &[&str] = &["train", "--model", "linear"];
/// Long enough to be killed in.
const SLOW: &[&str] =
    &["train", "--model", "lstm", "--set", "epochs=60", "--set", "patience=10000", "--set", "hiddenSize=32"];
const JOB: &[(&str, Is)] = &[
    ("id", text),
    ("kind", text),
    ("state", text),
    ("what", text),
    ("venue", text),
    ("symbol", text),
    ("interval", text),
    ("models", list),
    ("attempt", count),
    ("cancelAsked", flag),
    ("owner", text_or_null),
    ("createdAt", instant),
    ("ageMs", count),
    ("durationMs", number_or_null),
    ("error", text_or_null),
];

fn id_of(job: &Value) -> String {
    job["id"].as_str().unwrap().to_owned()
}

fn state_of(program: &Program, id: &str) -> Value {
    program.json(&["jobs", "show", id])["state"].clone()
}

/// Waits until a job is under way while `child` runs, and returns its id.
fn running_job(program: &Program, child: &mut Child) -> String {
    let begun = Instant::now();
    loop {
        let run = program.run(&["--quiet", "--json", "jobs", "list", "--state", "running"]);
        if run.code == Some(0)
            && let Some(id) = run.document()["jobs"][0]["id"].as_str()
        {
            return id.to_owned();
        }
        assert!(child.try_wait().unwrap().is_none(), "it ended before its job was seen: make SLOW slower");
        assert!(begun.elapsed() < PATIENCE, "no job within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Sends a signal and returns the exit code.
fn end_by(signal: &str, child: &mut Child) -> Option<i32> {
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    child.wait().unwrap().code()
}

#[test]
fn a_queued_training_is_done_by_a_worker_as_it_would_be_here() {
    let here = Program::with_candles().json(&line(&[TRAIN, SERIES, SHORT, NOW]));
    let program = Program::with_candles();
    let command = line(&[TRAIN, &["--queue", "--priority", "3"], SERIES, SHORT, NOW]);
    let queued = program.json(&command);
    assert_fields("job", &queued, JOB);
    assert_eq!((&queued["state"], &queued["priority"]), (&json!("queued"), &json!(3)));
    assert_eq!(program.json(&command)["id"], queued["id"], "an equal job waits already");
    assert_eq!(program.json(&["models", "list"]), json!([]));

    let id = id_of(&queued);
    let worked = program.json(&line(&[&["worker", "--once"], NOW]));
    let expected = json!({
        "succeeded": 1, "failed": 0, "cancelled": 0, "givenBack": 0, "putOff": 0, "lost": 0, "computing": 0
    });
    assert_eq!(worked, expected);
    let listed = program.json(&["jobs", "list"]);
    assert_eq!(listed["next"], Value::Null);
    let [job] = elements("jobs", &listed["jobs"]) else { panic!("{listed}") };
    assert_fields("job", job, JOB);
    assert_eq!((&job["state"], &job["progress"]["doneShare"]), (&json!("succeeded"), &json!(1.0)));

    let shown = program.json(&["jobs", "show", &id[..14]]);
    let fields: &[(&str, Is)] =
        &[("request", object), ("attemptsLeft", count), ("result", object), ("runAfter", instant)];
    assert_fields("job", &shown, JOB);
    assert_fields("job", &shown, fields);
    assert_fields("progress", &shown["progress"], &[("stage", text), ("doneShare", share)]);
    assert_eq!(shown["request"]["model"]["id"], "linear");
    assert_eq!(comparable(shown["result"].clone()), comparable(here));
    let problem = program.refuse(&["jobs", "retry", &id], 1, "conflict", &["has succeeded"]);
    assert_eq!(problem["status"], 409);
}

#[test]
fn lists_details_and_logs_are_for_people_too() {
    let program = Program::with_candles();
    program.json(&line(&[TRAIN, SERIES, SHORT]));
    let id = id_of(&program.json(&["jobs", "list"])["jobs"][0]);
    let listed = program.run(&["jobs", "list"]).stdout;
    for words in [id.as_str(), "BTCUSDT 1h linear, 6 steps", "100 %", "succeeded"] {
        assert!(listed.contains(words), "no `{words}` in {listed}");
    }
    let shown = program.run(&["jobs", "show", &id]).stdout;
    for words in ["naive *", "against naive", "saved as BTCUSDT_LINEAR_1.0.0"] {
        assert!(shown.contains(words), "no `{words}` in {shown}");
    }
    let lines = program.json(&["jobs", "logs", &id]);
    let lines = elements("log", &lines);
    for line in lines {
        let fields: &[(&str, Is)] =
            &[("attempt", count), ("line", count), ("at", instant), ("level", text), ("message", text)];
        assert_fields("log line", line, fields);
    }
    assert_eq!(lines.last().unwrap()["message"], "succeeded");
    let followed = program.run(&["--json", "jobs", "logs", &id, "--follow"]);
    let followed: Vec<Value> = followed.stdout.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(followed, lines, "a job that has ended is followed to its end");
    assert!(program.run(&["jobs", "logs", &id]).stdout.ends_with("succeeded\n"));
}

#[test]
fn a_waiting_job_is_cancelled_at_once_and_may_be_queued_again() {
    let program = Program::with_candles();
    let compare: &[&str] = &["compare", "--models", "hybrid,linear", "--queue"];
    let first = id_of(&program.json(&line(&[compare, SERIES, SHORT])));
    let second = id_of(&program.json(&line(&[compare, SERIES, SHORT, &["--seed", "7"]])));
    assert!(first < second, "ids sort by time: {first} {second}");
    let page = program.json(&["jobs", "list", "--limit", "1"]);
    assert_eq!(page["jobs"][0]["id"], second.as_str());
    let rest = program.json(&["jobs", "list", "--limit", "1", "--after", page["next"].as_str().unwrap()]);
    assert_eq!((&rest["jobs"][0]["id"], &rest["next"]), (&json!(first), &Value::Null));

    for id in [&first, &second] {
        assert_eq!(program.json(&["jobs", "cancel", id])["state"], "cancelled");
    }
    let living = ["jobs", "list", "--state", "queued,running"];
    assert_eq!(program.json(&living), json!({ "jobs": [], "next": null }));
    assert_eq!(program.json(&["jobs", "retry", &first, "--queue"])["state"], "queued");
    assert_eq!(program.json(&["worker", "--once", "--kinds", "train"])["succeeded"], 0);
    assert_eq!(
        program.json(&["jobs", "list", "--kind", "evaluate", "--state", "queued"])["jobs"][0]["id"],
        first.as_str()
    );

    program.refuse(&["jobs", "show", "zzzz"], 1, "unknown-job", &["zzzz", "jobs list"]);
    program.refuse(&["jobs", "show", "zz"], 2, "bad-job-id", &["4"]);
    program.refuse(&["jobs", "list", "--kind", "trian"], 2, "unknown-job-kind", &["train, evaluate"]);
    program.refuse(&["jobs", "list", "--state", "done"], 2, "bad-usage", &["queued, running"]);
    program.refuse(&["worker", "--kinds", "trian"], 2, "unknown-job-kind", &["train, evaluate"]);
}

#[test]
fn a_training_that_is_killed_is_interrupted_and_a_retry_ends_as_if_nothing_had_been() {
    let command = line(&[SLOW, SERIES, SHORT, NOW]);
    let undisturbed = comparable(Program::with_candles().json(&command));

    let program = Program::with_candles();
    let mut killed = program.spawn(&command);
    let id = running_job(&program, &mut killed);
    killed.kill().unwrap();
    killed.wait().unwrap();
    let begun = Instant::now();
    // At once where the system tells that the process is gone, else by a worker once its lease has run out.
    while state_of(&program, &id) != "interrupted" {
        assert!(begun.elapsed() < PATIENCE && cfg!(not(target_os = "linux")), "{}", state_of(&program, &id));
        program.json(&["worker", "--once", "--kinds", "evaluate"]);
        std::thread::sleep(Duration::from_secs(1));
    }
    assert_eq!(program.json(&["models", "list"]), json!([]));
    let retried = program.json(&line(&[&["jobs", "retry", &id], NOW]));
    assert_eq!(comparable(retried), undisturbed);
    let shown = program.json(&["jobs", "show", &id]);
    assert_eq!((&shown["state"], &shown["attempt"]), (&json!("succeeded"), &json!(2)));
}

#[test]
fn signals_give_back_what_a_worker_does_and_cancel_what_is_done_here() {
    let program = Program::with_candles();
    let id = id_of(&program.json(&line(&[SLOW, &["--queue"], SERIES, SHORT])));
    let mut worker = program.spawn(&["worker"]);
    assert_eq!(running_job(&program, &mut worker), id);
    assert_eq!(end_by("-TERM", &mut worker), Some(0));
    let shown = program.json(&["jobs", "show", &id]);
    assert_eq!((&shown["state"], &shown["attempt"], &shown["attemptsLeft"]), (&json!("queued"), &json!(1), &json!(3)));

    let mut here = program.spawn(&["jobs", "retry", &id]);
    assert_eq!(running_job(&program, &mut here), id);
    assert_eq!(end_by("-INT", &mut here), Some(130));
    assert_eq!(state_of(&program, &id), "cancelled");
    assert_eq!(program.json(&["models", "list"]), json!([]));
}

#[test]
fn a_database_that_cannot_be_opened_ends_the_command_before_anything_is_computed() {
    let program = Program::with_candles();
    let train = line(&[TRAIN, SERIES, SHORT]);
    let database = program.data_dir().join("candlecast.db");
    fs::create_dir(&database).unwrap();
    program.refuse(&train, 1, "metadata-failed", &["candlecast.db", "cannot be opened"]);
    fs::remove_dir(&database).unwrap();
    fs::write(&database, "no database, but long enough to be looked at".repeat(40)).unwrap();
    program.refuse(&train, 1, "metadata-failed", &["candlecast.db", "damaged", "backup"]);
    assert!(!program.data_dir().join("checkpoints").exists());
    fs::remove_file(&database).unwrap();
    program.json(&train);
}
