//! `cargo xtask bench-peers`: our speed beside that of the programs people use today, on the same machine in the
//! same minutes: the two sides take turns, medians are compared, and what else kept the machine busy is printed.
//! Each pair writes its section of `BENCHMARKS.md`.

mod figures;
mod list;
mod prepare;
mod side;
mod table;

use anyhow::{Context, Result, bail, ensure};

use self::figures::Figures;
use self::list::{PAIRS, Pair};
use self::prepare::Inputs;
use crate::args::Args;
use crate::sections::Mark;
use crate::{machine, peers, sections, sh};

const FILE: &str = "BENCHMARKS.md";
const HEADING: &str = "# Benchmarks\n\nWritten by `cargo xtask bench-peers`: medians of runs in turn on one machine. \
                       Ratios are the peer's time over ours; above 1 we are faster. Ours is built with the profile \
                       `dist`, with thin link-time optimisation.\n";
/// Share of the cores in others' use from which figures are doubtful.
const BUSY: f64 = 0.1;

/// Runs the named pairs, or all but those that run only by name.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let args = Args::parse(args, &["rounds"])?;
    let chosen = choose(&args.names)?;
    let rounds = args.get("rounds").map(|_| args.number("rounds", 0)).transpose()?;
    let mut failed = Vec::new();
    for pair in chosen {
        println!("== {}: {}", pair.name, pair.title);
        if let Err(error) = compare(pair, rounds.unwrap_or(pair.n_rounds)) {
            eprintln!("{}: {error:#}", pair.name);
            failed.push(pair.name);
        }
    }
    ensure!(failed.is_empty(), "failed: {}; see above", failed.join(", "));
    Ok(())
}

fn choose(names: &[String]) -> Result<Vec<&'static Pair>> {
    if let Some(unknown) = names.iter().find(|name| PAIRS.iter().all(|pair| pair.name != name.as_str())) {
        let known: Vec<&str> = PAIRS.iter().map(|pair| pair.name).collect();
        bail!("unknown benchmark `{unknown}`; there are: {}", known.join(", "));
    }
    let is_chosen = |pair: &&Pair| {
        if names.is_empty() { !pair.only_by_name } else { names.iter().any(|name| name == pair.name) }
    };
    Ok(PAIRS.iter().filter(is_chosen).collect())
}

fn compare(pair: &Pair, n_rounds: usize) -> Result<()> {
    ensure!(n_rounds > 0, "flag `--rounds` needs at least 1");
    let inputs = Inputs::prepare(pair).context("preparing")?;
    let load = load_before();
    let (mut ours, mut theirs) = (Figures::default(), Figures::default());
    if pair.warm_up {
        side::run(&pair.ours, pair.name, &inputs)?;
        if let Some(peer) = &pair.peer {
            side::run(peer, pair.name, &inputs)?;
        }
    }
    for _ in 0..n_rounds {
        ours.add(side::run(&pair.ours, pair.name, &inputs)?);
        if let Some(peer) = &pair.peer {
            theirs.add(side::run(peer, pair.name, &inputs)?);
        }
    }
    let table = table::markdown(pair, &ours, &theirs);
    println!("{table}");
    let body = section(pair, n_rounds, &load, &table)?;
    sections::write(&sh::root().join(FILE), HEADING, Mark { kind: "bench", name: pair.name }, &body)
}

/// What else the machine does, in words; a warning where it is much.
fn load_before() -> String {
    let Some(share) = machine::foreign_load() else {
        return "foreign load unknown".into();
    };
    if share > BUSY {
        eprintln!("warning: other programs use {:.0} % of this machine; the figures are doubtful", 100.0 * share);
    }
    format!("foreign load {:.0} % of the cores (load averages {})", 100.0 * share, machine::load_average())
}

fn section(pair: &Pair, n_rounds: usize, load: &str, table: &str) -> Result<String> {
    let peers = match peers::pinned(pair.requirements) {
        packages if packages.is_empty() => String::new(),
        packages => format!(" Peers: {packages}."),
    };
    Ok(format!(
        "## {}\n\n{}\n\n{}, revision {}, {}; {n_rounds} rounds in turn; before: {load}.{peers} \
         Repeat: `cargo xtask bench-peers {}`.\n\n{table}",
        pair.title,
        pair.note,
        machine::today()?,
        machine::revision(),
        machine::processor(),
        pair.name,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costly_pairs_run_only_by_name() {
        let names = |chosen: Vec<&'static Pair>| chosen.iter().map(|pair| pair.name).collect::<Vec<_>>();
        assert!(!names(choose(&[]).unwrap()).contains(&"cold-build"));
        assert_eq!(names(choose(&["cold-build".to_owned()]).unwrap()), ["cold-build"]);
        assert!(choose(&["cold".to_owned()]).unwrap_err().to_string().contains("cold-build"));
    }
}
