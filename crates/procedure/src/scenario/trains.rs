//! What a scenario says of trains.

use jiff::civil::Date;
use tollgate_core::facts::Want;
use tollgate_core::forward::facts::Answer;
use tollgate_core::forward::ride::read_lines;
use tollgate_core::forward::scenario::{Does, Expectation, Pushed, Scenario, TrainFate};
use tollgate_core::ids::{FactName, TrainName};
use tollgate_core::model::Train;
use tollgate_core::train::DayReading;

use super::{Reading, items};
use crate::diagnostic::Code;
use crate::tree::{Entry, Node};

/// What a person says when something is started by hand.
const BY_HAND: [&str; 6] = ["procedure", "by", "version", "bump", "pre", "target"];

impl Reading<'_> {
    /// The trains that depart in a scenario.
    pub(super) fn trains(&mut self, root: &Node) -> Vec<TrainName> {
        let Some(entry) = root.entry("trains") else { return Vec::new() };
        if root.get("until").is_none() {
            self.report
                .error(
                    Code::MissingKey,
                    entry.key_span,
                    "trains depart again and again, and it does not say until when",
                )
                .hint("say when the scenario ends with `until`, such as `+14d`");
        }
        for by_hand in BY_HAND.iter().filter_map(|key| root.entry(key)) {
            let message = format!("`{}` is of what somebody starts by hand", by_hand.key);
            self.report
                .error(Code::KeyConflict, by_hand.key_span, message)
                .hint("remove it: the trains say what departs, and when");
        }
        let nodes = items(root, "trains");
        nodes.iter().filter_map(|node| self.playable(node)).collect()
    }

    /// A train that can be played: one of the branch that releases are cut from.
    fn playable(&mut self, node: &Node) -> Option<TrainName> {
        let name = self.train_named(node)?;
        let train = self.names.policy.trains.get(&name)?;
        let branch = &self.names.definition.repository.branch;
        if train.line.is_some() || train.branch != *branch {
            let message =
                format!("`{name}` releases `{}`, and a scenario plays what is on `{branch}`", train.branch);
            self.report
                .error(Code::BadValue, node.span, message)
                .hint("name trains that release the branch of `repository`");
            return None;
        }
        Some(name)
    }

    fn train_named(&mut self, node: &Node) -> Option<TrainName> {
        let all = self.names.policy.trains.keys().map(ToString::to_string).collect();
        self.named(node, "train", all)?.parse().ok()
    }

    /// A train that departs in this scenario, as `trains` says.
    fn train(&mut self, node: &Node) -> Option<TrainName> {
        let all = self.names.trains.iter().map(ToString::to_string).collect();
        self.named(node, "departing train", all)?.parse().ok()
    }

    /// What somebody does to a train; nothing where the kind is another one.
    pub(super) fn does_to_train(&mut self, node: &Node, kind: &Entry) -> Option<Does> {
        let why = || node.get("why").and_then(Node::text).unwrap_or("the scenario says so").to_owned();
        let train = self.train(&kind.value)?;
        Some(match kind.key.as_str() {
            "depart" => Does::Depart(train),
            "unskip" => Does::Unskip(train),
            "skip" => {
                let until = match node.get("until") {
                    Some(until) => Some(self.moment(until)?),
                    None => None,
                };
                Does::LeaveOut { train, until, why: why() }
            }
            _ => {
                let Some(with) = node.get("with") else {
                    self.report
                        .error(Code::MissingKey, kind.key_span, "it does not say which day")
                        .hint("write it as `with: 2026-03-06`");
                    return None;
                };
                Does::TellDay(train, self.parsed::<Date>(with)?)
            }
        })
    }

    /// What is expected of a train.
    pub(super) fn expected_of_train(&mut self, node: &Node, value: &Node) -> Option<Expectation> {
        let train = self.train(value)?;
        let word = node.get("is").and_then(Node::text).unwrap_or("departed");
        let (_, fate) = TrainFate::ALL.iter().find(|(name, _)| *name == word)?;
        Some(Expectation::Train(train, *fate))
    }

    /// The changes that are there at the start, and those that are pushed later.
    pub(super) fn changes(&mut self, root: &Node, scenario: &mut Scenario) {
        let nodes = items(root, "changes");
        if !nodes.is_empty() {
            scenario.changes.clear();
        }
        for node in nodes {
            let Some(commit) = self.change(node) else { continue };
            let Some(at) = node.entry("at") else {
                scenario.changes.push(commit);
                continue;
            };
            let Some(moment) = self.moment(&at.value) else { continue };
            let hint = match (self.names.trains.is_empty(), self.start) {
                (true, _) => "leave `at` out: without `trains`, everything is there at the start",
                (false, Some(start)) if moment <= start => "leave `at` out for what is there at the start",
                _ => {
                    scenario.pushed.push(Pushed { at: moment, commit });
                    continue;
                }
            };
            self.report.error(Code::BadValue, at.key_span, "this change is not pushed later").hint(hint);
        }
        scenario.pushed.sort_by_key(|pushed| pushed.at);
    }

    /// Which release something is about.
    pub(super) fn release(&mut self, node: &Node) -> Option<String> {
        let release = node.entry("release")?;
        if self.names.trains.is_empty() {
            self.report
                .error(Code::KeyConflict, release.key_span, "without `trains`, there is but one release")
                .hint("remove `release`");
        }
        release.value.text().map(ToOwned::to_owned)
    }

    /// The trains of this scenario whose day a fact tells.
    fn told_by(&self, fact: &FactName) -> impl Iterator<Item = &Train> {
        let trains = self.names.trains.iter().filter_map(|name| self.names.policy.trains.get(name));
        let tells = |train: &&Train| {
            train.departs.told_by().is_some_and(|told_by| told_by.name.as_ref() == Some(fact))
        };
        trains.filter(tells)
    }

    /// Whether a fact tells the day of a train of this scenario.
    pub(super) fn tells_a_day(&self, fact: &FactName) -> bool {
        self.told_by(fact).next().is_some()
    }

    /// Holds what a fact is against what it has to be to tell a day; nothing where it is not right.
    pub(super) fn day(&mut self, fact: &FactName, node: &Node, wants: &[Want]) -> Option<Answer> {
        let lines: Vec<String> = match node.text() {
            Some(text) => vec![text.to_owned()],
            None => node.items().iter().filter_map(Node::text).map(ToOwned::to_owned).collect(),
        };
        let zone = self.told_by(fact).find_map(|train| train.departs.zone().cloned());
        if let DayReading::Unreadable(why) = read_lines(&lines, zone.as_ref()) {
            let hint = "write a day, such as `2026-03-06`, or `[]` where there is none";
            self.report.error(Code::BadValue, node.span, format!("the fact tells a day: {why}")).hint(hint);
            return None;
        }
        match wants.is_empty() {
            true => Some(Answer::Is(lines)),
            false => self.answer(node, wants).map(Answer::Is),
        }
    }
}
