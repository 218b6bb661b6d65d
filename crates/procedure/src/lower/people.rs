//! People and groups, here and in files that this one names.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use tollgate_core::ids::{GroupName, PersonName, RoleName, StepId};
use tollgate_core::model::{Person, Who};

use super::{Declared, Loader, Lower};
use crate::check;
use crate::diagnostic::{Code, Diagnostic, Report};
use crate::grammar::PEOPLE_FILE;
use crate::render::Sources;
use crate::tree::{self, Entry, Node};
use crate::words::{name_hint, shown};

/// What a file of people holds.
#[derive(Debug, Default)]
struct PeopleFile {
    people: IndexMap<PersonName, Person>,
    groups: IndexMap<GroupName, Vec<PersonName>>,
    broken: bool,
}

impl Lower<'_> {
    /// Declares people and groups. Gives the mistakes of other files.
    pub(super) fn people(
        &mut self,
        root: &Node,
        loader: Loader<'_>,
        sources: &mut Sources,
    ) -> Vec<Diagnostic> {
        self.declare_people(root);
        let mut files: BTreeMap<String, Option<PeopleFile>> = BTreeMap::new();
        let mut elsewhere = Vec::new();
        // Groups from files first: they bring people that the lists here may name.
        let entries = root.get("groups").map(Node::entries).unwrap_or_default();
        let (from_files, lists): (Vec<&Entry>, Vec<&Entry>) =
            entries.iter().partition(|entry| entry.value.get("file").is_some());
        for entry in from_files.into_iter().chain(lists) {
            let Some(name) = self.name(&entry.key, entry.key_span, GroupName::new) else { continue };
            let members = match entry.value.get("file") {
                None => self.members(&entry.value),
                Some(file) => self.relative(file).and_then(|path| {
                    let loaded = files
                        .entry(path.clone())
                        .or_insert_with(|| self.read(&path, file, loader, sources, &mut elsewhere));
                    loaded.as_ref().and_then(|loaded| self.group_from(&name, &path, loaded, file))
                }),
            };
            match members {
                Some(members) => drop(self.declared.groups.insert(name, members)),
                None => drop(self.declared.broken.insert(entry.key.clone())),
            }
            self.ambiguous(entry);
        }
        elsewhere
    }

    fn ambiguous(&mut self, entry: &Entry) {
        if self.declared.people.keys().any(|person| person.as_str() == entry.key) {
            let message = format!("`{}` is a person and a group", shown(&entry.key));
            self.report
                .error(Code::Ambiguous, entry.key_span, message)
                .hint("give one of them another name, so that `by` can only mean one");
        }
    }

    fn declare_people(&mut self, root: &Node) {
        for entry in root.get("people").map(Node::entries).unwrap_or_default() {
            let Some(name) = self.name(&entry.key, entry.key_span, PersonName::new) else { continue };
            let person = self.person(&entry.value);
            self.declared.people.insert(name, person);
        }
        self.shared_accounts(root);
        self.stand_ins(root);
    }

    fn person(&mut self, node: &Node) -> Person {
        Person {
            name: self.text_of(node, "name"),
            mail: node.get("mail").and_then(|mail| self.mail(mail)),
            login: self.one_or_more(node, "login", Self::text),
            git: self.one_or_more(node, "git", Self::mail),
            forge: self.one_or_more(node, "forge", Self::text),
            tracker: self.one_or_more(node, "tracker", Self::text),
            chat: self.one_or_more(node, "chat", Self::text),
            away: node.get("away").map(|away| self.away(away)).unwrap_or_default(),
            stand_in: node.get("stand-in").and_then(Node::text).and_then(|text| PersonName::new(text).ok()),
        }
    }

    /// Two people with one account would be one person to every rule that counts them.
    fn shared_accounts(&mut self, root: &Node) {
        let mut seen: BTreeMap<(&str, String), String> = BTreeMap::new();
        for entry in root.get("people").map(Node::entries).unwrap_or_default() {
            for key in ["mail", "login", "git", "forge", "tracker", "chat"] {
                let Some(value) = entry.value.get(key) else { continue };
                let kind = match key {
                    "login" => "account",
                    "forge" => "account of the forge",
                    "tracker" => "account of the tracker",
                    "chat" => "account of the chat",
                    _ => "mail address",
                };
                for node in std::iter::once(value).chain(value.items()) {
                    let Some(text) = node.text() else { continue };
                    let id = if key == "login" { text.to_owned() } else { text.to_lowercase() };
                    let owner = seen.entry((kind, id)).or_insert_with(|| entry.key.clone());
                    if *owner != entry.key {
                        let message =
                            format!("the {kind} `{}` belongs to `{}` already", shown(text), shown(owner));
                        self.report.error(Code::Ambiguous, node.span, message);
                    }
                }
            }
        }
    }

    fn members(&mut self, node: &Node) -> Option<Vec<PersonName>> {
        let mut members: Vec<PersonName> = Vec::new();
        for item in node.items() {
            let Some(text) = item.text() else { continue };
            let Some(person) = self.declared.people.keys().find(|person| person.as_str() == text).cloned()
            else {
                let names = self.declared.people.keys().map(PersonName::as_str);
                let hint = name_hint(text, names, "declare people under `people`");
                let message = format!("there is no person `{}`", shown(text));
                self.report.error(Code::Unknown, item.span, message).hint(hint);
                continue;
            };
            if members.contains(&person) {
                let message = format!("`{person}` is in this group twice");
                self.report.error(Code::DoubledKey, item.span, message).hint("one person counts once");
                continue;
            }
            members.push(person);
        }
        (!members.is_empty()).then_some(members)
    }

    /// Reads a file of people; `None` when that failed, which was reported.
    fn read(
        &mut self,
        path: &str,
        at: &Node,
        loader: Loader<'_>,
        sources: &mut Sources,
        elsewhere: &mut Vec<Diagnostic>,
    ) -> Option<PeopleFile> {
        let text = match loader(path) {
            Ok(text) => text,
            Err(why) => {
                let message = format!("`{}` cannot be read: {}", shown(path), shown(&why));
                self.report.error(Code::Unreadable, at.span, message);
                return None;
            }
        };
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let mut report = Report::new(path);
        let mut loaded = PeopleFile::default();
        if let Some(root) = tree::parse(text, &mut report) {
            check::check(&root, &PEOPLE_FILE, &mut report);
            let declared = Declared::default();
            let loader: Loader<'_> = &|_| Err("a file of people names no other file".to_owned());
            let mut lower = Lower {
                report: &mut report,
                source: text,
                declared,
                loader,
                answers_used: Default::default(),
            };
            lower.people(&root, loader, &mut Sources::default());
            loaded.people = std::mem::take(&mut lower.declared.people);
            loaded.groups = std::mem::take(&mut lower.declared.groups);
        }
        loaded.broken = report.has_errors();
        sources.add(path, text);
        elsewhere.extend(report.finish());
        if loaded.broken {
            let message = format!("`{}` has mistakes", shown(path));
            self.report.error(Code::Unreadable, at.span, message);
            return None;
        }
        Some(loaded)
    }

    /// Takes a group, and the people in it, from another file.
    fn group_from(
        &mut self,
        name: &GroupName,
        path: &str,
        loaded: &PeopleFile,
        at: &Node,
    ) -> Option<Vec<PersonName>> {
        let Some(members) = loaded.groups.get(name) else {
            let message = format!("`{}` has no group `{name}`", shown(path));
            let hint =
                name_hint(name.as_str(), loaded.groups.keys().map(GroupName::as_str), "it has no groups");
            self.report.error(Code::Unknown, at.span, message).hint(hint);
            return None;
        };
        for member in members {
            let Some(person) = loaded.people.get(member) else { continue };
            match self.declared.people.get(member) {
                Some(known) if known != person => {
                    let message = format!("`{member}` is somebody else in `{}`", shown(path));
                    let hint = "declare every person in one of the two files";
                    self.report.error(Code::Ambiguous, at.span, message).hint(hint);
                }
                Some(_) => {}
                None => drop(self.declared.people.insert(member.clone(), person.clone())),
            }
        }
        Some(members.clone())
    }

    /// Whom a name means.
    pub(super) fn who(&mut self, node: &Node) -> Option<Who> {
        let text = node.text()?;
        if let Some(role) = self.declared.roles.keys().find(|role| role.as_str() == text) {
            return Some(Who::Role(role.clone()));
        }
        if let Some(group) = self.declared.groups.keys().find(|group| group.as_str() == text) {
            return Some(Who::Group(group.clone()));
        }
        if let Some(person) = self.declared.people.keys().find(|person| person.as_str() == text) {
            return Some(Who::Person(person.clone()));
        }
        if !self.declared.broken.contains(text) {
            let groups = self.declared.groups.keys().map(GroupName::as_str);
            let people = self.declared.people.keys().map(PersonName::as_str);
            let roles = self.declared.roles.keys().map(RoleName::as_str);
            let names = groups.chain(people).chain(roles);
            let hint = name_hint(text, names, "declare people under `people`, groups under `groups`");
            let message = format!("there is no person or group `{}`", shown(text));
            self.report.error(Code::Unknown, node.span, message).hint(hint);
        }
        None
    }

    /// Whom `by` means, when it is there.
    pub(super) fn by(&mut self, node: &Node) -> Option<Who> {
        let by = node.get("by")?;
        match by.get("same-as") {
            Some(step) => step.text().and_then(|step| StepId::new(step).ok()).map(Who::SameAs),
            None => self.who(by),
        }
    }
}
