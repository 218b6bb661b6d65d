//! How long `tollgate status` takes, beside a process that does nothing.

use std::process::{Command, Stdio};

use crate::durable::println_;
use crate::{Outcome, now};

const TIMES: usize = 51;

pub(crate) fn run(tollgate: &str) -> Outcome {
    let folder = tempfile::tempdir()?;
    let state = folder.path().to_str().ok_or("no path")?;
    let bare = median(|| Command::new("true").status())?;
    let status = median(|| {
        Command::new(tollgate)
            .args(["status", "--service", "bench", "--state", state])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
    })?;
    println_(&format!("tollgate status {status:.1} ms, `true` {bare:.1} ms (medians of {TIMES})"));
    Ok(())
}

fn median(
    mut run: impl FnMut() -> std::io::Result<std::process::ExitStatus>,
) -> Result<f64, Box<dyn std::error::Error>> {
    let mut times = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        let began = now();
        run()?;
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    Ok(times[TIMES / 2])
}
