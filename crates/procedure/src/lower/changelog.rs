//! The changelog: its form, and what stands in it.

use indexmap::IndexMap;
use tollgate_core::changelog::{
    AuthorRules, ChangelogRules, ChangelogTemplate, Fate, Links, Rule, Style, TicketUrl, Wildcard,
    title_fault,
};
use tollgate_core::commits::{ChangeKind, TYPE_MAX_BYTES};
use tollgate_core::model::ChangelogSpec;
use tollgate_core::version::VersionFormat;

use super::{Loader, Lower};
use crate::diagnostic::{Code, Span};
use crate::tree::Node;
use crate::words::shown;

/// The format of the version that a template is tried out with.
const SAMPLE_FORMAT: &str = "X.Y.Z";

impl Lower<'_> {
    pub(super) fn changelog(&mut self, node: &Node, loader: Loader<'_>) -> Option<ChangelogSpec> {
        let file = node.get("file").and_then(|file| self.relative(file));
        let style = match node.get("style") {
            None => Some(Style::Clog),
            Some(style) => self.style(style, loader),
        };
        let mut rules = ChangelogRules::of_style(style.clone().unwrap_or_default());
        if let Some(sections) = node.get("sections") {
            rules.sections = self.sections(sections);
        }
        if let Some(title) = node.get("breaking") {
            rules.breaking = self.title(title);
        }
        rules.rest = node.get("rest").and_then(|title| self.title(title));
        let listed = node.get("rules").map(Node::items).unwrap_or_default();
        rules.rules = listed.iter().filter_map(|rule| self.changelog_rule(rule)).collect();
        rules.links = node.get("links").and_then(|links| self.links(links)).unwrap_or_default();
        rules.tickets = self.tickets(node);
        rules.authors = node.get("authors").map(|authors| self.authors(authors));
        if let (Some(Style::Template(template)), Some(style)) = (&style, node.get("style")) {
            self.template_works(template, &rules, style.get("template").unwrap_or(style));
        }
        style?;
        let whole = node.get("whole").filter(|whole| whole.boolean() == Some(true));
        if let Some(whole) = whole
            && self.declared.change_files
        {
            let message = "change files are gone once they are released, so nothing tells of older releases";
            self.report.error(Code::BadValue, whole.span, message).hint("remove `whole`");
        }
        let whole = whole.is_some();
        Some(ChangelogSpec { file: file?, whole, rules })
    }

    fn style(&mut self, node: &Node, loader: Loader<'_>) -> Option<Style> {
        let Some(at) = node.get("template") else {
            return match node.text()? {
                "clog" => Some(Style::Clog),
                "keep-a-changelog" => Some(Style::KeepAChangelog),
                "conventional-changelog" => Some(Style::ConventionalChangelog),
                _ => None,
            };
        };
        let file = self.relative(at)?;
        match loader(&file) {
            Ok(text) => Some(Style::Template(ChangelogTemplate { file, text })),
            Err(why) => {
                let message = format!("`{}` cannot be read: {}", shown(&file), shown(&why));
                self.report.error(Code::Unreadable, at.span, message);
                None
            }
        }
    }

    /// Tries the template out, so that a mistake in it does not show up in the middle of a release.
    fn template_works(&mut self, template: &ChangelogTemplate, rules: &ChangelogRules, at: &Node) {
        let sample = VersionFormat::new(SAMPLE_FORMAT).ok().and_then(|format| format.parse_text("1.2.3"));
        if let Some(Err(error)) = sample.map(|version| template.check(rules, &version)) {
            self.report.error(Code::BadTemplate, at.span, error.to_string());
        }
    }

    fn sections(&mut self, node: &Node) -> Vec<(String, String)> {
        let mut sections: IndexMap<String, String> = IndexMap::new();
        for entry in node.entries() {
            let Some(title) = self.title(&entry.value) else { continue };
            let Some(name) = self.commit_type(&entry.key, entry.key_span) else { continue };
            if sections.insert(name.clone(), title).is_some() {
                let message =
                    format!("`{}` is the type `{name}`, which has a title already", shown(&entry.key));
                self.report.error(Code::DoubledKey, entry.key_span, message);
            }
        }
        sections.into_iter().collect()
    }

    /// The type of a commit, in its usual spelling.
    fn commit_type(&mut self, text: &str, span: Span) -> Option<String> {
        let plain = text.len() <= TYPE_MAX_BYTES
            && text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        if !plain {
            let message = format!("`{}` is no type of a commit", shown(text));
            let hint = "a type is one word, such as `feat`; others are meant by `rest`";
            self.report.error(Code::BadName, span, message).hint(hint);
            return None;
        }
        ChangeKind::of_type(text).type_name().map(ToOwned::to_owned)
    }

    /// A title that cannot be mistaken for the heading of a release.
    fn title(&mut self, node: &Node) -> Option<String> {
        let text = self.text(node)?;
        if let Some(fault) = title_fault(&text) {
            self.report.error(Code::BadValue, node.span, format!("`{}` {fault}", shown(&text)));
            return None;
        }
        Some(text)
    }

    fn changelog_rule(&mut self, node: &Node) -> Option<Rule> {
        let types = self.one_or_more(node, "type", |lower, item| {
            let text = lower.text(item)?;
            lower.commit_type(&text, item.span)
        });
        let scopes = self.one_or_more(node, "scope", |lower, item| lower.text(item));
        let scopes = scopes.into_iter().map(Wildcard).collect();
        let subject = self.text_of(node, "subject").map(Wildcard);
        let author = self.text_of(node, "author").map(Wildcard);
        let then = match node.get("section") {
            Some(title) => Fate::Section(self.title(title)?),
            None => Fate::Skip,
        };
        Some(Rule { types, scopes, subject, author, then })
    }

    fn links(&mut self, node: &Node) -> Option<Links> {
        const KINDS: [&str; 4] = ["github", "gitlab", "bitbucket", "gitea"];
        let named = KINDS.into_iter().find_map(|kind| Some((kind, node.get(kind)?)));
        let at = named.map_or(node, |(_, at)| at);
        let text = self.address(at)?;
        let links = match (Links::to_page(&text), named) {
            (Ok(links), None) => Ok(links),
            (Ok(links), Some((kind, _))) => Ok(links.of_kind(kind)),
            (Err(error), _) => Err(error),
        };
        match links {
            Ok(links) => Some(links),
            Err(error) => {
                self.report.error(Code::BadAddress, at.span, error.to_string());
                None
            }
        }
    }

    fn tickets(&mut self, node: &Node) -> IndexMap<String, TicketUrl> {
        let mut tickets = IndexMap::new();
        for entry in node.get("tickets").map(Node::entries).unwrap_or_default() {
            let Some(text) = self.text(&entry.value) else { continue };
            let capital = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
            let is_key =
                entry.key.starts_with(|c: char| c.is_ascii_uppercase()) && entry.key.chars().all(capital);
            if !is_key && entry.key != "bug" {
                let message = format!("`{}` is no key of a project", shown(&entry.key));
                let hint =
                    "it is the part before the number, such as `ABC` of `ABC-12`; `bug` is for `bug 12`";
                self.report.error(Code::BadName, entry.key_span, message).hint(hint);
                continue;
            }
            match TicketUrl::new(&text) {
                Ok(url) => drop(tickets.insert(entry.key.clone(), url)),
                Err(error) => {
                    self.report.error(Code::BadAddress, entry.value.span, error.to_string());
                }
            }
        }
        tickets
    }

    fn authors(&mut self, node: &Node) -> AuthorRules {
        let newcomers = node.get("newcomers").and_then(|title| self.title(title));
        AuthorRules { mail: node.get("mail").is_some(), newcomers }
    }
}
