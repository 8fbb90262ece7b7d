//! What all example binaries have in common: `--json`, `--quiet`, exit codes, progress.
//!
//! A binary declares its options with `clap`, puts [`Output`] among them and hands its work to [`run`]:
//!
//! ```ignore
//! mod common;
//!
//! #[derive(clap::Parser)]
//! struct Options {
//!     #[command(flatten)]
//!     output: common::Output,
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     common::run(|options: &Options| options.output, |options, console| {
//!         let progress = console.progress("reading", None);
//!         progress.advance(1);
//!         Ok(common::Summary::new("done", serde_json::json!({ "rows": 1 })))
//!     })
//! }
//! ```
//!
//! Exit codes: 0 done · 1 failed · 2 bad usage, policy or key · 3 refused ([`backmask::Error::exit_code`]).

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// How a binary tells what it did.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Output {
    /// Print exactly one JSON object on standard output
    #[arg(long)]
    pub(crate) json: bool,
    /// Print no summary and no progress
    #[arg(long)]
    pub(crate) quiet: bool,
}

/// What a binary did.
#[derive(Debug)]
pub(crate) struct Summary {
    /// For people; standard error.
    pub(crate) text: String,
    /// For programs; standard output with `--json`.
    pub(crate) json: Value,
    /// The exit code; the text of a summary that is not 0 is shown in spite of `--quiet`.
    pub(crate) exit: u8,
}

impl Summary {
    /// A summary for people and the JSON object that says the same to programs.
    pub(crate) fn new(text: impl Into<String>, json: Value) -> Self {
        Self { text: text.into(), json, exit: 0 }
    }

    /// The same with another exit code: the work was done, and its result is a no.
    pub(crate) fn ends_with(self, exit: u8) -> Self {
        Self { exit, ..self }
    }
}

/// Parses the command line, does the work, prints its summary or its error, and gives the exit code.
pub(crate) fn run<Options: clap::Parser>(
    output: impl Fn(&Options) -> Output,
    work: impl FnOnce(Options, &Console) -> backmask::Result<Summary>,
) -> ExitCode {
    let options = match Options::try_parse() {
        Ok(options) => options,
        Err(error) => return usage(&error),
    };
    let output = output(&options);
    match work(options, &Console { output }) {
        Ok(summary) => {
            if !output.quiet || summary.exit != 0 {
                say(&summary.text);
            }
            if output.json { print_json(&summary.json, summary.exit) } else { ExitCode::from(summary.exit) }
        }
        Err(error) => {
            let code = error.exit_code();
            say(&format!("error: {error}"));
            if output.json { print_json(&json!({ "error": error.to_string(), "exit": code }), code) } else { ExitCode::from(code) }
        }
    }
}

/// Help and the version are no errors; everything else that `clap` stops at is bad usage.
fn usage(error: &clap::Error) -> ExitCode {
    // A closed standard error must not hide the exit code.
    let _printed = error.print();
    if !error.use_stderr() {
        return ExitCode::SUCCESS;
    }
    if std::env::args_os().skip(1).take_while(|argument| argument != "--").any(|argument| argument == "--json") {
        let text = error.to_string();
        let cause = text.lines().take_while(|line| !line.is_empty()).map(str::trim).collect::<Vec<_>>().join(" ");
        return print_json(&json!({ "error": cause.strip_prefix("error: ").unwrap_or(&cause), "exit": 2 }), 2);
    }
    ExitCode::from(2)
}

fn say(text: &str) {
    // Nobody listens on a closed standard error.
    let _written = writeln!(std::io::stderr(), "{text}");
}

/// Prints the one JSON object. If it cannot be printed, whoever waits for it must not take the run for done.
fn print_json(value: &Value, code: u8) -> ExitCode {
    let mut stdout = std::io::stdout().lock();
    match writeln!(stdout, "{value}").and_then(|()| stdout.flush()) {
        Ok(()) => ExitCode::from(code),
        Err(_) => ExitCode::from(code.max(1)),
    }
}

/// Where progress is shown.
#[derive(Debug)]
pub(crate) struct Console {
    output: Output,
}

impl Console {
    /// A line on standard error, unless `--quiet` was given.
    pub(crate) fn note(&self, text: &str) {
        if !self.output.quiet {
            say(text);
        }
    }

    /// A progress bar of `total` steps, a spinner if the number is not known. It appears on standard error after one second, if that is a terminal
    /// and `--quiet` was not given.
    pub(crate) fn progress(&self, label: &'static str, total: Option<u64>) -> Progress {
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden());
        let template = if total.is_some() { "{msg} {wide_bar} {pos}/{len} {eta}" } else { "{spinner} {msg} {pos} {elapsed}" };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(label);
        let shows = !self.output.quiet && std::io::stderr().is_terminal();
        let timer = shows.then(|| {
            let (done, finished) = channel::<()>();
            let bar = bar.clone();
            let thread = std::thread::spawn(move || {
                if finished.recv_timeout(Duration::from_secs(1)) == Err(RecvTimeoutError::Timeout) {
                    bar.set_draw_target(ProgressDrawTarget::stderr());
                    bar.enable_steady_tick(Duration::from_millis(100));
                }
            });
            (done, thread)
        });
        Progress { bar, timer }
    }
}

/// Progress of one piece of work; it disappears when dropped.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    timer: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Progress {
    /// Counts `steps` more as done.
    pub(crate) fn advance(&self, steps: u64) {
        self.bar.inc(steps);
    }

    /// Says what is being done now.
    pub(crate) fn label(&self, label: impl Into<String>) {
        self.bar.set_message(label.into());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((done, thread)) = self.timer.take() {
            drop(done);
            // It ends as soon as the channel is closed; only then nothing can be drawn any more.
            let _ended = thread.join();
        }
        self.bar.finish_and_clear();
    }
}

// Every binary compiles this module, but not every one has progress to show.
const _: fn(Summary, u8) -> Summary = Summary::ends_with;
const _: fn(&Console, &str) = Console::note;
const _: fn(&Console, &'static str, Option<u64>) -> Progress = Console::progress;
const _: fn(&Progress, u64) = Progress::advance;
const _: fn(&Progress, String) = Progress::label;
const _: fn(&serde_json::Value) -> backmask::Result<Value> = to_json;

/// A value as JSON, for the summary of a binary.
pub(crate) fn to_json<T: serde::Serialize>(value: &T) -> backmask::Result<Value> {
    serde_json::to_value(value)
        .map_err(|_| backmask::Error::data("the result", None, "cannot be written as JSON", "use the library to get at it"))
}
