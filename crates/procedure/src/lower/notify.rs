//! Notices: who is told what.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use tollgate_core::ids::NoticeName;
use tollgate_core::model::{Happening, Notify, Recipient};

use super::Lower;
use crate::diagnostic::Code;
use crate::tree::Node;
use crate::words::shown;

impl Lower<'_> {
    /// The rules by which people are told.
    pub(super) fn notify(&mut self, root: &Node) -> IndexMap<NoticeName, Notify> {
        let mut rules = IndexMap::new();
        for entry in root.get("notify").map(Node::entries).unwrap_or_default() {
            let name = self.name(&entry.key, entry.key_span, NoticeName::new);
            let rule = self.notice(&entry.value);
            if let (Some(name), Some(rule)) = (name, rule) {
                rules.insert(name, rule);
            }
        }
        rules
    }

    fn notice(&mut self, node: &Node) -> Option<Notify> {
        let via = node.get("via").and_then(|via| self.connection(via));
        let to = match node.get("to") {
            Some(one) if one.text().is_some() => self.recipients(std::slice::from_ref(one)),
            Some(list) => self.recipients(list.items()),
            None => Vec::new(),
        };
        let events = self.happenings(node);
        let asks = events.contains(&Happening::Waiting);
        if asks {
            self.unreachable(node);
        }
        let via = self.declared.connections.get(&via?)?.clone();
        (!events.is_empty()).then_some(Notify { via, to, events })
    }

    fn happenings(&mut self, node: &Node) -> BTreeSet<Happening> {
        let mut events = BTreeSet::new();
        for item in node.get("events").map(Node::items).unwrap_or_default() {
            let found = Happening::ALL.into_iter().find(|one| Some(one.word()) == item.text());
            let Some(event) = found else { continue };
            if !events.insert(event) {
                let message = format!("`{event}` is in this list twice");
                self.report.error(Code::DoubledKey, item.span, message);
            }
        }
        events
    }

    /// People whom nobody can tell that something waits for them.
    fn unreachable(&mut self, node: &Node) {
        let without = self.declared.people.iter().filter(|(_, person)| person.mail.is_none());
        let names: Vec<String> = without.map(|(name, _)| format!("`{}`", shown(name.as_str()))).collect();
        if names.is_empty() {
            return;
        }
        let at = node.get("events").map_or(node.span, |events| events.span);
        let message = format!("{} cannot be told: they have no mail address", names.join(", "));
        self.report.warning(Code::MissingKey, at, message).hint("give them a `mail` under `people`");
    }

    /// Groups, people and mail addresses.
    pub(super) fn recipients(&mut self, items: &[Node]) -> Vec<Recipient> {
        let mut to = Vec::new();
        for item in items {
            let Some(text) = self.text(item) else { continue };
            let person = self.declared.people.keys().any(|person| person.as_str() == text);
            if super::values::is_mail(&text) && !person {
                to.push(Recipient::Address(text));
            } else if let Some(who) = self.who(item) {
                self.has_mail(&who, item);
                to.push(Recipient::Who(who));
            }
        }
        to
    }
}
