//! The form of the tools around conventional-changelog, with the preset `conventionalcommits`.

use std::fmt::Write as _;

use super::bullets::Bullets;
use super::escape::escape_into;
use super::groups::{Entry, Titles};
use super::{ChangelogRules, Part};

/// The scope that the preset takes for none.
const EVERYTHING: &str = "*";

pub(super) fn write(out: &mut String, rules: &ChangelogRules, titles: &Titles<'_>, part: &Part<'_>) {
    let bullets = Bullets::of(rules, 7);
    let _ = match (part.version, part.date, part.compare(rules)) {
        (Some(version), Some(date), Some(url)) => writeln!(out, "## [{version}]({url}) ({date})"),
        (Some(version), Some(date), None) => writeln!(out, "## {version} ({date})"),
        _ => writeln!(out, "## Unreleased"),
    };
    for (title, mut entries) in titles.group(part.changes) {
        out.push_str("\n### ");
        escape_into(out, title, None);
        out.push_str("\n\n");
        // By scope and text as if they were one, as the preset sorts; but not by the rules of a language.
        entries.sort_by_cached_key(|entry| {
            format!("{}{}", scope(entry).unwrap_or_default(), entry.text).to_lowercase()
        });
        for entry in &entries {
            write_entry(out, &bullets, entry);
        }
    }
    bullets.newcomers(out, part.newcomers, "\n### ", "* ");
}

fn write_entry(out: &mut String, bullets: &Bullets<'_>, entry: &Entry<'_>) {
    out.push_str("* ");
    if let Some(scope) = scope(entry) {
        Bullets::scope(out, scope);
        out.push(' ');
    }
    bullets.text(out, entry.text);
    // What breaks is told without its commit, as the preset does.
    if !entry.is_break {
        out.push_str(" (");
        bullets.commit(out, &entry.change.commit);
        out.push(')');
        bullets.tickets(out, entry, " ");
    }
    bullets.authors(out, entry.change);
    out.push('\n');
}

fn scope<'a>(entry: &Entry<'a>) -> Option<&'a str> {
    entry.change.scope.as_deref().filter(|scope| *scope != EVERYTHING)
}
