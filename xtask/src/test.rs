//! Everything that has to pass before a change goes in.

use std::path::Path;
use std::process::Command;

use crate::phases::Phases;
use crate::results::Results;
use crate::setup;
use crate::shell::{cargo, in_ci, root, succeeds, succeeds_reading, target};

/// How many seeds the simulation runs through in continuous integration.
const SEEDS_IN_CI: &str = "1000";

/// Runs all of it. What failed does not keep the rest from running.
pub(crate) fn run() -> bool {
    let mut phases = Phases::default();
    let mut results = Results::default();
    phases.run("set-up", setup::run);
    for (part, name, arguments) in [
        ("rustfmt", "formatting", &["fmt", "--all", "--", "--check"][..]),
        ("clippy", "lints", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"][..]),
    ] {
        if setup::has_part(part) {
            phases.run(name, || succeeds(&mut quiet(arguments)));
        } else {
            phases.skip(name, &format!("{part} is not installed"), !in_ci());
        }
    }
    let nextest = setup::has_nextest();
    if nextest {
        let built = phases.run("building the tests", || {
            succeeds(&mut quiet(&["nextest", "run", "--workspace", "--profile", "ci", "--no-run"]))
        });
        if built {
            phases.run("tests", || with_nextest(&mut results));
        }
    } else {
        phases.run("tests", || with_libtest(&["test", "--workspace", "--all-targets"], &mut results));
    }
    if has_examples(&root().join("crates")) {
        phases.run("examples in the code's documentation", || {
            with_libtest(&["test", "--workspace", "--doc"], &mut results)
        });
    }
    phases.print();
    for why in &results.skipped {
        println!("SKIPPED: {why}");
    }
    let passed = phases.all_passed() && (results.skipped.is_empty() || !in_ci());
    if !passed {
        println!("not everything passed");
    }
    println!("{} passed, {} failed", results.passed, results.failed);
    passed
}

fn with_nextest(results: &mut Results) -> bool {
    let report = target().join("nextest/ci/junit.xml");
    // A report of an earlier run must not be taken for this one's.
    let _ = std::fs::remove_file(&report);
    let passed = succeeds(&mut quiet(&["nextest", "run", "--workspace", "--profile", "ci"]));
    match std::fs::read_to_string(&report).ok().as_deref().and_then(Results::of_junit) {
        Some(read) => {
            results.add(read);
            passed
        }
        None => {
            println!("{} is not there, or not complete", report.display());
            false
        }
    }
}

fn with_libtest(arguments: &[&str], results: &mut Results) -> bool {
    let mut read = Results::default();
    let mut command = quiet(arguments);
    command.args(["--no-fail-fast", "--", "--show-output"]);
    let passed = succeeds_reading(&mut command, |line| read.add_libtest_line(line));
    results.add(read);
    passed
}

/// Whether the documentation of any code has an example to run: looking for them with cargo takes a build of its own.
fn has_examples(folder: &Path) -> bool {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    entries.map(|entry| entry.path()).any(|path| {
        if path.is_dir() {
            return has_examples(&path);
        }
        let is_source = path.extension().is_some_and(|end| end == "rs");
        let text = if is_source { std::fs::read_to_string(&path).unwrap_or_default() } else { String::new() };
        text.lines()
            .map(str::trim_start)
            .any(|line| line.starts_with("/// ```") || line.starts_with("//! ```"))
    })
}

/// Cargo as the tests want it: no colour codes in a log, nothing kept for a second build in continuous integration.
fn quiet(arguments: &[&str]) -> Command {
    let mut command = cargo(arguments);
    if in_ci() {
        command.env("CARGO_TERM_COLOR", "never").env("CARGO_INCREMENTAL", "0");
        if std::env::var_os("TOLLGATE_SEEDS").is_none() {
            command.env("TOLLGATE_SEEDS", SEEDS_IN_CI);
        }
    }
    command
}
