//! `candlecast jobs`, and the options of commands whose work is a job.

mod listing;

use std::sync::Arc;
use std::time::Duration;

use candlecast_app::JOBS;
use candlecast_app::doc::{JobDetailDoc, JobDoc, LogLineDoc};
use candlecast_core::Problem;
use candlecast_host::Host;
use candlecast_jobs::{
    Cursor, JobFilter, JobKind, JobOptions, JobState, LogLine, cancel_job, find_job, job_log, list_jobs, queue_job,
    requeue_job, retry_job_here, show_job,
};
use candlecast_monitor::PageRequest;
use clap::{Args, Subcommand};

use crate::output::Output;
use crate::progress::Bar;

/// How work is done that is on record as a job.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Job options")]
pub(crate) struct JobArgs {
    /// Only queue it; `candlecast worker` does it
    #[arg(long)]
    pub(crate) queue: bool,
    /// Place in the queue: a higher one goes first [default: 0]
    #[arg(long, value_name = "N", requires = "queue", allow_negative_numbers = true)]
    priority: Option<i32>,
    /// With --queue: only workers of this folder of models do it, where hosts with folders of their own share a database
    #[arg(long, requires = "queue")]
    here: bool,
    /// Stop after this many minutes; what was finished by then is kept for `candlecast jobs retry`
    #[arg(long, value_name = "MINUTES", value_parser = clap::value_parser!(u32).range(1..))]
    time_limit: Option<u32>,
}

impl JobArgs {
    pub(crate) fn options(&self) -> JobOptions {
        JobOptions {
            priority: self.priority.unwrap_or(0),
            max_run_ms: self.time_limit.map(|minutes| u64::from(minutes) * 60_000),
            here: self.here,
        }
    }
}

/// Look after jobs: trainings, evaluations and searches, queued, under way and ended
#[derive(Debug, Args)]
#[command(
    after_help = "The first characters of an id, four at least, stand for it.\n\nExamples:\n  candlecast jobs list --state running,queued\n  candlecast jobs retry 01jd8x3k\n  candlecast jobs logs 01jd8x3k --follow"
)]
pub(crate) struct JobsArgs {
    #[command(subcommand)]
    command: JobsCommand,
}

#[derive(Debug, Subcommand)]
enum JobsCommand {
    /// Jobs, newest first
    #[command(after_help = "Example:\n  candlecast jobs list --state failed,interrupted --kind train --limit 50")]
    List {
        /// Only in these states, by comma: queued, running, succeeded, failed, cancelled, interrupted
        #[arg(long, value_delimiter = ',', value_name = "LIST")]
        state: Vec<JobState>,
        /// Only of these kinds, by comma: train, evaluate, hpo
        #[arg(long, value_delimiter = ',', value_name = "LIST")]
        kind: Vec<String>,
        /// Most jobs shown
        #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
        limit: u32,
        /// Go on behind this page, as the end of the last one says
        #[arg(long, value_name = "CURSOR")]
        after: Option<Cursor>,
    },
    /// Everything about one job
    #[command(after_help = "Example:\n  candlecast jobs show 01jd8x3k")]
    Show {
        /// Id, or its beginning
        id: String,
    },
    /// Stop a job; what it has finished is kept for a retry
    #[command(after_help = "Example:\n  candlecast jobs cancel 01jd8x3k")]
    Cancel {
        /// Id, or its beginning
        id: String,
    },
    /// Do a failed, cancelled, interrupted or waiting job here, from where it stands, and print its result
    #[command(after_help = "Example:\n  candlecast jobs retry 01jd8x3k")]
    Retry {
        /// Id, or its beginning
        id: String,
        /// Only queue it again; `candlecast worker` does it
        #[arg(long)]
        queue: bool,
    },
    /// What a job has written down
    #[command(
        after_help = "With --json and --follow every line is a document of its own.\n\nExample:\n  candlecast jobs logs 01jd8x3k --follow"
    )]
    Logs {
        /// Id, or its beginning
        id: String,
        /// Wait for more until the job has ended
        #[arg(long, short)]
        follow: bool,
    },
}

/// Time between two looks for new lines.
const FOLLOW_EVERY: Duration = Duration::from_millis(500);

pub(crate) async fn run(args: JobsArgs, app: &Host, output: Output) -> Result<(), Problem> {
    match args.command {
        JobsCommand::List { state, kind, limit, after } => {
            let filter = JobFilter { states: state, kinds: kind };
            let page = list_jobs(app, &JOBS, &filter, PageRequest { after, limit }).await?;
            output.result(&page, || listing::page(&page))
        }
        JobsCommand::Show { id } => {
            let job: JobDetailDoc = show_job(app, &JOBS, &id).await?;
            output.result(&job, || listing::detail(&job))
        }
        JobsCommand::Cancel { id } => {
            let job = cancel_job(app, &JOBS, &id).await?;
            output.result(&job, || match job.state {
                JobState::Running => format!("{} is asked to stop, which takes some seconds", job.id),
                state => format!("{} is {state}", job.id),
            })
        }
        JobsCommand::Retry { id, queue: true } => {
            let job = requeue_job(app, &JOBS, &id).await?;
            output.result(&job, || queued(&job))
        }
        JobsCommand::Retry { id, queue: false } => {
            let done = {
                let bar = Arc::new(Bar::new(output));
                retry_job_here(app, &JOBS, &id, bar).await?
            };
            output.result(&done.document, || done.text.clone())
        }
        JobsCommand::Logs { id, follow: false } => {
            let lines = all_lines(&id, app).await?;
            let docs: Vec<LogLineDoc> = lines.iter().map(Into::into).collect();
            output.result(&docs, || lines.iter().map(listing::log_line).collect::<Vec<_>>().join("\n"))
        }
        JobsCommand::Logs { id, follow: true } => follow_log(&id, app, output).await,
    }
}

/// Queues `request` and prints its job.
pub(crate) async fn queue<K: JobKind>(request: &K, args: &JobArgs, app: &Host, output: Output) -> Result<(), Problem> {
    let queued_job = queue_job(app, &JOBS, request, &args.options()).await?;
    if !queued_job.is_new {
        output.remark("an equal job is queued or running already: this is it");
    }
    output.result(&queued_job.job, || queued(&queued_job.job))
}

fn queued(job: &JobDoc) -> String {
    match job.state {
        JobState::Queued => format!("{} is queued: `candlecast worker` does it", job.id),
        state => format!("{} is {state}", job.id),
    }
}

async fn all_lines(id: &str, app: &Host) -> Result<Vec<LogLine>, Problem> {
    let id = find_job(app, id).await?.id;
    let mut lines = Vec::new();
    loop {
        let more = job_log(app, &id, lines.last().map(place)).await?;
        if more.is_empty() {
            return Ok(lines);
        }
        lines.extend(more);
    }
}

/// Where a line stands in its log.
fn place(line: &LogLine) -> (u32, u64) {
    (line.attempt, line.line)
}

/// Prints lines as they come, until the job has ended.
async fn follow_log(id: &str, app: &Host, output: Output) -> Result<(), Problem> {
    let id = find_job(app, id).await?.id;
    let mut after = None;
    loop {
        // Read before the lines: a job that has ended has written all of them.
        let state = find_job(app, &id).await?.state;
        let lines = job_log(app, &id, after).await?;
        for line in &lines {
            Output::line(&if output.is_json() { json_line(line)? } else { listing::log_line(line) })?;
        }
        match lines.last() {
            Some(last) => after = Some(place(last)),
            None if state.is_final() => return Ok(()),
            None => tokio::time::sleep(FOLLOW_EVERY).await,
        }
        app.check_cancelled()?;
    }
}

fn json_line(line: &LogLine) -> Result<String, Problem> {
    serde_json::to_string(&LogLineDoc::from(line)).map_err(|e| Problem::data("output-failed", e.to_string()))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        job: JobArgs,
    }

    #[test]
    fn a_place_in_the_queue_needs_a_queue() {
        let options = |args: &[&str]| {
            Line::try_parse_from([&["train"][..], args].concat()).map(|line| (line.job.queue, line.job.options()))
        };
        assert_eq!(options(&[]).unwrap(), (false, JobOptions::default()));
        let (queue, asked) = options(&["--queue", "--priority", "-3", "--time-limit", "90"]).unwrap();
        assert_eq!((queue, asked), (true, JobOptions { priority: -3, max_run_ms: Some(5_400_000), here: false }));
        assert!(options(&["--queue", "--here"]).unwrap().1.here);
        assert!(options(&["--here"]).unwrap_err().to_string().contains("--queue"));
        assert!(options(&["--priority", "1"]).unwrap_err().to_string().contains("--queue"));
        assert!(options(&["--time-limit", "0"]).is_err());
    }
}
