//! The form of the program clog.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use indexmap::IndexMap;
use jiff::civil::Date;

use super::{ChangelogRules, Links, escape_markdown};
use crate::commits::{Change, Ticket};
use crate::version::Version;

/// What is said of a change under a title.
struct Bullet<'a> {
    text: &'a str,
    change: &'a Change,
}

pub(super) fn render(rules: &ChangelogRules, version: &Version, date: Date, changes: &[Change]) -> String {
    let level = if version.is_patch() { "###" } else { "##" };
    let mut out = format!("<a name=\"{version}\"></a>\n{level} {version} ({date})\n");
    for (title, bullets) in titles(rules, changes) {
        if bullets.is_empty() {
            continue;
        }
        // The first title stands off by one line more than the others.
        let gap = if out.contains("####") { "\n" } else { "\n\n" };
        let _ = write!(out, "{gap}#### {}\n\n", escape_markdown(title));
        write_bullets(&mut out, &rules.links, bullets);
    }
    out
}

/// The bullets under each title, in the order of the titles.
fn titles<'a>(rules: &'a ChangelogRules, changes: &'a [Change]) -> IndexMap<&'a str, Vec<Bullet<'a>>> {
    let mut titles: IndexMap<&str, Vec<Bullet<'_>>> = IndexMap::new();
    let all = std::iter::once(&rules.breaking).chain(rules.sections.values()).chain(&rules.rest);
    for title in all {
        titles.entry(title.as_str()).or_default();
    }
    for change in changes {
        if let Some(text) = &change.breaking {
            titles.entry(rules.breaking.as_str()).or_default().push(Bullet { text, change });
        }
        let listed = change.kind.type_name().and_then(|name| rules.sections.get(name));
        if let Some(title) = listed.or(rules.rest.as_ref()) {
            titles.entry(title.as_str()).or_default().push(Bullet { text: &change.text, change });
        }
    }
    titles
}

/// Writes bullets grouped by scope; those without one come first.
fn write_bullets(out: &mut String, links: &Links, bullets: Vec<Bullet<'_>>) {
    let mut scopes: BTreeMap<&str, Vec<Bullet<'_>>> = BTreeMap::new();
    for bullet in bullets {
        scopes.entry(bullet.change.scope.as_deref().unwrap_or_default()).or_default().push(bullet);
    }
    for (scope, bullets) in scopes {
        let name = format!("* **{}:**", escape_markdown(scope));
        let prefix = match (scope, bullets.len()) {
            ("", _) => "* ",
            (_, 1) => name.as_str(),
            _ => {
                let _ = writeln!(out, "{name}");
                "  *"
            }
        };
        for bullet in bullets {
            let text = escape_markdown(bullet.text);
            let _ = writeln!(out, "{prefix}  {text} ({})", sources(links, bullet.change));
        }
    }
}

/// Where a change comes from: its commit and the tickets that it closes.
fn sources(links: &Links, change: &Change) -> String {
    // An id that is none must not get into a link.
    let id = &change.commit.0;
    let mut out = if !id.is_empty() && id.bytes().all(|b| b.is_ascii_hexdigit()) {
        format!("[{}]({})", change.commit.short(), links.commit(&change.commit))
    } else {
        escape_markdown(id)
    };
    let closes = change.references.iter().filter(|reference| reference.closes);
    for (index, reference) in closes.enumerate() {
        out.push_str(if index == 0 { ", closes " } else { ", " });
        match &reference.ticket {
            Ticket::Issue(number) => {
                let _ = write!(out, "[#{number}]({})", links.issue(*number));
            }
            other => out.push_str(&escape_markdown(&other.to_string())),
        }
    }
    out
}
