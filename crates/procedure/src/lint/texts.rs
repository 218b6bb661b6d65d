//! Times of day in texts whose zone is not what people mean.

use super::{Finding, Findings, Subject};
use crate::diagnostic::Code;
use crate::tree::Node;

/// Abbreviations of zones whose clocks change, or that mean several zones.
const ABBREVIATIONS: &[&str] = &[
    "PST", "PDT", "MST", "MDT", "CST", "CDT", "EST", "EDT", "BST", "CET", "CEST", "EET", "EEST", "WET",
    "WEST", "IST", "EAT", "AEST", "AEDT", "JST", "PT", "ET", "CT", "MT",
];

pub(super) fn look(subject: &Subject<'_>, found: &mut Findings) {
    visit(subject.root, found);
}

fn visit(node: &Node, found: &mut Findings) {
    if let Some(text) = node.text()
        && let Some(zone) = zone_of_a_time(text)
    {
        let message =
            format!("`{zone}` after a time of day: clocks change, and abbreviations mean several zones");
        let hint =
            "name a place, such as `America/Los_Angeles`; a window or a freeze also holds people to it";
        found.push(Finding::warning(Code::ZoneInText, node.span, message, hint));
    }
    for below in node.items().iter().chain(node.entries().iter().map(|entry| &entry.value)) {
        visit(below, found);
    }
}

/// The abbreviation or offset behind a time of day.
fn zone_of_a_time(text: &str) -> Option<&str> {
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | ',' | ';'))
        .filter(|word| !word.is_empty())
        .collect();
    let zone = |word: &str| {
        let word = word.trim_end_matches(['.', ':', '!', '?']);
        let offset = word.strip_prefix("UTC").or_else(|| word.strip_prefix("GMT"));
        let offset = offset.is_some_and(|rest| rest.starts_with(['+', '-']) && rest.len() > 1);
        (ABBREVIATIONS.contains(&word) || offset).then_some(word.len())
    };
    words
        .windows(2)
        .find_map(|pair| is_time(pair[0]).then(|| zone(pair[1]).map(|end| &pair[1][..end])).flatten())
}

/// `16:00`, `9am`, or the second half of `9 am`.
fn is_time(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    let half = |text: &str| matches!(text, "am" | "pm" | "a.m." | "p.m." | "hrs" | "hours" | "o'clock");
    let digits = lower.trim_end_matches(|c: char| !c.is_ascii_digit());
    let clock = |text: &str| {
        let mut parts = text.split(':');
        let hour = parts.next().and_then(|hour| hour.parse::<u8>().ok()).is_some_and(|hour| hour <= 24);
        hour && parts.all(|part| part.len() == 2 && part.chars().all(|c| c.is_ascii_digit()))
    };
    half(&lower) || (clock(digits) && (digits.contains(':') || half(&lower[digits.len()..])))
}

#[cfg(test)]
mod tests {
    use super::zone_of_a_time;

    #[test]
    fn zones_behind_times_are_told() {
        for (text, zone) in [
            ("Cut at 1 PM PST.", Some("PST")),
            ("Push at 16:00 PDT, then wait.", Some("PDT")),
            ("About 9am PT", Some("PT")),
            ("At 20:00 (EAT)", Some("EAT")),
            ("07:30 UTC+3!", Some("UTC+3")),
            ("At 16:00 UTC.", None),
            ("At 16:00 Africa/Nairobi", None),
            ("The ET team meets at 16:00.", None),
            ("Ask the PST list", None),
            ("Ratio 3:2 CT", None),
            ("build 17 ET", None),
        ] {
            assert_eq!(zone_of_a_time(text), zone, "{text}");
        }
    }
}
