//! Hosts with folders of their own that share one database of records.

use serde_json::{Value, json};

use crate::program::{Program, SERIES, SHORT, line, postgres_url};

const TRAIN: &[&str] = &["train", "--model", "linear"];

/// `program` with its records on the server at `url`.
fn sharing(program: Program, url: &str) -> Program {
    program.write(".env", format!("DATABASE_URL=\"{url}\"\n"));
    program
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

#[test]
fn a_job_is_done_where_its_candles_are_and_its_model_lies_there() {
    let Some(url) = postgres_url("hosts") else { return };
    let (with, without) = (sharing(Program::with_candles(), &url), sharing(Program::new(), &url));
    let id = text(&with.json(&line(&[TRAIN, SERIES, SHORT, &["--queue"]]))["id"]);
    let state = |field: &str| with.json(&["jobs", "show", &id])[field].clone();

    // A worker without the candles gives it back; it costs no attempt.
    assert_eq!(without.json(&["worker", "--once"])["failed"], 0);
    assert_eq!((state("state"), state("attemptsLeft")), (json!("queued"), json!(3)));
    assert!(text(&state("error")).contains("binance:BTCUSDT:1h"), "{}", state("error"));
    assert_eq!(with.json(&["worker", "--once"])["succeeded"], 1);
    let model = &state("result")["model"];
    let (model_id, folder) = (text(&model["id"]), text(&model["folder"]));
    assert_eq!(model_id, "BTCUSDT_LINEAR_1.0.0");

    // The other host knows of the model, and promises no file.
    assert_eq!(with.json(&["models", "list"])[0]["id"], model_id.as_str());
    assert_eq!(with.json(&["models", "list", "--elsewhere"]), json!([]));
    assert_eq!(without.json(&["models", "list"]), json!([]));
    let elsewhere = without.json(&["models", "list", "--elsewhere", "--symbol", "BTCUSDT", "--status", "active"]);
    assert_eq!(elsewhere.as_array().unwrap().len(), 1);
    assert_eq!((&elsewhere[0]["id"], &elsewhere[0]["folder"]), (&json!(model_id), &json!(folder)));
    assert_eq!(without.json(&["models", "list", "--elsewhere", "--model", "lstm"]), json!([]));
    without.refuse(&["models", "show", &model_id], 1, "model-not-trained", &[&folder]);
    assert_eq!(without.json(&["models", "reindex"])["removed"], 0, "it is not the other one's to remove");
    without.refuse(&["models", "reindex", "--forget-folder", ""], 2, "bad-usage", &["--forget-folder"]);
    with.refuse(&["models", "reindex", "--forget-folder", &folder], 2, "bad-folder", &[&folder]);
    assert_eq!(without.json(&["models", "reindex", "--forget-folder", &folder])["removed"], 1);
    assert_eq!(with.json(&["models", "reindex"])["added"], 1, "it was not gone");
}

#[test]
fn no_two_hosts_give_one_name_to_their_models() {
    let Some(url) = postgres_url("names") else { return };
    let hosts = [(); 2].map(|()| sharing(Program::with_candles(), &url));
    let ids = hosts.each_ref().map(|host| text(&host.json(&line(&[TRAIN, SERIES, SHORT]))["model"]["id"]));
    assert_eq!(ids, ["BTCUSDT_LINEAR_1.0.0", "BTCUSDT_LINEAR_2.0.0"]);
    for (host, (own, other)) in hosts.iter().zip([(&ids[0], &ids[1]), (&ids[1], &ids[0])]) {
        assert_eq!(host.json(&["models", "list", "--status", "active"])[0]["id"], own.as_str(), "each has its own");
        assert_eq!(host.json(&["models", "list", "--elsewhere"])[0]["id"], other.as_str());
    }
}

#[test]
fn what_is_asked_for_here_waits_for_a_worker_of_this_folder() {
    let Some(url) = postgres_url("here") else { return };
    let [here, there] = [(); 2].map(|()| sharing(Program::with_candles(), &url));
    let id = text(&here.json(&line(&[TRAIN, SERIES, SHORT, &["--queue", "--here"]]))["id"]);
    assert_eq!(there.json(&["worker", "--once"])["succeeded"], 0);
    let waits = here.json(&["jobs", "show", &id]);
    assert_eq!((&waits["state"], &waits["attempt"]), (&json!("queued"), &json!(0)));
    assert_eq!(here.json(&["worker", "--once"])["succeeded"], 1);
    assert_eq!(here.json(&["jobs", "show", &id])["result"]["model"]["folder"], waits["folder"]);
}

#[test]
fn where_records_are_one_folders_there_is_no_elsewhere() {
    let program = Program::new();
    program.refuse(&["models", "list", "--elsewhere"], 2, "no-shared-records", &["DATABASE_URL"]);
}
