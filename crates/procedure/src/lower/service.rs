//! The service: source, version, changelog, components, connections, questions.

use indexmap::IndexMap;
use tollgate_core::commits::CommitRules;
use tollgate_core::ids::{ComponentName, ConnectionName, LineName, QuestionName, ServiceName};
use tollgate_core::model::{
    AnswerType, ChangelogSpec, Component, Connection, LineSpec, Question, RepositorySpec, VersionFileSpec,
    VersionSpec,
};
use tollgate_core::version::VersionFormat;
use tollgate_core::version_file::DescriptionError;

use super::{Loader, Lower};
use crate::diagnostic::Code;
use crate::render::plain;
use crate::tree::Node;
use crate::words::{listed, shown};

/// The parts of a definition that are not steps.
pub(super) struct Service {
    pub(super) name: ServiceName,
    pub(super) repository: RepositorySpec,
    pub(super) version: VersionSpec,
    pub(super) commits: CommitRules,
    pub(super) lines: IndexMap<LineName, LineSpec>,
    pub(super) changelog: Option<ChangelogSpec>,
    pub(super) components: IndexMap<ComponentName, Component>,
}

impl Lower<'_> {
    pub(super) fn service(&mut self, root: &Node, loader: Loader<'_>) -> Option<Service> {
        let name = root.get("service").and_then(|node| {
            let text = node.text()?;
            self.name(text, node.span, ServiceName::new)
        });
        let repository = root.get("repository").and_then(|node| self.repository(node));
        let mut version = root.get("version").and_then(|node| self.version(node));
        if let Some(version) = &mut version {
            self.labels(root, version);
        }
        let commits = self.commits(root);
        let lines = self.lines(root);
        let changelog = root.get("changelog").and_then(|node| self.changelog(node, loader));
        self.declared.changelog = root.get("changelog").is_some();
        let mut components = self.components(root);
        self.connections(root);
        self.questions(root);
        self.declared.components = components.keys().cloned().collect();
        let name = name?;
        if components.is_empty()
            && let Ok(only) = ComponentName::new(name.as_str())
        {
            self.declared.components.push(only.clone());
            components.insert(only, Component::default());
        }
        let (repository, version) = (repository?, version?);
        Some(Service { name, repository, version, commits, lines, changelog, components })
    }

    fn repository(&mut self, node: &Node) -> Option<RepositorySpec> {
        let url = node.get("url").and_then(|url| self.remote(url));
        let branch = node.get("branch").and_then(|node| {
            let text = self.text(node)?;
            self.branch_name(&text, node).then_some(text)
        });
        Some(RepositorySpec { url, branch: branch? })
    }

    fn version(&mut self, node: &Node) -> Option<VersionSpec> {
        let format = node.get("format").and_then(|format| {
            let text = self.text(format)?;
            match VersionFormat::new(&text) {
                Ok(format) => Some(format),
                Err(error) => {
                    self.report.error(Code::BadVersion, format.span, error.to_string());
                    None
                }
            }
        });
        // Names of numbers are only known where the format is.
        self.declared.version_parts = format.as_ref().map_or(3, VersionFormat::numbers);
        let files = node.get("files").map(Node::items).unwrap_or_default();
        self.declared.version_files = !files.is_empty();
        let files = files.iter().filter_map(|file| self.version_file(file)).collect();
        let initial = node.get("initial").and_then(|initial| {
            let text = self.text(initial)?;
            let fits = format.as_ref().is_none_or(|format| format.parse_text(&text).is_some());
            if !fits {
                let format = format.as_ref().map(VersionFormat::as_str).unwrap_or_default();
                let message = format!("`{}` does not fit the format `{}`", shown(&text), shown(format));
                let tag = VersionFormat::new(format).ok().and_then(|format| format.parse_tag(&text));
                let hint =
                    tag.map(|version| format!("write the version without the rest of the tag: `{version}`"));
                self.report.error(Code::BadVersion, initial.span, message).hint_if(hint);
            }
            Some(text)
        });
        let next = self.next_version(node, format.as_ref());
        self.declared.format = format.clone();
        Some(VersionSpec { format: format?.as_str().to_owned(), files, initial, next })
    }

    fn version_file(&mut self, node: &Node) -> Option<VersionFileSpec> {
        let at = node.get("path").unwrap_or(node);
        let path = self.text(at)?;
        let text = |key: &str| node.get(key).and_then(Node::text).map(ToOwned::to_owned);
        let (pattern, key) = (text("pattern"), text("key"));
        if pattern.is_some() != node.get("pattern").is_some() || key.is_some() != node.get("key").is_some() {
            return None;
        }
        if let (Some(_), Some(key)) = (&pattern, node.get("key")) {
            let message = "a version file has a `pattern` or a `key`, not both";
            let hint = "keep the one that finds the version, and remove the other";
            self.report.error(Code::KeyConflict, key.span, message).hint(hint);
        }
        let count = self.count_of(node, "count").unwrap_or(1);
        let spec = VersionFileSpec { path, pattern, count, key };
        if let Err(error) = spec.file() {
            let span = match &error {
                DescriptionError::Path(_)
                | DescriptionError::NoRule { .. }
                | DescriptionError::NoKeys { .. } => at.span,
                DescriptionError::Pattern { .. } => node.get("pattern").map_or(at.span, |node| node.span),
                DescriptionError::Key { .. } => node.get("key").map_or(at.span, |node| node.span),
            };
            self.report.error(Code::BadVersion, span, error.to_string());
        }
        Some(spec)
    }

    fn components(&mut self, root: &Node) -> IndexMap<ComponentName, Component> {
        let mut components = IndexMap::new();
        for entry in root.get("components").map(Node::entries).unwrap_or_default() {
            let name = self.name(&entry.key, entry.key_span, ComponentName::new);
            let image = entry.value.get("image").and_then(|image| self.image(image));
            if let Some(name) = name {
                components.insert(name, Component { image });
            }
        }
        components
    }

    fn image(&mut self, node: &Node) -> Option<String> {
        let text = self.text(node)?;
        let last = text.rsplit('/').next().unwrap_or_default();
        if last.contains([':', '@']) {
            let message = "an image stands here without a tag or digest";
            let hint = "every candidate brings its own; remove what follows `:` or `@`";
            self.report.error(Code::BadValue, node.span, message).hint(hint);
        } else if text.contains(|c: char| c.is_whitespace() || c.is_control()) || text.starts_with('-') {
            self.report.error(Code::BadValue, node.span, "this is no name of an image");
        }
        Some(text)
    }

    fn connections(&mut self, root: &Node) {
        for entry in root.get("connections").map(Node::entries).unwrap_or_default() {
            let name = self.name(&entry.key, entry.key_span, ConnectionName::new);
            let connection = entry.value.get("maildir").and_then(|node| {
                let path = self.text_of(node, "path");
                let from = node.get("from").and_then(|from| self.mail(from));
                Some(Connection::Maildir { path: path?, from: from? })
            });
            match (name, connection) {
                (Some(name), Some(connection)) => {
                    self.declared.connections.insert(name, connection);
                }
                _ => drop(self.declared.broken.insert(entry.key.clone())),
            }
        }
    }

    fn questions(&mut self, root: &Node) {
        for entry in root.get("questions").map(Node::entries).unwrap_or_default() {
            let name = self.name(&entry.key, entry.key_span, QuestionName::new);
            let ask = self.text_of(&entry.value, "ask");
            let answer = self.answer(&entry.value);
            let by = self.by(&entry.value);
            match (name, ask, answer) {
                (Some(name), Some(ask), Some(answer)) => {
                    self.declared.questions.insert(name, Question { ask, answer, by });
                }
                _ => drop(self.declared.broken.insert(entry.key.clone())),
            }
        }
    }

    fn answer(&mut self, node: &Node) -> Option<AnswerType> {
        if let Some(choice) = node.get("choice") {
            return self.choice(choice);
        }
        if let Some(integer) = node.get("integer") {
            return integer.integer().map(|min| AnswerType::Integer { min });
        }
        match (node.get("yes-no"), node.get("text")) {
            (Some(_), _) => Some(AnswerType::YesNo),
            (None, Some(_)) => Some(AnswerType::Text),
            (None, None) => None,
        }
    }

    fn choice(&mut self, node: &Node) -> Option<AnswerType> {
        let mut answers: Vec<String> = Vec::new();
        for item in node.items() {
            let Some(answer) = self.text(item) else { continue };
            if answers.contains(&answer) {
                let message = format!("`{}` is among the answers twice", shown(&answer));
                self.report.error(Code::DoubledKey, item.span, message);
                continue;
            }
            answers.push(answer);
        }
        (answers.len() > 1).then_some(AnswerType::Choice(answers))
    }

    /// A declared question.
    pub(super) fn question(&mut self, node: &Node) -> Option<QuestionName> {
        let text = node.text()?;
        if let Some(name) = self.declared.questions.keys().find(|name| name.as_str() == text) {
            return Some(name.clone());
        }
        if !self.declared.broken.contains(text) {
            let names = self.declared.questions.keys().map(QuestionName::as_str);
            let hint = crate::words::name_hint(text, names, "declare it under `questions`");
            let message = format!("there is no question `{}`", shown(text));
            self.report.error(Code::Unknown, node.span, message).hint(hint);
        }
        None
    }

    /// A declared connection.
    pub(super) fn connection(&mut self, node: &Node) -> Option<ConnectionName> {
        let text = node.text()?;
        if let Some(name) = self.declared.connections.keys().find(|name| name.as_str() == text) {
            return Some(name.clone());
        }
        if !self.declared.broken.contains(text) {
            let names = self.declared.connections.keys().map(ConnectionName::as_str);
            let hint = crate::words::name_hint(text, names, "declare it under `connections`");
            let message = format!("there is no connection `{}`", shown(text));
            self.report.error(Code::Unknown, node.span, message).hint(hint);
        }
        None
    }

    /// Whether git and a shell read a branch's name as one; `sample` is the name with its holes filled.
    pub(super) fn branch_name(&mut self, sample: &str, node: &Node) -> bool {
        let Some(why) = bad_branch(sample) else { return true };
        let message = format!("`{}` cannot be the name of a branch: {why}", shown(sample));
        self.report.error(Code::BadBranch, node.span, message);
        false
    }
}

/// What git, or somebody who types it, would trip over.
fn bad_branch(name: &str) -> Option<String> {
    const SIGNS: &[&str] = &["~", "^", ":", "?", "*", "[", "\\"];
    if plain(name) != name {
        return Some("it has characters that cannot be seen".to_owned());
    }
    if name.starts_with('-') {
        return Some("git would take it for an option".to_owned());
    }
    if name.starts_with("refs/") || name == "HEAD" || name == "@" {
        return Some("write the name of the branch alone".to_owned());
    }
    if let Some(sign) = SIGNS.iter().find(|sign| name.contains(**sign)) {
        return Some(format!("{} does not stand in it", listed([*sign], "or")));
    }
    if name.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Some("it has a space in it".to_owned());
    }
    let broken = name.contains("..")
        || name.contains("@{")
        || name.contains("//")
        || name.starts_with('/')
        || name.ends_with(['/', '.'])
        || name.split('/').any(|part| part.starts_with('.') || part.ends_with(".lock"));
    broken.then(|| "git does not take it".to_owned())
}
