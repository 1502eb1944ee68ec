//! `cargo xtask two-hosts`: two hosts whose clocks are a minute apart share one queue in a PostgreSQL that they reach
//! encrypted. Every job must be done once, by one of them, and what comes of all jobs must be what one host alone makes
//! of them.

mod network;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use self::network::{Host, Network};
use crate::args::Args;
use crate::candle_file::{CandleFile, YEAR_2020_MS};
use crate::document::strip;
use crate::dump::{Dump, Row};
use crate::faketime::{self, Faketime};
use crate::kill;
use crate::packages;
use crate::postgres::Rig;
use crate::program::{Program, remove_folder};

/// Hourly candles: two years.
const ROWS: usize = 17_544;
const HOUR_MS: i64 = 3_600_000;
const DATABASE: &str = "hosts";
/// How far the clock of each host is ahead.
const AHEAD_S: [i64; 2] = [0, 60];
/// Ranges that the jobs take turns with.
const DAYS: usize = 20;
/// So many a list of jobs holds.
const MOST_JOBS: usize = 1_000;
/// Workers that have not ended by then hang.
const LIMIT: Duration = Duration::from_secs(3_600);

/// Runs the two hosts, then the one, and sets their results beside each other.
pub(crate) fn command(args: &[String]) -> Result<()> {
    let args = Args::parse(args, &["jobs", "seed", "binary"])?;
    args.no_names()?;
    let (jobs, seed) = (args.number("jobs", 200_usize)?, args.number("seed", 9_u64)?);
    ensure!((2..=MOST_JOBS).contains(&jobs), "`--jobs` is 2 to {MOST_JOBS}");
    packages::require(&["tar", "zstd"])?;
    let faketime = Faketime::find_or_install()?;
    let binary = kill::binary(args.get("binary").map(Path::new))?;
    let scratch = std::env::temp_dir().join(format!("candlecast-two-hosts-{}-{seed}", std::process::id()));
    fs::create_dir_all(&scratch).with_context(|| format!("cannot make {}", scratch.display()))?;
    let report = compare(&binary, &scratch, &faketime, jobs, seed)
        .with_context(|| format!("the hosts did not agree (seed {seed}); the data is kept in {}", scratch.display()))?;
    println!("{report}");
    remove_folder(&scratch)
}

fn compare(binary: &Path, scratch: &Path, faketime: &Faketime, jobs: usize, seed: u64) -> Result<String> {
    let candles = scratch.join("ETHUSDT-1h.csv");
    CandleFile { start_ms: YEAR_2020_MS, interval_ms: HOUR_MS, n_rows: ROWS, seed, extra_volume: 0.0 }
        .write(&candles)?;
    let candles = candles.display().to_string();
    let (network, obstacle) = Network::make();
    let gateways: Vec<&str> = network.hosts.iter().map(|host| host.gateway.as_str()).collect();
    let rig = Rig::start_encrypted("hosts", &gateways, &[network.clients])?;
    rig.renew(DATABASE, None)?;

    let mut programs = Vec::with_capacity(network.hosts.len());
    for host in &network.hosts {
        let url = rig.verified_url(&host.gateway, DATABASE)?;
        let program = Program::new(binary, scratch.join(host.name)).on_database(Some(url));
        program.complete(&["import", &candles])?;
        programs.push(program);
    }
    submit(&programs[0], jobs)?;
    let (shares, two_took) = work(&network.hosts, &programs, faketime)?;
    let done = Done::of(&Dump::of(&programs[0])?, jobs)?;

    let alone = Program::new(binary, scratch.join("alone"));
    alone.complete(&["import", &candles])?;
    submit(&alone, jobs)?;
    let begun = Instant::now();
    alone.start("worker", &["--quiet"], &["--threads", "1", "worker", "--once"])?.finish(LIMIT)?;
    let one_took = begun.elapsed();
    let expected = Done::of(&Dump::of(&alone)?, jobs)?;
    done.check(&expected)?;

    let counts = done.by_host(&shares)?;
    Ok(report(&network.hosts, obstacle.as_deref(), &counts, jobs, done.tries.len(), [two_took, one_took]))
}

/// Queues the jobs: walk-forwards of some hundred milliseconds. No two are the same request, and none of them is
/// another configuration, which would count as a try of the others.
fn submit(program: &Program, jobs: usize) -> Result<()> {
    for job in 0..jobs {
        let (seed, from) = (job.to_string(), format!("2021-06-{:02}", 1 + job % DAYS));
        let backtest = ["backtest", "--symbol", "ETHUSDT", "--interval", "1h", "--model", "linear", "--horizon", "12h"];
        let how = ["--train-days", "180", "--retrain-days", "5", "--from", &from, "--to", "2021-10-01", "--queue"];
        let queued = program.json(&[&["--seed", &seed][..], &backtest, &how].concat())?;
        ensure!(queued["state"] == "queued", "job {job} is not queued: {queued}");
    }
    Ok(())
}

/// A worker on one of the hosts.
struct Share {
    host: Host,
    /// Its process, as this machine counts.
    process: u32,
}

/// A worker on each host until nothing waits; how long that took.
fn work(hosts: &[Host], programs: &[Program], faketime: &Faketime) -> Result<(Vec<Share>, Duration)> {
    let begun = Instant::now();
    let (mut shares, mut workers) = (Vec::new(), Vec::new());
    for ((host, program), ahead_s) in hosts.iter().zip(programs).zip(AHEAD_S) {
        let before = [host.before.clone(), faketime.ahead(ahead_s)].concat();
        faketime::check(&before, ahead_s).with_context(|| format!("the clock of {}", host.name))?;
        let worker = program.clone().behind(before);
        let worker = worker.start("worker", &["--json"], &["--threads", "1", "worker", "--once"])?;
        shares.push(Share { host: host.clone(), process: worker.id() });
        workers.push((host.name, worker));
    }
    for (name, worker) in workers {
        let printed = worker.finish(LIMIT).with_context(|| format!("the worker on {name}"))?;
        let worked: Value =
            serde_json::from_str(&printed).with_context(|| format!("the worker on {name}: {printed}"))?;
        for unwanted in ["failed", "cancelled", "givenBack", "putOff", "lost"] {
            let n = worked.get(unwanted).and_then(Value::as_u64).unwrap_or(0);
            ensure!(n == 0, "the worker on {name} counts {n} jobs {unwanted}: {worked}");
        }
    }
    Ok((shares, begun.elapsed()))
}

/// What is on record once all jobs are done.
#[derive(Debug)]
struct Done {
    /// Result by request.
    results: BTreeMap<String, Value>,
    /// Who did each job.
    owners: Vec<String>,
    /// Identities of the ledger, which are those of its lines' content.
    tries: BTreeSet<String>,
}

impl Done {
    /// An error unless every one of `jobs` jobs succeeded at its first attempt, with one run each.
    fn of(records: &Dump, jobs: usize) -> Result<Self> {
        let (mut results, mut owners, mut ids) = (BTreeMap::new(), Vec::new(), BTreeSet::new());
        for job in records.rows("ml_training_jobs") {
            let id = text(job, "id")?;
            let (state, attempt) = (text(job, "state")?, job.get("attempt").and_then(Value::as_u64));
            ensure!(state == "succeeded" && attempt == Some(1), "job {id} is {state} after attempt {attempt:?}");
            let mut result: Value = serde_json::from_str(text(job, "result")?).context("a result is no document")?;
            strip(&mut result);
            let request = text(job, "payload")?.to_owned();
            ensure!(results.insert(request, result).is_none(), "two jobs have the request of {id}");
            owners.push(text(job, "owner")?.to_owned());
            ids.insert(id);
        }
        ensure!(results.len() == jobs, "{} of {jobs} jobs are on record", results.len());
        let mut runs = BTreeSet::new();
        for run in records.rows("ml_runs") {
            ensure!(text(run, "state")? == "succeeded", "a run did not succeed: {run:?}");
            let job = text(run, "job_id")?;
            ensure!(runs.insert(job), "job {job} was run twice");
        }
        ensure!(runs == ids, "{} runs are on record of {jobs} jobs", runs.len());
        let mut tries = BTreeSet::new();
        for line in records.rows("ml_ledger") {
            tries.insert(text(line, "id")?.to_owned());
        }
        Ok(Self { results, owners, tries })
    }

    /// An error unless the same came of the same requests.
    fn check(&self, expected: &Self) -> Result<()> {
        for (request, result) in &expected.results {
            let found = self.results.get(request).with_context(|| format!("no result of {request}"))?;
            ensure!(found == result, "{request} gave {found}, on one host {result}");
        }
        ensure!(self.tries == expected.tries, "the ledger has {:?}, of one host {:?}", self.tries, expected.tries);
        Ok(())
    }

    /// How many jobs each host did. An error if one did none, or somebody else some.
    fn by_host(&self, shares: &[Share]) -> Result<Vec<usize>> {
        let mut counts = vec![0; shares.len()];
        for owner in &self.owners {
            let share = shares.iter().position(|share| share.did(owner));
            counts[share.with_context(|| format!("a job was done by {owner}, who is neither host"))?] += 1;
        }
        for (share, n) in shares.iter().zip(&counts) {
            ensure!(*n > 0, "{} did no job: all were done by the other host", share.host.name);
        }
        Ok(counts)
    }
}

impl Share {
    /// True of an owner, `host:kernel:process:start:task`, that is this worker.
    fn did(&self, owner: &str) -> bool {
        let mut parts = owner.split(':');
        let (name, process) = (parts.next(), parts.nth(1));
        if self.host.has_name {
            name == Some(self.host.name)
        } else {
            process == Some(self.process.to_string().as_str())
        }
    }
}

fn text<'a>(row: &'a Row, column: &str) -> Result<&'a str> {
    row.get(column).and_then(Value::as_str).with_context(|| format!("no {column}: {row:?}"))
}

fn report(
    hosts: &[Host],
    obstacle: Option<&str>,
    counts: &[usize],
    jobs: usize,
    tries: usize,
    [two_took, one_took]: [Duration; 2],
) -> String {
    let apart = match obstacle {
        None => "hosts in namespaces of their own (network, host name, processes)".to_owned(),
        Some(why) => format!("hosts on two addresses of the loopback, since there are no namespaces here: {why}"),
    };
    let mut text =
        format!("{apart}; PostgreSQL with sslmode=verify-full\n\n| host | clock | jobs |\n| --- | ---: | ---: |\n");
    for ((host, ahead_s), n) in hosts.iter().zip(AHEAD_S).zip(counts) {
        text.push_str(&format!("| {} | {ahead_s:+} s | {n} |\n", host.name));
    }
    text + &format!(
        "\n{jobs} of {jobs} jobs done once, at their first attempt, in {:.0} s; one host alone took {:.0} s (one thread a \
         worker). All results and the {tries} lines of the ledger are those of one host.",
        two_took.as_secs_f64(),
        one_took.as_secs_f64()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(name: &'static str, has_name: bool) -> Share {
        let host = Host { name, before: vec![], gateway: "127.0.0.2".into(), has_name };
        Share { host, process: 7 }
    }

    fn done(owners: &[&str]) -> Done {
        let results = BTreeMap::from([("{}".to_owned(), Value::from(1))]);
        let owners = owners.iter().map(|owner| (*owner).to_owned()).collect();
        Done { results, owners, tries: BTreeSet::from(["t".to_owned()]) }
    }

    #[test]
    fn owners_are_told_by_name_or_process() {
        let (named, numbered) = (share("alpha", true), share("alpha", false));
        assert!(named.did("alpha:boot-1:9:100:2") && !named.did("beta:boot-1:7:100"));
        assert!(numbered.did("vm:boot-1:7:100:2") && !numbered.did("vm:boot-1:9:100"));
    }

    #[test]
    fn jobs_are_counted_by_host_and_both_must_do_some() {
        let shares = [share("alpha", true), share("beta", true)];
        assert_eq!(done(&["alpha:k:1:1", "beta:k:1:1", "beta:k:1:1:2"]).by_host(&shares).unwrap(), [1, 2]);
        let error = |owners: &[&str]| done(owners).by_host(&shares).unwrap_err().to_string();
        assert!(error(&["alpha:k:1:1"]).contains("beta did no job"));
        assert!(error(&["alpha:k:1:1", "gamma:k:1:1"]).contains("gamma:k:1:1, who is neither"));
    }

    #[test]
    fn results_and_tries_must_be_those_of_one_host() {
        let expected = done(&[]);
        assert!(done(&[]).check(&expected).is_ok());
        let other = Done { results: BTreeMap::from([("{}".to_owned(), Value::from(2))]), ..done(&[]) };
        assert!(other.check(&expected).unwrap_err().to_string().contains("gave 2, on one host 1"));
        let more = Done { tries: BTreeSet::new(), ..done(&[]) };
        assert!(more.check(&expected).unwrap_err().to_string().contains("the ledger has"));
        let none = Done { results: BTreeMap::new(), ..done(&[]) };
        assert!(none.check(&expected).unwrap_err().to_string().contains("no result"));
    }

    #[test]
    fn the_report_says_who_did_what_and_where() {
        let hosts = [share("alpha", true).host, share("beta", true).host];
        let took = [Duration::from_secs(60), Duration::from_secs(110)];
        let text = report(&hosts, None, &[90, 110], 200, 20, took);
        assert!(text.contains("| beta | +60 s | 110 |") && text.contains("200 of 200 jobs"), "{text}");
        assert!(report(&hosts, Some("not allowed"), &[1, 1], 2, 1, took).contains("no namespaces here: not allowed"));
    }

    #[test]
    fn too_few_and_too_many_jobs_are_refused() {
        for jobs in ["1", "1001"] {
            let words = ["--jobs".to_owned(), jobs.to_owned()];
            assert!(command(&words).unwrap_err().to_string().contains("2 to 1000"), "{jobs}");
        }
    }
}
