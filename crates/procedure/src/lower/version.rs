//! How the next version is found: what commits ask of it, its day, its lines.

use indexmap::IndexMap;
use tollgate_core::calendar::Zone;
use tollgate_core::commits::{ChangeKind, CommitRules};
use tollgate_core::ids::LineName;
use tollgate_core::model::{BumpSource, LineSpec, NextSpec};
use tollgate_core::version::{Bump, VersionFormat, Within};

use super::Lower;
use crate::diagnostic::Code;
use crate::tree::Node;
use crate::words::shown;

impl Lower<'_> {
    /// The keys of `version` that say how the next one is found.
    pub(super) fn next_version(&mut self, node: &Node, format: Option<&VersionFormat>) -> NextSpec {
        let mut next = NextSpec::default();
        if let Some(bump) = node.get("bump").filter(|bump| bump.text() == Some("ask")) {
            next.bump = BumpSource::Ask;
            if format.is_some_and(|format| !format.is_decided()) {
                let message = "a version of this form grows by itself: there is nothing to ask";
                self.report.error(Code::BadValue, bump.span, message).hint("remove `bump`");
            }
        }
        if node.get("bump").is_some_and(|bump| bump.text() == Some("files")) {
            next.bump = BumpSource::Files;
            self.declared.change_files = true;
        }
        if node.get("bump").is_some_and(|bump| bump.text() == Some("labels")) {
            next.bump = BumpSource::Labels;
        }
        if let Some(folder) = node.get("changes") {
            next.folder = self.relative(folder);
            if !self.declared.change_files {
                let message = "without `bump: files` there are no change files";
                self.report.error(Code::BadValue, folder.span, message).hint("add `bump: files`");
            }
        }
        if let Some(zone) = node.get("zone")
            && let Some(text) = self.text(zone)
        {
            match text.parse::<Zone>() {
                Ok(found) => next.zone = found,
                Err(error) => drop(self.report.error(Code::BadValue, zone.span, error.to_string())),
            }
        }
        if let Some(counter) = node.get("counter")
            && let Some(first) = self.count_of(counter, "first")
        {
            let counts = format.is_none_or(VersionFormat::has_counter);
            if format.is_some_and(VersionFormat::restarts) {
                next.restart = first.into();
            } else if counts {
                next.first = first.into();
            } else {
                let message = "the format has no `N`, so nothing is counted";
                self.report.error(Code::BadVersion, counter.span, message).hint("add it, as in `[-N]`");
            }
        }
        if let Some(paths) = node.get("paths") {
            if self.declared.change_files {
                let message = "change files count wherever the change is";
                let hint =
                    "give each of several services in one repository a folder of its own, with `changes`";
                self.report.error(Code::BadValue, paths.span, message).hint(hint);
            }
            next.paths = paths.items().iter().filter_map(|path| self.counted_path(path)).collect();
            if !next.paths.is_empty() && next.paths.iter().all(|path| path.starts_with('!')) {
                let message = "these only say what does not count";
                self.report
                    .error(Code::BadPath, paths.span, message)
                    .hint("name what does, or all of it: `**`");
            }
        }
        next
    }

    /// A path or a pattern, with or without `!`.
    fn counted_path(&mut self, node: &Node) -> Option<String> {
        let text = self.text(node)?;
        let path = text.strip_prefix('!').unwrap_or(&text);
        let odd = |c: char| c.is_control() || c == '\\';
        let part = |part: &str| part.is_empty() || part == "." || part == "..";
        let wrong = path.contains(odd)
            || path.starts_with([':', '!'])
            || path.strip_suffix('/').unwrap_or(path).split('/').any(part);
        if !wrong {
            return Some(text);
        }
        let message = format!("`{}` is no path inside the repository", shown(&text));
        self.report
            .error(Code::BadPath, node.span, message)
            .hint("write it from the top of the repository, with `/`, as in `services/auth/**`");
        None
    }

    /// What commits ask of the next version.
    pub(super) fn commits(&mut self, root: &Node) -> CommitRules {
        let mut rules = CommitRules::default();
        let Some(node) = root.get("commits") else { return rules };
        for entry in node.get("types").map(Node::entries).unwrap_or_default() {
            let name = entry.key.as_str();
            let fits = name.len() <= tollgate_core::commits::TYPE_MAX_BYTES
                && name.starts_with(|c: char| c.is_ascii_lowercase())
                && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_');
            if !fits {
                let message = format!("`{}` cannot be a type of commits", shown(name));
                self.report
                    .error(Code::BadName, entry.key_span, message)
                    .hint("write what stands before the colon, in small letters, such as `feat`");
                continue;
            }
            let kind = ChangeKind::of_type(name);
            if let (Some(name), Some(weight)) = (kind.type_name(), weight(&entry.value)) {
                rules.types.insert(name.to_owned(), weight);
            }
        }
        if let Some(Some(breaking)) = node.get("breaking").and_then(weight) {
            rules.breaking = breaking;
        }
        if let Some(other) = node.get("other").and_then(weight) {
            rules.other = other;
        }
        rules.squash = node.get("squash").and_then(Node::boolean) == Some(true);
        rules
    }

    /// The lines of older versions.
    pub(super) fn lines(&mut self, root: &Node) -> IndexMap<LineName, LineSpec> {
        let mut lines = IndexMap::new();
        for entry in root.get("lines").map(Node::entries).unwrap_or_default() {
            let name = self.name(&entry.key, entry.key_span, LineName::new);
            let branch = entry.value.get("branch").and_then(|node| {
                let text = self.text(node)?;
                self.branch_name(&text, node).then_some(text)
            });
            let within = entry.value.get("within").and_then(|node| self.within(node));
            if let (Some(name), Some(branch), Some(within)) = (name, branch, within) {
                lines.insert(name, LineSpec { branch, within });
            }
        }
        lines
    }

    fn within(&mut self, node: &Node) -> Option<Within> {
        let text = self.text(node)?;
        let within = match text.parse::<Within>() {
            Ok(within) => within,
            Err(error) => {
                let message = format!("`{}` does not tell a line's versions: {error}", shown(&text));
                self.report.error(Code::BadVersion, node.span, message);
                return None;
            }
        };
        let numbers = self.declared.format.as_ref().map_or(3, VersionFormat::numbers);
        if within.fixed() < numbers {
            return Some(within);
        }
        let message = match numbers {
            0 if self.declared.format.as_ref().is_some_and(VersionFormat::is_calendar) => {
                "versions of the calendar have no lines: their date moves on by itself".to_owned()
            }
            0 => "versions of this form have no lines: they have no numbers to keep".to_owned(),
            _ => format!("with `{within}` fixed, nothing of a version would be left to grow"),
        };
        self.report.error(Code::BadVersion, node.span, message);
        None
    }
}

/// What a change asks for; nothing for another word, which was reported.
pub(super) fn weight(node: &Node) -> Option<Option<Bump>> {
    match node.text()? {
        "none" => Some(None),
        name => Bump::named(name).map(Some),
    }
}
