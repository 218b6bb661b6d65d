//! The form of the program clog.

use std::fmt::Write as _;

use super::bullets::Bullets;
use super::escape::escape_into;
use super::groups::{Entry, Titles};
use super::{ChangelogRules, Part};

/// The heading of what is not released yet.
const UNRELEASED: &str = "<a name=\"unreleased\"></a>\n## Unreleased\n";

pub(super) fn write(out: &mut String, rules: &ChangelogRules, titles: &Titles<'_>, part: &Part<'_>) {
    let bullets = Bullets::of(rules, 8);
    match (part.version, part.date) {
        (Some(version), Some(date)) => {
            let level = if version.is_patch() { "###" } else { "##" };
            let _ = write!(out, "<a name=\"{version}\"></a>\n{level} {version} ({date})\n");
        }
        _ => out.push_str(UNRELEASED),
    }
    // The first title stands off by one line more than the others.
    let mut gap = "\n\n";
    for (title, entries) in titles.group(part.changes) {
        out.push_str(gap);
        out.push_str("#### ");
        escape_into(out, title, None);
        out.push_str("\n\n");
        write_entries(out, &bullets, entries);
        gap = "\n";
    }
    bullets.newcomers(out, part.newcomers, &format!("{gap}#### "), "*   ");
}

/// Writes entries grouped by scope; those without one come first.
fn write_entries(out: &mut String, bullets: &Bullets<'_>, mut entries: Vec<Entry<'_>>) {
    entries.sort_by_key(|entry| entry.change.scope.as_deref().unwrap_or_default());
    for group in entries.chunk_by(|one, next| one.change.scope == next.change.scope) {
        let scope = group[0].change.scope.as_deref();
        if let (Some(scope), 2..) = (scope, group.len()) {
            out.push_str("* ");
            Bullets::scope(out, scope);
            out.push('\n');
        }
        for entry in group {
            match scope {
                None => out.push_str("*   "),
                Some(scope) if group.len() == 1 => {
                    out.push_str("* ");
                    Bullets::scope(out, scope);
                    out.push_str("  ");
                }
                Some(_) => out.push_str("  *  "),
            }
            bullets.text(out, entry.text);
            out.push_str(" (");
            bullets.commit(out, &entry.change.commit);
            bullets.tickets(out, entry, ", ");
            out.push(')');
            bullets.authors(out, entry.change);
            out.push('\n');
        }
    }
}
