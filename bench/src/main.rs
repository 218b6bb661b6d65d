//! Benchmarks. What is compared is measured in the same run on the same disk; read the ratios, not the seconds.
//!
//! `cargo run --release -p bench -- durable` · `waiting` · `forward` · `why` · `status PATH-OF-TOLLGATE` · `history PATH-OF-TOLLGATE [--rivals]`

mod durable;
mod forward;
mod history;
mod status;
mod waiting;
mod why;
mod world;

use std::process::ExitCode;

#[expect(clippy::print_stderr, reason = "this is a command")]
fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let what = arguments.next().unwrap_or_default();
    let number = arguments.next();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let count = |usual: usize| number.as_deref().and_then(|text| text.parse().ok()).unwrap_or(usual);
    let done = match what.as_str() {
        "durable" => runtime.block_on(durable::run(count(2_000))),
        "waiting" => runtime.block_on(waiting::run(count(100_000))),
        "forward" => forward::run(count(1_000)),
        "why" => runtime.block_on(why::run(count(1_000))),
        "status" => status::run(number.as_deref().unwrap_or("target/release/tollgate")),
        "history" => {
            let rivals = arguments.next().is_some_and(|option| option == "--rivals");
            history::run(number.as_deref().unwrap_or("target/release/tollgate"), rivals)
        }
        _ => {
            Err("say what to measure: durable [RUNS], waiting [RUNS], forward [RELEASES], why [GATES], status [TOLLGATE], history [TOLLGATE]"
                .into())
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// What a benchmark can end with.
pub(crate) type Outcome = Result<(), Box<dyn std::error::Error>>;

/// A stopwatch. Benchmarks measure real time, nothing else does.
#[expect(clippy::disallowed_methods, reason = "benchmarks measure real time")]
pub(crate) fn now() -> std::time::Instant {
    std::time::Instant::now()
}
