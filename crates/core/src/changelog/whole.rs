//! A whole changelog, written part by part as its releases come.

use super::groups::Titles;
use super::{ChangelogError, ChangelogRules, Part, Release, Style, Unreleased, blank_lines, keep, write};

/// Writes a whole changelog: first what is not released, then every release, the newest first, then the end. Each part is
/// put behind what is in the text given, which may be emptied in between.
#[derive(Debug)]
pub struct ChangelogWriter<'r> {
    rules: &'r ChangelogRules,
    titles: Titles<'r>,
    begun: bool,
    /// Name and target of the links at the end of a file that names its versions in brackets.
    references: Vec<(String, String)>,
}

impl<'r> ChangelogWriter<'r> {
    /// A writer by these rules.
    pub fn new(rules: &'r ChangelogRules) -> Self {
        Self { rules, titles: Titles::of(rules), begun: false, references: Vec::new() }
    }

    /// Writes the head, and what is not released yet. To be called once, before all releases.
    ///
    /// # Errors
    ///
    /// When the style is a template that cannot be filled in.
    pub fn unreleased(
        &mut self,
        out: &mut String,
        unreleased: Option<Unreleased<'_>>,
    ) -> Result<(), ChangelogError> {
        let unreleased = match self.rules.style {
            // Its heading is there even with nothing under it.
            Style::KeepAChangelog => {
                self.begun = true;
                out.push_str(keep::PREAMBLE);
                Some(unreleased.unwrap_or(Unreleased { changes: &[] }))
            }
            _ => unreleased.filter(|unreleased| !unreleased.changes.is_empty()),
        };
        match unreleased {
            Some(unreleased) => self.part(out, &Part::from(&unreleased)),
            None => Ok(()),
        }
    }

    /// Writes the section of a release.
    ///
    /// # Errors
    ///
    /// When the style is a template that cannot be filled in.
    pub fn release(&mut self, out: &mut String, release: &Release<'_>) -> Result<(), ChangelogError> {
        if self.rules.style == Style::KeepAChangelog {
            let ahead = self.rules.links.compare(release.tag, "HEAD").filter(|_| self.references.is_empty());
            self.references.extend(ahead.map(|url| ("unreleased".to_owned(), url)));
            let url = match release.previous_tag {
                Some(previous) => self.rules.links.compare(previous, release.tag),
                None => self.rules.links.tag(release.tag),
            };
            self.references.extend(url.map(|url| (release.version.to_string(), url)));
        }
        self.part(out, &Part::from(release))
    }

    /// Writes what stands at the end.
    pub fn end(self, out: &mut String) {
        for (index, (name, url)) in self.references.iter().enumerate() {
            out.push_str(if index == 0 { "\n[" } else { "[" });
            for part in [name, "]: ", url, "\n"] {
                out.push_str(part);
            }
        }
    }

    fn part(&mut self, out: &mut String, part: &Part<'_>) -> Result<(), ChangelogError> {
        if std::mem::replace(&mut self.begun, true) {
            out.extend(std::iter::repeat_n('\n', blank_lines(self.rules)));
        }
        write(out, self.rules, &self.titles, part)
    }
}
