//! `cargo xtask mutants`: small changes of the code, one at a time, that the tests of its crate must notice. A seeded
//! sample is tested; each outcome is written down at once, so that a run that is stopped goes on where it was.

mod accepted;
mod list;
mod outcomes;
mod site;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use self::accepted::Accepted;
use self::list::{Mutant, sample};
use self::outcomes::{Outcome, Outcomes, Verdict};
use self::site::Site;
use crate::args::Args;
use crate::postgres::{Postgres, Programs};
use crate::{packages, sh};

/// The crates whose code is changed.
const PACKAGES: [&str; 6] = [
    "candlecast-learn",
    "candlecast-pipeline",
    "candlecast-jobs",
    "candlecast-meta",
    "candlecast-store",
    "candlecast-registry",
];
/// Mutants that no test has to notice, from the root.
const ACCEPTED: &str = "xtask/mutants-accepted.toml";
/// Share of the mutants that compile, without those accepted, that tests must notice, in percent.
const LEAST_CAUGHT: f64 = 90.0;

/// What to do.
#[derive(Debug)]
struct Plan {
    sample: usize,
    seed: u64,
    /// No mutant is begun after this time.
    limit: Option<Duration>,
    /// True where the crates that use the mutant's crate are tested, too.
    dependants: bool,
}

impl Plan {
    fn of(args: &Args) -> Result<Self> {
        let (minutes, dependants) = (args.number("minutes", 0_u64)?, args.number("dependants", 0_u8)?);
        ensure!(dependants <= 1, "`--dependants` is 0, or 1 for the crates that use the mutant's crate themselves");
        let sample = args.number("sample", 300_usize)?;
        ensure!(sample > 0, "`--sample` is at least 1");
        let limit = args.get("minutes").map(|_| Duration::from_secs(60 * minutes));
        Ok(Self { sample, seed: args.number("seed", 9)?, limit, dependants: dependants == 1 })
    }
}

/// Tests the mutants of the sample that have not been tested at this revision, and says what became of all.
pub(crate) fn command(args: &[String]) -> Result<()> {
    let args = Args::parse(args, &["sample", "seed", "minutes", "dependants"])?;
    args.no_names()?;
    let plan = Plan::of(&args)?;
    packages::require(&["mutants"])?;
    let accepted = fs::read_to_string(sh::root().join(ACCEPTED)).with_context(|| format!("cannot read {ACCEPTED}"))?;
    let accepted = Accepted::read(&accepted)?;
    let revision = sh::capture(sh::program("git").args(["rev-parse", "HEAD"])).context("mutants need a commit")?;
    // Tests that need a server are left out where there is none.
    let postgres = Programs::find_or_install().ok().map(|programs| Postgres::start(&programs)).transpose()?;
    let folder = folder();
    let site = Site::prepare(&folder, &revision, postgres)?;
    let all = site.mutants(&PACKAGES)?;
    accepted.check(&all)?;
    let n_all = all.len();
    let chosen = sample(all, plan.sample, plan.seed);
    let of = format!("{revision} {}", u8::from(plan.dependants));
    let mut outcomes = Outcomes::load(&folder.join("outcomes.jsonl"), &of)?;
    println!("{} of {n_all} mutants of {} crates (seed {})", chosen.len(), PACKAGES.len(), plan.seed);
    test_all(&site, &chosen, &mut outcomes, &plan)?;
    let rest = chosen.iter().filter(|mutant| outcomes.get(&mutant.name()).is_none()).count();
    println!("{}", Summary::of(&chosen, &outcomes, &accepted).report(rest));
    Ok(())
}

/// Beside the other long runs' folders; none of them empties it.
fn folder() -> PathBuf {
    sh::target_dir().join("verify/mutants")
}

fn test_all(site: &Site, chosen: &[Mutant], outcomes: &mut Outcomes, plan: &Plan) -> Result<()> {
    let begun = Instant::now();
    let mut scopes: BTreeMap<String, Scope> = BTreeMap::new();
    let mut seconds = Vec::new();
    for (k, mutant) in (1..).zip(chosen) {
        let name = mutant.name();
        if outcomes.get(&name).is_some() {
            continue;
        }
        if plan.limit.is_some_and(|limit| begun.elapsed() >= limit) {
            return Ok(());
        }
        let scope = if let Some(known) = scopes.get(&mutant.package) {
            known.clone()
        } else {
            let scope = Scope::of(site, &mutant.package, plan.dependants)?;
            scopes.insert(mutant.package.clone(), scope.clone());
            scope
        };
        let outcome = site.test(mutant, &scope.packages, scope.usual).with_context(|| name.clone())?;
        outcomes.add(&name, outcome)?;
        seconds.push(outcome.seconds);
        let left = chosen[k..].iter().filter(|mutant| outcomes.get(&mutant.name()).is_none()).count();
        let (verdict, took) = (outcome.verdict.as_str(), outcome.seconds);
        eprintln!("{k}/{}: {verdict} in {took:.0} s, {}: {name}", chosen.len(), estimate(&seconds, left));
    }
    Ok(())
}

/// The tests that are to notice a mutant.
#[derive(Debug, Clone)]
struct Scope {
    packages: Vec<String>,
    /// How long they take without one.
    usual: Duration,
}

impl Scope {
    /// Those of `package` and, where that is wanted, of its `dependants`. They must pass as the code is.
    fn of(site: &Site, package: &str, dependants: bool) -> Result<Self> {
        let mut packages = vec![package.to_owned()];
        if dependants {
            packages.extend(site.dependants(package)?);
        }
        let usual = site.baseline(&packages)?;
        eprintln!("{}: tests take {:.0} s", packages.join(", "), usual.as_secs_f64());
        Ok(Self { packages, usual })
    }
}

/// How long the rest takes, by the mean of those before.
fn estimate(seconds: &[f64], left: usize) -> String {
    if left == 0 || seconds.is_empty() {
        return format!("{left} left");
    }
    let mean = seconds.iter().sum::<f64>() / seconds.len() as f64;
    format!("{left} left, about {:.1} h", mean * left as f64 / 3_600.0)
}

/// Counts of one crate.
#[derive(Debug, Clone, Default, PartialEq)]
struct Counts {
    caught: usize,
    timed_out: usize,
    missed: usize,
    accepted: usize,
    unviable: usize,
    seconds: f64,
}

impl Counts {
    fn tested(&self) -> usize {
        self.caught + self.timed_out + self.missed + self.accepted + self.unviable
    }

    fn add(&mut self, outcome: Outcome, is_accepted: bool) {
        match outcome.verdict {
            Verdict::Caught => self.caught += 1,
            Verdict::TimedOut => self.timed_out += 1,
            Verdict::Missed if is_accepted => self.accepted += 1,
            Verdict::Missed => self.missed += 1,
            Verdict::Unviable => self.unviable += 1,
        }
        self.seconds += outcome.seconds;
    }

    /// Percentage of those that tests could and should notice; all where there are none.
    fn share(&self) -> f64 {
        let noticed = self.caught + self.timed_out;
        let n = noticed + self.missed;
        if n == 0 { 100.0 } else { 100.0 * noticed as f64 / n as f64 }
    }
}

/// What became of a sample.
#[derive(Debug, Default)]
struct Summary {
    by_package: BTreeMap<String, Counts>,
    all: Counts,
    survivors: Vec<String>,
}

impl Summary {
    fn of(chosen: &[Mutant], outcomes: &Outcomes, accepted: &Accepted) -> Self {
        let mut summary = Self::default();
        for mutant in chosen {
            let name = mutant.name();
            let Some(outcome) = outcomes.get(&name) else { continue };
            let is_accepted = accepted.has(mutant);
            summary.by_package.entry(mutant.package.clone()).or_default().add(outcome, is_accepted);
            summary.all.add(outcome, is_accepted);
            if outcome.verdict == Verdict::Missed && !is_accepted {
                summary.survivors.push(name);
            }
        }
        summary.survivors.sort();
        summary
    }

    /// The table, the survivors, and whether enough were noticed; with a `rest` how far it came.
    fn report(&self, rest: usize) -> String {
        let mut text = "\n| crate | mutants | caught | timed out | missed | accepted | do not compile | noticed |\n\
                        | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n"
            .to_owned();
        let total = [("all".to_owned(), self.all.clone())];
        for (package, counts) in self.by_package.iter().chain(total.iter().map(|(name, counts)| (name, counts))) {
            let Counts { caught, timed_out, missed, accepted, unviable, .. } = counts;
            text.push_str(&format!(
                "| {package} | {} | {caught} | {timed_out} | {missed} | {accepted} | {unviable} | {:.1} % |\n",
                counts.tested(),
                counts.share()
            ));
        }
        let n = self.all.tested();
        text.push_str(&format!("\n{:.0} s a mutant\n", self.all.seconds / n.max(1) as f64));
        if !self.survivors.is_empty() {
            text.push_str(&format!("\nno test noticed:\n{}\n", self.survivors.join("\n")));
        }
        if rest > 0 {
            return text + &format!("\npartial: {n} of {} mutants tested", n + rest);
        }
        let share = self.all.share();
        let word = if share >= LEAST_CAUGHT { "held" } else { "missed" };
        text + &format!("\nrequired: {LEAST_CAUGHT} % of the mutants noticed: {share:.1} %: {word}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mutant(package: &str, line: usize) -> Mutant {
        let text = format!(
            r#"[{{"name":"{package}.rs:{line}:1: x","package":"{package}","file":"{package}.rs","replacement":"",
            "span":{{"start":{{"line":{line},"column":1}},"end":{{"line":{line},"column":2}}}}}}]"#
        );
        Mutant::list(&text).unwrap().remove(0)
    }

    /// Outcomes of ten mutants of `a` and one of `b`, of which the first `n_caught` are noticed.
    fn summary(n_caught: usize, accepted: &str) -> Summary {
        let file = std::env::temp_dir().join(format!("xtask-mutants-{n_caught}-{}.jsonl", std::process::id()));
        let mut outcomes = Outcomes::load(&file, "x").unwrap();
        let mut chosen: Vec<Mutant> = (1..=10).map(|line| mutant("a", line)).collect();
        for (k, mutant) in chosen.iter().enumerate() {
            let verdict = if k < n_caught { Verdict::Caught } else { Verdict::Missed };
            outcomes.add(&mutant.name(), Outcome { verdict, seconds: 2.0 }).unwrap();
        }
        chosen.push(mutant("b", 1));
        outcomes.add("b.rs:1:1: x", Outcome { verdict: Verdict::Unviable, seconds: 2.0 }).unwrap();
        fs::remove_file(file).unwrap();
        Summary::of(&chosen, &outcomes, &Accepted::read(accepted).unwrap())
    }

    #[test]
    fn nine_of_ten_that_compile_must_be_noticed() {
        let text = summary(9, "").report(0);
        assert!(text.ends_with("required: 90 % of the mutants noticed: 90.0 %: held"), "{text}");
        assert!(text.contains("| a | 10 | 9 | 0 | 1 | 0 | 0 | 90.0 % |"), "{text}");
        assert!(text.contains("| all | 11 |") && text.contains("no test noticed:\na.rs:10:1: x\n"), "{text}");
        assert!(summary(8, "").report(0).ends_with(": missed"));
    }

    #[test]
    fn accepted_ones_do_not_count() {
        let accepted = "[[mutant]]\nfile = \"a.rs\"\nchange = \"x\"\nreason = \"equal\"\n";
        let text = summary(7, accepted).report(0);
        assert!(text.ends_with("100.0 %: held") && !text.contains("no test noticed"), "{text}");
    }

    #[test]
    fn what_is_left_is_told_and_judged_later() {
        let text = summary(2, "").report(5);
        assert!(text.ends_with("partial: 11 of 16 mutants tested") && !text.contains("required"), "{text}");
        assert_eq!(estimate(&[30.0, 90.0], 120), "120 left, about 2.0 h");
        assert_eq!(estimate(&[], 3), "3 left");
    }

    #[test]
    fn plans_are_read_from_flags() {
        let plan = |words: &str| {
            let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
            Plan::of(&Args::parse(&words, &["sample", "seed", "minutes", "dependants"]).unwrap())
        };
        let all = plan("").unwrap();
        assert_eq!((all.sample, all.limit, all.dependants), (300, None, false));
        let short = plan("--sample 5 --minutes 10 --dependants 1").unwrap();
        assert_eq!((short.sample, short.limit, short.dependants), (5, Some(Duration::from_secs(600)), true));
        assert!(plan("--dependants 2").is_err() && plan("--sample 0").is_err());
    }
}
