//! Forecasts, for people.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};
use tollgate_core::forward::Link;
use tollgate_core::forward::forecast::{Arrival, Assumed, Assumption, Forecast, Never};
use tollgate_core::plan::list;

use crate::output::{FAINT, HEAD, NAME, WAITS, line, styled, wrapped};
use crate::when::length;

/// The most waits that are named of those that decide when a release gets somewhere.
const LINKS_MAX: usize = 3;
/// Shorter waits are not named.
const LINK_MIN: SignedDuration = SignedDuration::from_secs(50);

/// A forecast in a few lines; nothing where there is nothing to come.
pub(crate) fn shown(forecast: &Forecast) -> String {
    if forecast.arrivals.is_empty() {
        return String::new();
    }
    if let Some(never) = nowhere(forecast) {
        let told = format!("none: it does not get past {}: {}", line(&never.what), line(&never.why));
        let told = wrapped(&told, 2);
        return format!("\n{} {}", styled(HEAD, "forecast"), told.trim_start());
    }
    let width = forecast.arrivals.iter().map(|one| one.environment.as_str().len()).max().unwrap_or(0);
    let mut text = format!("\n{}\n", styled(HEAD, "forecast"));
    for arrival in &forecast.arrivals {
        let name = styled(NAME, format!("{:width$}", arrival.environment.to_string()));
        let told = wrapped(&told(arrival, forecast.at), width + 4);
        text.push_str(&format!("  {name}  {}", told.trim_start()));
    }
    if !forecast.assumed.is_empty() {
        let all: Vec<String> = forecast.assumed.iter().map(assumed).collect();
        let assumed = format!("assumed, for want of a past: {}", all.join(", "));
        text.push_str(&styled(FAINT, wrapped(&line(&assumed), 2).trim_end()));
        text.push('\n');
    }
    text
}

/// The one thing that keeps it from getting anywhere; none where it gets somewhere, or several do.
fn nowhere(forecast: &Forecast) -> Option<&Never> {
    let mut all = forecast.arrivals.iter().map(|arrival| arrival.never.as_ref());
    let first = all.next()??;
    all.all(|never| never == Some(first)).then_some(first)
}

fn told(arrival: &Arrival, now: Timestamp) -> String {
    let Some(at) = arrival.usually else {
        let never = arrival.never.iter().map(|never| format!("{}: {}", never.what, never.why));
        return format!("{} {}", styled(WAITS, "no forecast:"), line(&never.collect::<String>()));
    };
    let by = match arrival.slowly {
        Some(by) if same_day(at, by) => format!("by {}", zoned(by).strftime("%H:%M")),
        Some(by) => format!("by {}", moment(by, now)),
        None => "or later".into(),
    };
    let mut links: Vec<&Link> = arrival.bound_by.iter().filter(|link| link.length() >= LINK_MIN).collect();
    links.sort_by_key(|link| std::cmp::Reverse(link.length()));
    let names: Vec<String> = links.iter().take(LINKS_MAX).map(|link| bound(link)).collect();
    let bound = match names.is_empty() {
        true => String::new(),
        false => format!("  {} {}", styled(FAINT, "bound by:"), names.join(", ")),
    };
    format!("{} ({by}){bound}", moment(at, now))
}

/// A moment to the minute, in the zone of this machine; the year only where it is another one.
fn moment(at: Timestamp, now: Timestamp) -> String {
    let at = zoned(at);
    match at.year() == zoned(now).year() {
        true => at.strftime("%a %-d %b %H:%M").to_string(),
        false => at.strftime("%a %-d %b %Y %H:%M").to_string(),
    }
}

fn zoned(at: Timestamp) -> Zoned {
    at.to_zoned(TimeZone::system())
}

fn same_day(one: Timestamp, other: Timestamp) -> bool {
    zoned(one).date() == zoned(other).date()
}

fn bound(link: &Link) -> String {
    let minutes = link.length().checked_add(SignedDuration::from_secs(30)).unwrap_or(link.length()).as_mins();
    let (kind, length) = (link.kind, length(SignedDuration::from_mins(minutes)));
    match (kind, &link.environment) {
        ("deployment" | "manual deployment", Some(environment)) => {
            format!("{kind} to {environment} {length}")
        }
        ("probe", Some(environment)) => format!("{kind} of {environment} {length}"),
        _ if link.name == kind => format!("{kind} {length}"),
        _ => format!("{kind} {} {length}", line(&link.name)),
    }
}

/// What is assumed; of which gates and steps is only told to programs.
fn assumed(assumption: &Assumption) -> String {
    let of = || list(assumption.of.iter().map(|name| line(name)));
    let span = |seconds: &i64| length(SignedDuration::from_secs(*seconds));
    match &assumption.what {
        Assumed::People(seconds) => format!("people answer within {}", span(seconds)),
        Assumed::Command(seconds) => format!("a command takes {}", span(seconds)),
        Assumed::Live(seconds) => format!("a deployment is seen after {}", span(seconds)),
        Assumed::Elsewhere(seconds) => {
            format!("the other deployment to {} ends within {}", of(), span(seconds))
        }
        Assumed::Answer(text) => format!("{} is answered with `{text}`", of()),
    }
}
