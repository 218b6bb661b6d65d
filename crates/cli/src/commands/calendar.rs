//! `tollgate calendar`: what is to come, as a list for people, and as a calendar that others subscribe to.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};
use tollgate_core::calendar::ical::write;
use tollgate_core::coming::{Coming, What};
use tollgate_core::view::later;

use crate::app::App;
use crate::error::{CliError, reason};
use crate::exit::Exit;
use crate::output::{FAINT, GOOD, HEAD, NAME, WAITS, count, line, styled, write_out};

/// How far ahead.
#[derive(Debug, Clone, Args)]
pub(crate) struct CalendarArgs {
    /// How many days ahead
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=366))]
    days: u16,
    /// Write it as an iCalendar file that people subscribe to; `-` is standard output
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    ics: Option<PathBuf>,
}

pub(crate) async fn run(app: &App, args: &CalendarArgs) -> Result<Exit, CliError> {
    let opened = app.open(app.service()?, None)?;
    let now = opened.engine.world.clock.now();
    let until = later(now, SignedDuration::from_hours(24 * i64::from(args.days)));
    let coming = opened.engine.outlook(&opened.service, now, until).await?;
    let Some(file) = &args.ics else {
        app.output.data(&coming, || shown(&coming, now, args.days))?;
        return Ok(Exit::Done);
    };
    let entries: Vec<_> = coming.iter().map(|one| one.entry(&opened.service)).collect();
    let text = write(&format!("Releases of {}", opened.service), &entries, now);
    if file.as_os_str() == "-" {
        write_out(&text)?;
    } else {
        put(file, &text)?;
        app.output.say(format!(
            "{} {} in {}",
            styled(GOOD, "✓"),
            count(entries.len(), "event"),
            file.display()
        ));
    }
    Ok(Exit::Done)
}

/// Writes a file whole or not at all: whoever serves it never reads half of it. A file that says the same already stays as it
/// is, with the moment at which it was written: whoever fetches it again only if it changed does not.
fn put(file: &Path, text: &str) -> Result<(), CliError> {
    if std::fs::read_to_string(file).is_ok_and(|there| unstamped(&there).eq(unstamped(text))) {
        return Ok(());
    }
    let failed = |error: std::io::Error| {
        CliError::error("output", format!("{} cannot be written: {}", file.display(), reason(&error)))
    };
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let beside = folder.join(format!(".{name}.{}", std::process::id()));
    let written = std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, file));
    if written.is_err() {
        // What is left of it is of no use to anybody.
        let _ = std::fs::remove_file(&beside);
    }
    written.map_err(failed)
}

/// What a calendar says, without when it was written.
fn unstamped(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.starts_with("DTSTAMP:"))
}

/// A list, day by day.
fn shown(coming: &[Coming], now: Timestamp, days: u16) -> String {
    if coming.is_empty() {
        let days = count(days, "day");
        return format!("{} nothing is to come within {days}\n", styled(FAINT, "−"));
    }
    let mut text = String::new();
    let (mut day, mut explained) = (String::new(), BTreeSet::new());
    for one in coming {
        // What is under way stands at the head, under today.
        let start = zoned(one.start.max(now));
        let date = start.strftime("%a %Y-%m-%d").to_string();
        if date != day {
            text.push_str(&format!("{}\n", styled(HEAD, &date)));
            day = date;
        }
        text.push_str(&format!("  {:13}  {}\n", time(one, now), title(one)));
        // What comes again and again is explained once.
        let said = matches!(one.what, What::Departure { skipped: false, .. })
            || !explained.insert((one.title(), one.about.clone()));
        for about in one.about.lines().filter(|_| !said) {
            text.push_str(&format!("                 {}\n", styled(FAINT, line(about))));
        }
    }
    text
}

fn title(one: &Coming) -> String {
    let title = line(&one.title());
    match one.what {
        What::Freeze { .. } | What::Closed { .. } => styled(WAITS, title),
        What::Departure { skipped: true, .. } => styled(FAINT, title),
        What::Departure { .. } | What::Arrival { .. } => styled(NAME, title),
        What::Open { .. } => title,
    }
}

/// From when to when, in the zone of this machine. The day is told where it is another one.
fn time(one: &Coming, now: Timestamp) -> String {
    let start = zoned(one.start.max(now));
    let from = if one.start < now { "…".to_owned() } else { start.strftime("%H:%M").to_string() };
    let Some(end) = one.end.map(zoned) else { return from };
    match end.date() == start.date() {
        true => format!("{from} – {}", end.strftime("%H:%M")),
        false => format!("{from} – {}", end.strftime("%a %-d %b %H:%M")),
    }
}

fn zoned(at: Timestamp) -> Zoned {
    at.to_zoned(TimeZone::system())
}
