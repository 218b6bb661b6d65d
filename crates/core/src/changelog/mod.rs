//! The changelog: a section rendered from changes, put at the head of the file, and cut out again as release notes; or the
//! whole file, rendered from all releases.
//!
//! The same changes under the same rules give the same bytes. What commits say is escaped: it can make neither a link
//! nor HTML nor a heading.

mod bullets;
mod clog;
mod conventional;
mod escape;
mod file;
mod groups;
mod keep;
mod keep_file;
mod links;
mod outline;
mod people;
mod rules;
mod template;
mod tickets;
mod whole;

use jiff::civil::Date;

use crate::commits::{Change, Person};
use crate::version::Version;

use groups::Titles;

pub use escape::escape_markdown;
pub use file::{CHANGELOG_MAX_BYTES, ChangelogError, CutSection, cut, prepend};
pub use links::{Links, TicketUrl, TicketUrlError, WebUrl, WebUrlError};
pub use outline::title_fault;
pub use people::KnownAuthors;
pub use rules::{AuthorRules, ChangelogRules, Fate, Rule, Style, Wildcard};
pub use template::{ChangelogTemplate, TEMPLATE_MAX_BYTES, TEMPLATE_NAMES};
pub use whole::ChangelogWriter;

/// A release, as its section tells it.
#[derive(Debug, Clone, Copy)]
pub struct Release<'a> {
    /// The version.
    pub version: &'a Version,
    /// Its tag.
    pub tag: &'a str,
    /// The tag of the release before, if there was one.
    pub previous_tag: Option<&'a str>,
    /// The day of the release in the project's time zone.
    pub date: Date,
    /// What changed, in git's order, the newest first.
    pub changes: &'a [Change],
    /// Those of whom there was no commit before; only told where the rules ask for it. See [`KnownAuthors`].
    pub newcomers: &'a [Person],
}

/// What is not released yet.
#[derive(Debug, Clone, Copy)]
pub struct Unreleased<'a> {
    /// What changed, in git's order, the newest first.
    pub changes: &'a [Change],
}

/// The part of a changelog that is about one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// The version.
    pub version: Version,
    /// The text: lines end in `\n`, with one at the end.
    pub text: String,
    /// What the file that it is put into has to follow.
    layout: Layout,
}

/// What of a style concerns the file around a section.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Layout {
    /// Sections stand apart by so many blank lines.
    Sections { blank_lines: usize },
    /// "Unreleased" on top and link references at the end.
    Keep(Keep),
}

/// What the style of keepachangelog.com has to know for the file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Keep {
    tag: String,
    previous_tag: Option<String>,
    links: Links,
    /// The titles in their order.
    titles: Vec<String>,
}

/// A release or what is not released, as the styles see it.
#[derive(Debug, Clone, Copy)]
struct Part<'a> {
    version: Option<&'a Version>,
    tag: Option<&'a str>,
    previous_tag: Option<&'a str>,
    date: Option<Date>,
    changes: &'a [Change],
    newcomers: &'a [Person],
}

impl Part<'_> {
    /// The page that shows what changed since the release before.
    fn compare(&self, rules: &ChangelogRules) -> Option<String> {
        rules.links.compare(self.previous_tag?, self.tag?)
    }
}

impl<'a> From<&Release<'a>> for Part<'a> {
    fn from(release: &Release<'a>) -> Self {
        Self {
            version: Some(release.version),
            tag: Some(release.tag),
            previous_tag: release.previous_tag,
            date: Some(release.date),
            changes: release.changes,
            newcomers: release.newcomers,
        }
    }
}

impl<'a> From<&Unreleased<'a>> for Part<'a> {
    fn from(unreleased: &Unreleased<'a>) -> Self {
        let changes = unreleased.changes;
        Self { version: None, tag: None, previous_tag: None, date: None, changes, newcomers: &[] }
    }
}

/// Renders the section of a release. The changes keep their order under each title, where the style has no other.
///
/// # Errors
///
/// When the style is a template that cannot be filled in.
pub fn render(rules: &ChangelogRules, release: &Release<'_>) -> Result<Section, ChangelogError> {
    let mut text = String::new();
    let titles = Titles::of(rules);
    write(&mut text, rules, &titles, &Part::from(release))?;
    let layout = match rules.style {
        Style::KeepAChangelog => Layout::Keep(Keep {
            tag: release.tag.to_owned(),
            previous_tag: release.previous_tag.map(ToOwned::to_owned),
            links: rules.links.clone(),
            titles: titles.names().map(escape_markdown).collect(),
        }),
        _ => Layout::Sections { blank_lines: blank_lines(rules) },
    };
    Ok(Section { version: release.version.clone(), text, layout })
}

/// Renders a whole changelog: what the style has at its head, what is not released yet, every release (the newest first),
/// and what the style has at its end. The newcomers of each release are found here, whatever the releases say.
///
/// # Errors
///
/// When the style is a template that cannot be filled in.
pub fn render_all<'a>(
    rules: &ChangelogRules,
    releases: impl IntoIterator<Item = Release<'a>>,
    unreleased: Option<Unreleased<'a>>,
) -> Result<String, ChangelogError> {
    let releases: Vec<Release<'a>> = releases.into_iter().collect();
    let newcomers = newcomers(rules, &releases);
    let mut out = String::new();
    let mut writer = ChangelogWriter::new(rules);
    writer.unreleased(&mut out, unreleased)?;
    for (index, release) in releases.iter().enumerate() {
        let newcomers = newcomers.get(index).map_or(&[][..], Vec::as_slice);
        writer.release(&mut out, &Release { newcomers, ..*release })?;
    }
    writer.end(&mut out);
    Ok(out)
}

fn write(
    out: &mut String,
    rules: &ChangelogRules,
    titles: &Titles<'_>,
    part: &Part<'_>,
) -> Result<(), ChangelogError> {
    match &rules.style {
        Style::Clog => clog::write(out, rules, titles, part),
        Style::KeepAChangelog => keep::write(out, rules, titles, part),
        Style::ConventionalChangelog => conventional::write(out, rules, titles, part),
        Style::Template(template) => template::write(out, template, rules, titles, part)?,
    }
    Ok(())
}

/// How many blank lines stand between two sections.
fn blank_lines(rules: &ChangelogRules) -> usize {
    match rules.style {
        Style::Clog => 3,
        Style::KeepAChangelog | Style::ConventionalChangelog | Style::Template(_) => 1,
    }
}

/// The newcomers of each release, in the order of the releases; empty where nobody asks.
fn newcomers(rules: &ChangelogRules, releases: &[Release<'_>]) -> Vec<Vec<Person>> {
    if rules.authors.as_ref().is_none_or(|authors| authors.newcomers.is_none()) {
        return Vec::new();
    }
    let mut known = KnownAuthors::default();
    let mut found: Vec<_> = releases.iter().rev().map(|release| known.add(release.changes)).collect();
    found.reverse();
    found
}

#[cfg(test)]
mod tests;
