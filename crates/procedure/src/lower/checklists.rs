//! Checklists: written out, or in a Markdown file beside the procedure file.

use std::collections::BTreeSet;

use tollgate_core::ids::ItemName;
use tollgate_core::model::{CHECKLIST_MAX, Checklist, ChecklistGroup, ChecklistItem, Handed, Template};

use super::scope::Scope;
use super::{Loader, Lower};
use crate::diagnostic::{Code, Span};
use crate::markdown;
use crate::tree::Node;
use crate::words::shown;

impl Lower<'_> {
    /// Reads the files that checklists name, each once.
    pub(super) fn checklist_files(&mut self, root: &Node, loader: Loader<'_>) {
        if let Some(path) = root.get("checklist").and_then(file_of).map(|(path, _)| path.to_owned()) {
            let text = match tollgate_core::version_file::RepoPath::new(&path) {
                Ok(_) => loader(&path),
                Err(error) => Err(error.to_string()),
            };
            self.declared.texts.entry(path).or_insert(text);
        }
        for entry in root.entries() {
            self.checklist_files(&entry.value, loader);
        }
        for item in root.items() {
            self.checklist_files(item, loader);
        }
    }

    /// A checklist of a step or a gate, with what stands beside it in `beside`.
    pub(super) fn checklist(&mut self, beside: &Node, node: &Node, scope: &Scope) -> Option<Checklist> {
        let list = match (file_of(node), node.scalar()) {
            (Some((path, heading)), _) => self.in_file(beside, node, path, heading, scope)?,
            (None, Some(_)) => {
                let text = self.template(node, scope)?;
                let items = vec![item("1".parse().ok()?, text)];
                Checklist { groups: vec![ChecklistGroup { title: None, items }] }
            }
            (None, None) => self.written_out(node, scope),
        };
        if let (Some(with), None) = (beside.entry("with"), file_of(node)) {
            let message = "`with` is for the texts of a Markdown file";
            let hint = "write the values into the texts themselves";
            self.report.error(Code::KeyConflict, with.key_span, message).hint(hint);
        }
        self.names(&list, node.span);
        Some(list).filter(|list| list.items().next().is_some())
    }

    fn written_out(&mut self, node: &Node, scope: &Scope) -> Checklist {
        let mut groups: Vec<ChecklistGroup> = Vec::new();
        let mut number = 0;
        for entry in node.items() {
            if let Some(title) = entry.get("group") {
                let inner = entry.get("items").map(Node::items).unwrap_or_default();
                if entry.get("items").is_none() {
                    let message = "the heading has no items below it";
                    self.report.error(Code::MissingKey, title.span, message).hint("write them in `items`");
                }
                let title = self.text(title);
                let items = inner.iter().filter_map(|one| self.item(one, &mut number, scope)).collect();
                groups.push(ChecklistGroup { title, items });
                continue;
            }
            let Some(item) = self.item(entry, &mut number, scope) else { continue };
            match groups.last_mut().filter(|group| group.title.is_none()) {
                Some(group) => group.items.push(item),
                None => groups.push(ChecklistGroup { title: None, items: vec![item] }),
            }
        }
        Checklist { groups }
    }

    fn item(&mut self, node: &Node, number: &mut u32, scope: &Scope) -> Option<ChecklistItem> {
        *number += 1;
        let text = self.template(node.get("do").unwrap_or(node), scope)?;
        let id = match node.get("id") {
            None => ItemName::new(number.to_string()).ok(),
            Some(id) if id.text().is_some_and(|id| id.bytes().all(|b| b.is_ascii_digit())) => {
                let message = "a number is the name of an item that has no other one";
                self.report.error(Code::BadName, id.span, message).hint("use letters, or leave `id` out");
                None
            }
            Some(id) => id.text().and_then(|text| self.name(text, id.span, ItemName::new)),
        };
        let takes = self.duration_of(node, "takes");
        let evidence = match node.get("evidence").and_then(Node::text) {
            Some("required") => Handed::Something,
            Some("link") => Handed::Link,
            _ => Handed::Nothing,
        };
        let optional = node.get("optional").and_then(Node::boolean).unwrap_or(false);
        Some(ChecklistItem { takes, evidence, optional, ..item(id?, text) })
    }

    fn in_file(
        &mut self,
        beside: &Node,
        node: &Node,
        path: &str,
        heading: Option<&str>,
        scope: &Scope,
    ) -> Option<Checklist> {
        let text = self.declared.texts.get(path).cloned().unwrap_or_else(|| Err("it was not read".into()));
        let sections = text.and_then(|text| markdown::checklist(&text, heading));
        let sections = match sections {
            Ok(sections) => sections,
            Err(why) => {
                let message = format!("no checklist comes from `{}`: {}", shown(path), shown(&why));
                self.report.error(Code::Unreadable, node.span, message);
                return None;
            }
        };
        let mut values = Vec::new();
        for entry in beside.get("with").map(Node::entries).unwrap_or_default() {
            let value = self.template(&entry.value, scope)?;
            values.push((entry.key.clone(), value.0));
        }
        let mut groups = Vec::new();
        let mut number = 0;
        for section in sections {
            let mut items = Vec::new();
            for text in section.items {
                number += 1;
                let text = self.filled_in(&text, &values, node.span)?;
                items.push(item(ItemName::new(number.to_string()).ok()?, text));
            }
            groups.push(ChecklistGroup { title: section.title, items });
        }
        Some(Checklist { groups })
    }

    /// The text of an item with what `with` says: a file of its own knows no other names.
    fn filled_in(&mut self, text: &str, values: &[(String, String)], at: Span) -> Option<Template> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, hole)) = rest.split_once("{{") {
            filled.push_str(before);
            let Some((name, after)) = hole.split_once("}}") else {
                let message = format!("`{}` has `{{{{` without its end", shown(text));
                self.report.error(Code::BadTemplate, at, message);
                return None;
            };
            let name = name.trim();
            let Some((_, value)) = values.iter().find(|(key, _)| key == name) else {
                let message = format!("the file asks for `{}`, which `with` does not say", shown(name));
                let hint = format!("write `with: {{ {}: … }}` beside `checklist`", shown(name));
                self.report.error(Code::BadTemplate, at, message).hint(hint);
                return None;
            };
            filled.push_str(value);
            rest = after;
        }
        filled.push_str(rest);
        // What else looks like a template would fail when the release is under way.
        if filled.contains("{%") || filled.contains("{#") {
            let message = format!("`{}` has `{{%` or `{{#` in it", shown(text));
            self.report.error(Code::BadTemplate, at, message).hint("write it otherwise in the file");
            return None;
        }
        Some(Template(filled))
    }

    /// Every item has a name of its own, and there are not too many.
    fn names(&mut self, list: &Checklist, at: Span) {
        let mut seen = BTreeSet::new();
        if let Some((_, doubled)) = list.items().find(|(_, item)| !seen.insert(&item.id)) {
            let message = format!("two items are called `{}`", doubled.id);
            self.report.error(Code::DoubledKey, at, message);
        }
        if list.items().count() > CHECKLIST_MAX {
            let message = format!("a checklist has at most {CHECKLIST_MAX} items");
            self.report.error(Code::Limit, at, message);
        }
    }
}

fn item(id: ItemName, text: Template) -> ChecklistItem {
    ChecklistItem { id, text, takes: None, evidence: Handed::Nothing, optional: false }
}

/// The Markdown file that a checklist names, with its heading.
fn file_of(node: &Node) -> Option<(&str, Option<&str>)> {
    let text = node.text()?;
    let (path, heading) = match text.split_once('#') {
        Some((path, heading)) => (path, Some(heading)),
        None => (text, None),
    };
    let is_file = path.ends_with(".md") && !text.contains(char::is_whitespace) && !text.contains('{');
    is_file.then_some((path, heading))
}
