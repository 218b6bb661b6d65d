//! Notices: who is told what.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use jiff::SignedDuration;
use tollgate_core::ids::NoticeName;
use tollgate_core::model::{Escalation, Happening, Notify, Patience, Recipient, Trains};
use tollgate_core::notices::OF_TRAINS;

use super::Lower;
use crate::diagnostic::Code;
use crate::tree::Node;
use crate::words::shown;

/// The shortest time between two reminders.
const REMIND_MIN: SignedDuration = SignedDuration::from_mins(1);

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

    /// How long people are waited for at a gate or step. Some kinds count who acts: there nobody can come in beside.
    pub(super) fn patience(&mut self, node: &Node) -> Patience {
        let remind = self.duration_of(node, "remind");
        if let (Some(at), true) = (node.get("remind"), remind.is_some_and(|every| every < REMIND_MIN)) {
            let message = "people are reminded every minute at most";
            self.report.error(Code::BadValue, at.span, message).hint("`24h` is a usual time");
        }
        let escalate = node.get("escalate").and_then(|node| self.escalation(node));
        let may_act = node.get("escalate").and_then(|escalate| escalate.get("may-act"));
        let counted = ["vote", "hand-over"].into_iter().find(|kind| node.get(kind).is_some());
        let questions = node.get("ask").is_some_and(|ask| !ask.items().is_empty());
        let kind = counted.or(questions.then_some("ask"));
        if let (Some(at), Some(kind), true) =
            (may_act, kind, escalate.as_ref().is_some_and(|one| one.may_act))
        {
            let message = format!("nobody else can act on `{kind}`");
            let hint = "remove `may-act`: they are told, and can talk to those who act";
            self.report.error(Code::KeyConflict, at.span, message).hint(hint);
        }
        let patience = Patience { remind, escalate };
        if !patience.is_endless() {
            self.declared.patient.get_or_insert(node.span);
        }
        patience
    }

    fn escalation(&mut self, node: &Node) -> Option<Escalation> {
        let after = self.duration_of(node, "after");
        let to = self.fixed(node, "to");
        if let (Some(at), Some(to)) = (node.get("to"), &to) {
            self.has_mail(to, at);
        }
        let may_act = node.get("may-act").and_then(Node::boolean).unwrap_or(false);
        Some(Escalation { after: after?, to: to?, may_act })
    }

    /// Reminders go out by a notice that tells what waits.
    pub(super) fn reminders_go_out(&mut self, rules: &IndexMap<NoticeName, Notify>) {
        let told = rules.values().any(|rule| rule.events.contains(&Happening::Waiting));
        if let (Some(span), false) = (self.declared.patient, told) {
            let message = "nobody would be reminded: no notice tells what waits for people";
            let hint = "add `notify: { asked: { via: CONNECTION, events: [waiting] } }`";
            self.report.warning(Code::MissingKey, span, message).hint(hint);
        }
    }

    /// What is told of trains needs trains, and what is told before they depart a moment at which it is.
    pub(super) fn trains_are_told(
        &mut self,
        root: &Node,
        rules: &IndexMap<NoticeName, Notify>,
        trains: &Trains,
    ) {
        // Trains that are broken were reported.
        let none = trains.is_empty() && root.get("trains").is_none();
        let early = trains.is_empty() || trains.values().any(|train| train.heads_up.is_some());
        for entry in root.get("notify").map(Node::entries).unwrap_or_default() {
            let Some(rule) = rules.iter().find(|(name, _)| name.as_str() == entry.key) else { continue };
            let (events, at) =
                (&rule.1.events, entry.value.get("events").map_or(entry.key_span, |at| at.span));
            let of_trains = OF_TRAINS.iter().any(|event| events.contains(event));
            let (message, hint) = match (of_trains && none, events.contains(&Happening::Departing)) {
                (true, _) => ("it tells of trains, and there are none", "declare them under `trains`"),
                (false, true) if !early => (
                    "nobody is told before a train departs: none has a `heads-up`",
                    "give the trains a `heads-up`, such as `1h`",
                ),
                _ => continue,
            };
            self.report.warning(Code::MissingKey, at, message).hint(hint);
        }
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
