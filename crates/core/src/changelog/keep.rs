//! The form that keepachangelog.com describes.

use std::fmt::Write as _;

use super::bullets::Bullets;
use super::escape::escape_into;
use super::groups::{Entry, Titles};
use super::{ChangelogRules, Part};

/// What stands at the head of a new file.
pub(super) const PREAMBLE: &str = "# Changelog\n\n\
    All notable changes to this project are written down in this file.\n\n\
    Its form is that of [Keep a Changelog](https://keepachangelog.com/en/1.1.0/).\n";

/// The heading of what is not released yet.
pub(super) const UNRELEASED: &str = "## [Unreleased]\n";

pub(super) fn write(out: &mut String, rules: &ChangelogRules, titles: &Titles<'_>, part: &Part<'_>) {
    let bullets = Bullets::of(rules, 8);
    match (part.version, part.date) {
        (Some(version), Some(date)) => {
            let _ = writeln!(out, "## [{version}] - {date}");
        }
        _ => out.push_str(UNRELEASED),
    }
    for (title, entries) in titles.group(part.changes) {
        out.push_str("\n### ");
        escape_into(out, title, None);
        out.push_str("\n\n");
        for entry in &entries {
            write_entry(out, &bullets, entry);
        }
    }
    bullets.newcomers(out, part.newcomers, "\n### ", "- ");
}

fn write_entry(out: &mut String, bullets: &Bullets<'_>, entry: &Entry<'_>) {
    out.push_str("- ");
    if entry.marked.is_some() {
        out.push_str("**Breaking:** ");
    }
    if let Some(scope) = &entry.change.scope {
        Bullets::scope(out, scope);
        out.push(' ');
    }
    bullets.text(out, entry.text);
    let mut sources = String::new();
    if !bullets.rules.links.is_none() {
        bullets.commit(&mut sources, &entry.change.commit);
    }
    bullets.tickets(&mut sources, entry, ", ");
    let sources = sources.strip_prefix(", ").unwrap_or(&sources);
    if !sources.is_empty() {
        let _ = write!(out, " ({sources})");
    }
    bullets.authors(out, entry.change);
    out.push('\n');
    if let Some(text) = entry.marked.filter(|text| *text != entry.text) {
        out.push_str("  ");
        bullets.text(out, text);
        out.push('\n');
    }
}
