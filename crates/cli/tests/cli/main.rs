//! The command line as a person sees it: every case is a transcript, `cases/NAME/case.console`, in a folder of its own.
//!
//! A transcript has lines `$ COMMAND` (further lines of the command begin with `> `), each followed by what comes out: standard
//! output as it is, standard error behind `! `, and `[exit N]` where the exit code is not 0. Lines that begin with `# ` are
//! remarks. In what comes out, a line `...` stands for any lines, and `[..]` for any text within a line; what changes from
//! run to run is replaced in `redact`. Beside the transcript can stand files for it; they are found in `$IN`.
//!
//! `UPDATE_CASES=1` writes down what comes out now, where it does not fit. A command that prints `SKIPPED: WHY` ends its case.
//! Commands run in bash, with the functions of `cases/lib.sh`, in a world of their own: a home, a state, repositories, and
//! a web server that serves `~/www`.

mod case;
mod redact;
mod transcript;
mod web;

use std::path::{Path, PathBuf};

use libtest_mimic::{Arguments, Trial};

fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases")
}

fn main() {
    let arguments = Arguments::from_args();
    let mut names: Vec<String> = std::fs::read_dir(cases())
        .expect("the cases")
        .map(|entry| entry.expect("a case").path())
        .filter(|path| path.join("case.console").is_file())
        .map(|path| path.file_name().expect("a name").to_string_lossy().into_owned())
        .collect();
    names.sort();
    let trials = names.into_iter().map(|name| {
        let folder = cases().join(&name);
        Trial::test(name, move || case::run(&folder).map_err(Into::into))
    });
    libtest_mimic::run(&arguments, trials.collect()).exit();
}
