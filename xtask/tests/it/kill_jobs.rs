//! The crash harness for jobs against stand-ins for candlecast: one that keeps its jobs truly passes, others are
//! caught.

#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use xtask::kill::jobs::{JobsPlan, run};

/// Acts on `--data-dir D (--quiet|--json) [--now T] COMMAND …`. A job is a folder with a state and, at its end, a
/// result; a model is a file that holds its digest. DEAD is what the list says of a job whose process died, WORK is
/// how a result comes about.
const STAND_IN: &str = r#"#!/bin/sh
dir=$2; shift 3; test "$1" = --now && shift 2
mkdir -p "$dir/jobs" "$dir/models"
finish() {
  WORK
  if test "$(cat "$dir/jobs/$1/kind")" = train; then
    echo "$digest" > "$dir/models/.new"; mv "$dir/models/.new" "$dir/models/M_$1"
  fi
  printf '{"model":{"sha256":"%s"}}' "$digest" > "$dir/jobs/$1/result"
  echo succeeded > "$dir/jobs/$1/state"
}
case "$1 $2" in
  "import "*) echo 100 > "$dir/rows" ;;
  "data list") echo "[{\"rows\":$(cat "$dir/rows")}]" ;;
  "data check") test -s "$dir/rows" ;;
  "predict "*) echo '{"price":1}' > "$dir/log" ;;
  "predictions list") echo "{\"predictions\":[$(cat "$dir/log" 2> /dev/null)]}" ;;
  "models list")
    sep=; printf '['
    for f in "$dir"/models/*; do
      test -e "$f" || continue
      printf '%s{"id":"%s","sha256":"%s"}' "$sep" "$(basename "$f")" "$(cat "$f")"; sep=,
    done; echo ']' ;;
  "jobs list")
    sep=; printf '{"jobs":['
    for f in "$dir"/jobs/*; do
      test -e "$f" || continue
      state=$(cat "$f/state"); test "$state" = running && state=DEAD
      printf '%s{"id":"%s","state":"%s"}' "$sep" "$(basename "$f")" "$state"; sep=,
    done; echo ']}' ;;
  "jobs show") echo "{\"result\":$(cat "$dir/jobs/$3/result")}" ;;
  "jobs retry") again=yes; finish "$3" ;;
  "train "*|"compare "*)
    id=J$(ls "$dir/jobs" | wc -l | tr -d ' ')
    mkdir "$dir/jobs/.new"; echo "$1" > "$dir/jobs/.new/kind"; echo running > "$dir/jobs/.new/state"
    mv "$dir/jobs/.new" "$dir/jobs/$id"
    finish "$id" ;;
  *) exit 2 ;;
esac
"#;

const SAME_RESULT: &str = "sleep 0.1; digest=$(cat \"$dir/jobs/$1/kind\")";
const OTHER_RESULT: &str = "sleep 0.1; digest=$(cat \"$dir/jobs/$1/kind\")$again";
const LOSES_THE_LOG: &str = "rm -f \"$dir/log\"; sleep 0.1; digest=$(cat \"$dir/jobs/$1/kind\")";

/// One test at a time: a script cannot be started while another thread's fork still holds it open for writing.
static TURN: Mutex<()> = Mutex::new(());

fn plan(name: &str, dead: &str, work: &str) -> JobsPlan {
    let folder = std::env::temp_dir().join(format!("xtask-kill-jobs-{name}-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder can be made");
    let binary: PathBuf = folder.join("candlecast");
    fs::write(&binary, STAND_IN.replace("DEAD", dead).replace("WORK", work)).expect("the stand-in can be written");
    fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).expect("the stand-in can be made executable");
    JobsPlan { scratch: folder.join("scratch"), rows: 100, ..JobsPlan::new(binary, 12, 5) }
}

fn clean(plan: &JobsPlan) {
    fs::remove_dir_all(plan.scratch.parent().expect("it lies in the test's folder"))
        .expect("the folder can be removed");
}

fn failure(plan: &JobsPlan) -> String {
    let error = format!("{:#}", run(plan).unwrap_err());
    assert!(plan.scratch.exists());
    clean(plan);
    error
}

#[test]
fn a_program_that_goes_on_with_its_jobs_passes() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let plan = plan("good", "interrupted", SAME_RESULT);
    let report = run(&plan).unwrap();
    assert_eq!(report.rounds.values().sum::<usize>(), 12);
    assert_eq!(report.n_not_begun + report.n_interrupted + report.n_ended, 12);
    assert!(report.n_killed > 0 && report.n_interrupted > 0, "{report}");
    assert!(!plan.scratch.exists());
    clean(&plan);
}

#[test]
fn a_job_that_is_said_to_run_although_its_process_died_is_caught() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let error = failure(&plan("running", "running", SAME_RESULT));
    assert!(error.contains("of a killed process is running"), "{error}");
}

#[test]
fn a_result_that_differs_after_going_on_is_caught() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let error = failure(&plan("differs", "interrupted", OTHER_RESULT));
    assert!(error.contains("differs from an undisturbed run's"), "{error}");
}

#[test]
fn acknowledged_forecasts_that_are_lost_are_caught() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let error = failure(&plan("lost", "interrupted", LOSES_THE_LOG));
    assert!(error.contains("logged forecasts changed"), "{error}");
}
