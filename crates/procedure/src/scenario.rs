//! Reads scenario files: a text in, a checked [`Scenario`] out, or every mistake in it with its place.

mod by_hand;
mod facts;
mod loads;
mod others;
mod trains;

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use tollgate_core::calendar::Zone;
use tollgate_core::decide::ALWAYS;
use tollgate_core::event::{Ballot, TickResult};
use tollgate_core::forward::object;
use tollgate_core::forward::point::Point;
use tollgate_core::forward::scenario::{
    Commit, Does, Ending, Expectation, Expected, Fault, LASTS, Limit, Part, Scenario, Went, When, read_moment,
};
use tollgate_core::ids::{
    CandidateNumber, EnvironmentName, GateName, ItemName, OutputName, PersonName, QuestionName, StepId,
    TrainName,
};
use tollgate_core::model::{Definition, Place, Policy};
use tollgate_core::plan::{Items, PlannedChange, unfold};
use tollgate_core::version::{Bump, PreLabel};

use crate::diagnostic::{Code, Diagnostic, Report, Span};
use crate::grammar::SCENARIO;
use crate::render::Sources;
use crate::tree::{Entry, Node};
use crate::words::{name_hint, shown};
use crate::{check, duration, render, tree};

/// What came of reading a scenario file.
#[derive(Debug)]
pub struct LoadedScenario {
    /// The scenario; only there when nothing is wrong.
    pub scenario: Option<Scenario>,
    /// What is wrong, in the order of the file.
    pub diagnostics: Vec<Diagnostic>,
    sources: Sources,
}

impl LoadedScenario {
    /// The mistakes as text for a terminal.
    pub fn render(&self, colour: bool) -> String {
        render::render(&self.diagnostics, &self.sources, colour)
    }
}

/// Reads a scenario for a procedure file. `file_name` is what messages call it.
pub fn load_scenario(
    text: &str,
    file_name: &str,
    definition: &Definition,
    policy: &Policy,
) -> LoadedScenario {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let sources = Sources::of(file_name, text);
    let mut report = Report::new(file_name);
    let mut scenario = None;
    if let Some(root) = tree::parse(text, &mut report) {
        check::check(&root, &SCENARIO, &mut report);
        let names = Names { definition, policy, steps: Vec::new(), trains: Vec::new() };
        scenario = Reading { report: &mut report, names, zone: Zone::utc(), start: None }.scenario(&root);
    }
    let mut diagnostics = report.finish();
    diagnostics.truncate(crate::diagnostic::MAX_DIAGNOSTICS);
    if diagnostics.iter().any(Diagnostic::is_error) {
        scenario = None;
    }
    LoadedScenario { scenario, diagnostics, sources }
}

/// What a scenario can speak of.
struct Names<'a> {
    definition: &'a Definition,
    policy: &'a Policy,
    /// The steps of the procedure, unfolded; empty where that is not known.
    steps: Vec<StepId>,
    /// The trains that depart.
    trains: Vec<TrainName>,
}

struct Reading<'a> {
    report: &'a mut Report,
    names: Names<'a>,
    zone: Zone,
    start: Option<Timestamp>,
}

impl Reading<'_> {
    fn scenario(&mut self, root: &Node) -> Option<Scenario> {
        let start = root.get("start").and_then(|node| self.start(node));
        self.start = start;
        self.names.trains = self.trains(root);
        let procedure = match root.get("procedure") {
            Some(node) => Some(self.named(node, "procedure", self.procedures())?),
            None => None,
        };
        let mut scenario = Scenario::good_day(start.unwrap_or_default(), self.zone.clone());
        self.changes(root, &mut scenario);
        self.names.steps = self.all_steps(procedure.as_deref(), items(root, "changes").len());
        scenario.trains.clone_from(&self.names.trains);
        scenario.name = root.get("scenario").and_then(Node::text).unwrap_or_default().to_owned();
        scenario.until = tollgate_core::view::later(scenario.start, LASTS);
        if let Some(until) = root.get("until").and_then(|node| self.moment(node)) {
            scenario.until = until;
        }
        scenario.procedure = procedure.and_then(|name| name.parse().ok());
        scenario.by = root.get("by").and_then(|node| self.person(node));
        scenario.last = root.get("last").and_then(Node::text).map(ToOwned::to_owned);
        scenario.version = root.get("version").and_then(Node::text).map(ToOwned::to_owned);
        scenario.bump = root.get("bump").and_then(Node::text).and_then(Bump::named);
        scenario.pre = root.get("pre").and_then(|node| self.parsed::<PreLabel>(node));
        scenario.target = root.get("target").and_then(|node| self.parsed::<Date>(node));
        if let Some(node) = root.get("answer-after") {
            scenario.answer_after = match node.text() {
                Some("never") => None,
                _ => self.length(node),
            };
        }
        if let Some(takes) = root.get("commands-take").and_then(|node| self.length(node)) {
            scenario.commands_take = takes;
        }
        scenario.before = items(root, "before").iter().filter_map(|node| self.went(node)).collect();
        scenario.before.sort_by_key(|went| went.at);
        self.know_rollbacks(root);
        scenario.others = self.others(root);
        for node in items(root, "people") {
            // What stands below a respin is about the candidate that it makes.
            let above =
                scenario.people.iter().filter(|part| matches!(part.does, Does::Respin { .. })).count();
            scenario.people.extend(self.part(node).map(|part| Part { respins: above as u32, ..part }));
        }
        scenario.facts = items(root, "facts").iter().filter_map(|node| self.scripted(node)).collect();
        scenario.world = items(root, "world").iter().filter_map(|node| self.fault(node)).collect();
        scenario.expect = items(root, "expect").iter().filter_map(|node| self.expected(node)).collect();
        start.map(|_| scenario)
    }

    /// The start says the zone of all times.
    fn start(&mut self, node: &Node) -> Option<Timestamp> {
        let text = node.text()?;
        let zone = text.split_ascii_whitespace().last().filter(|word| !word.contains(':'));
        let Some(zone) = zone else {
            self.report
                .error(Code::BadValue, node.span, "the start has no time zone")
                .hint("write it behind, such as `2026-11-23 09:00 Europe/Berlin`");
            return None;
        };
        match Zone::new(zone) {
            Ok(zone) => self.zone = zone,
            Err(error) => {
                self.report.error(Code::BadValue, node.span, error.to_string());
                return None;
            }
        }
        let moment = text.rsplit_once(zone).map(|(moment, _)| moment).unwrap_or(text);
        self.read(node, moment)
    }

    fn moment(&mut self, node: &Node) -> Option<Timestamp> {
        let text = node.text()?;
        self.read(node, text)
    }

    fn read(&mut self, node: &Node, text: &str) -> Option<Timestamp> {
        match read_moment(text, &self.zone, self.start) {
            Ok(at) => Some(at),
            Err(why) => {
                self.report.error(Code::BadValue, node.span, why);
                None
            }
        }
    }

    fn length(&mut self, node: &Node) -> Option<SignedDuration> {
        let text = node.text()?;
        match duration::parse(text) {
            Ok(length) => Some(length),
            Err((what, hint)) => {
                let message = format!("`{}` {what}", shown(text));
                self.report.error(Code::BadDuration, node.span, message).hint_if(hint);
                None
            }
        }
    }

    fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(&mut self, node: &Node) -> Option<T> {
        match node.text()?.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.report.error(Code::BadValue, node.span, error.to_string());
                None
            }
        }
    }

    fn procedures(&self) -> Vec<String> {
        self.names.definition.procedures.keys().map(ToString::to_string).collect()
    }

    /// One of these names.
    fn named(&mut self, node: &Node, what: &str, all: Vec<String>) -> Option<String> {
        let text = node.text()?;
        if all.iter().any(|name| name == text) {
            return Some(text.to_owned());
        }
        let hint = name_hint(text, all.iter().map(String::as_str), "the procedure file has none");
        let message = format!("there is no {what} `{}`", shown(text));
        self.report.error(Code::Unknown, node.span, message).hint(hint);
        None
    }

    /// A release that went somewhere before.
    fn went(&mut self, node: &Node) -> Option<Went> {
        let environment = node.get("went").and_then(|node| self.environment(node));
        let at_node = node.get("at")?;
        let at = self.moment(at_node)?;
        if self.start.is_some_and(|start| at >= start) {
            let message = "what went before comes before the start";
            self.report
                .error(Code::BadValue, at_node.span, message)
                .hint("write a moment before `start`, with its date");
            return None;
        }
        let version = node.get("version").and_then(Node::text)?.to_owned();
        let bump = node.get("bump").and_then(Node::text).and_then(Bump::named).unwrap_or(Bump::Patch);
        let measured = self.measured(node)?;
        Some(Went { version, bump, environment: environment?, at, measured })
    }

    fn person(&mut self, node: &Node) -> Option<PersonName> {
        let all = self.names.policy.people.keys().map(ToString::to_string).collect();
        self.named(node, "person", all)?.parse().ok()
    }

    fn environment(&mut self, node: &Node) -> Option<EnvironmentName> {
        let all = self.names.policy.environments.keys().map(ToString::to_string).collect();
        self.named(node, "environment", all)?.parse().ok()
    }

    fn step(&mut self, node: &Node) -> Option<StepId> {
        if self.names.steps.is_empty() {
            return self.parsed(node);
        }
        let all = self.names.steps.iter().map(ToString::to_string).collect();
        self.named(node, "step", all)?.parse().ok()
    }

    /// A gate, a question or a step.
    fn point(&mut self, node: &Node) -> Option<Point> {
        let text = node.text()?;
        let policy = self.names.policy;
        if let Some((environment, gate)) = text.split_once('/')
            && let Ok(environment) = EnvironmentName::new(environment)
            && let Some(found) = policy.environments.get(&environment)
            && let Ok(gate) = GateName::new(gate)
            && (found.gates.contains_key(&gate)
                || policy.gates.contains_key(&gate)
                || ALWAYS.contains(&gate.as_str())
                || by_hand::is_of_a_freeze(&gate))
        {
            return Some(Point::Gate(environment, gate));
        }
        if let Ok(question) = QuestionName::new(text)
            && self.names.definition.questions.contains_key(&question)
        {
            return Some(Point::Question(question));
        }
        if self.names.steps.is_empty() || self.names.steps.iter().any(|step| step.as_str() == text) {
            return self.parsed(node).map(Point::Step);
        }
        let gates = policy.environments.iter().flat_map(|(name, environment)| {
            let gates = policy.gates.keys().chain(environment.gates.keys());
            gates.map(move |gate| format!("{name}/{gate}"))
        });
        let questions = self.names.definition.questions.keys().map(ToString::to_string);
        let all: Vec<String> =
            gates.chain(questions).chain(self.names.steps.iter().map(ToString::to_string)).collect();
        self.named(node, "gate, question or step", all);
        None
    }

    /// The steps of whatever is started, for so many changes.
    fn all_steps(&self, named: Option<&str>, changes: usize) -> Vec<StepId> {
        let policy = self.names.policy;
        let trains = self.names.trains.iter().filter_map(|name| policy.trains.get(name));
        let mut runs: Vec<&str> = trains.map(|train| train.runs.as_str()).collect();
        runs.dedup();
        match runs.is_empty() {
            true => self.steps(named, changes),
            false => runs.into_iter().flat_map(|runs| self.steps(Some(runs), changes)).collect(),
        }
    }

    /// The steps of the procedure, for so many changes.
    fn steps(&self, named: Option<&str>, changes: usize) -> Vec<StepId> {
        let procedures = &self.names.definition.procedures;
        let release = || procedures.iter().find(|(name, _)| name.as_str() == "release");
        let found = match named {
            Some(named) => procedures.iter().find(|(name, _)| name.as_str() == named),
            None if procedures.len() == 1 => procedures.first(),
            None => release(),
        };
        let changes: Vec<PlannedChange> = (0..changes.max(1))
            .map(|number| PlannedChange {
                commit: object(&number.to_string()),
                title: "a change".into(),
                author: None,
            })
            .collect();
        let components = self.names.definition.components.keys().cloned().collect();
        let items = Items { changes: &changes, changes_total: changes.len() as u64, components };
        let steps = found.map(|(_, procedure)| unfold(procedure, self.names.policy, &items));
        match steps {
            Some(Ok(steps)) => steps.into_iter().map(|step| step.id).collect(),
            _ => Vec::new(),
        }
    }

    fn change(&mut self, node: &Node) -> Option<Commit> {
        if let Some(text) = node.text() {
            return Some(Commit::new(text));
        }
        let paths = items(node, "paths").iter().filter_map(Node::text).map(ToOwned::to_owned).collect();
        let author = node.get("author").and_then(|node| self.person(node));
        let lines = node.get("lines").and_then(Node::integer).and_then(|lines| u64::try_from(lines).ok());
        let new_author = node.get("new-author").and_then(Node::boolean).unwrap_or(false);
        let commit = Commit::new(node.get("message").and_then(Node::text)?);
        let labels = node
            .get("labels")
            .map(|labels| labels.items().iter().filter_map(Node::text).map(ToOwned::to_owned).collect());
        Some(Commit { author, paths, lines: lines.unwrap_or_default(), new_author, labels, ..commit })
    }

    fn part(&mut self, node: &Node) -> Option<Part> {
        let by = node.get("by").and_then(|node| self.person(node));
        let kind = node.entries().iter().find(|entry| is_kind(&entry.key))?;
        let does = self.does(node, kind)?;
        let when = match (node.get("after"), node.get("at")) {
            (Some(_), Some(at)) => {
                self.report
                    .error(Code::KeyConflict, at.span, "it happens at a moment or after a time, not both")
                    .hint("remove one of them");
                return None;
            }
            (Some(after), None) => When::After(self.length(after)?),
            (None, Some(at)) => When::At(self.moment(at)?),
            (None, None) => When::After(SignedDuration::ZERO),
        };
        let release = self.release(node);
        Some(Part { when, by, does, respins: 0, release, place: place(kind.key_span) })
    }

    fn does(&mut self, node: &Node, kind: &Entry) -> Option<Does> {
        let value = &kind.value;
        let why = || node.get("why").and_then(Node::text).unwrap_or("the scenario says so").to_owned();
        let text = || value.text().map(ToOwned::to_owned);
        Some(match kind.key.as_str() {
            "nobody" => Does::Nothing(self.point(value)?),
            "approve" => Does::Approve(self.point(value)?),
            "reject" => Does::Reject(self.point(value)?, why()),
            "revoke" => Does::Revoke(self.point(value)?),
            "answer" => {
                let with = node.get("with").and_then(Node::text).unwrap_or("yes").to_owned();
                Does::Answer(self.point(value)?, with)
            }
            "vote" => {
                let note = node.get("why").and_then(Node::text).map(ToOwned::to_owned);
                Does::Vote(self.point(value)?, self.ballot(node)?, note)
            }
            "tick" => {
                let names = items(node, "items");
                let names = names.iter().filter_map(|one| self.parsed::<ItemName>(one)).collect();
                let result = match node.get("result").and_then(Node::text) {
                    Some("failed") => TickResult::Failed { why: why() },
                    Some("not-run") => TickResult::NotRun { why: why() },
                    _ => TickResult::Passed,
                };
                Does::Tick(self.point(value)?, names, result)
            }
            "done" => Does::Done(self.step(value)?, self.outputs(node)),
            "waive" => Does::Waive(self.point(value)?, why()),
            "retry" => Does::Retry(self.step(value)?),
            "assign" => {
                let roles = self.names.policy.roles.keys().map(ToString::to_string).collect();
                let role = self.named(value, "role", roles)?.parse().ok()?;
                let Some(to) = node.get("to") else {
                    self.report
                        .error(Code::MissingKey, kind.key_span, "it does not say who fills the role")
                        .hint("name somebody with `to`");
                    return None;
                };
                Does::Assign(role, self.person(to)?)
            }
            "hold" => Does::Hold(text()?),
            "resume" => match node.get("environments") {
                Some(environments) => self.reopened(environments)?,
                None => Does::Resume,
            },
            "risk" | "promote" | "rollback" => self.by_hand(value, kind, why())?,
            "abort" => Does::Abort(text()?),
            "respin" => Does::Respin {
                why: text()?,
                changes: items(node, "changes").iter().filter_map(|node| self.change(node)).collect(),
                version: node.get("version").and_then(Node::text).map(ToOwned::to_owned),
            },
            "freeze" => self.freeze(node, kind)?,
            "depart" | "skip" | "unskip" | "date" => self.does_to_train(node, kind)?,
            _ => Does::Thaw(value.integer().and_then(|number| u32::try_from(number).ok())?),
        })
    }

    fn ballot(&mut self, node: &Node) -> Option<Ballot> {
        let Some(with) = node.get("with") else { return Some(Ballot::For) };
        let found = [Ballot::For, Ballot::Abstain, Ballot::Against]
            .into_iter()
            .find(|ballot| with.text() == Some(ballot.to_string().as_str()) || is_plus(*ballot, with));
        if found.is_none() {
            self.report.error(Code::BadValue, with.span, "a vote is `+1`, `0` or `-1`");
        }
        found
    }

    fn freeze(&mut self, node: &Node, kind: &Entry) -> Option<Does> {
        let why = kind.value.text()?.to_owned();
        let from = node.get("from").map(|from| self.moment(from));
        let Some(until) = node.get("until") else {
            self.report
                .error(Code::MissingKey, kind.key_span, "a freeze has an end")
                .hint("say it with `until`");
            return None;
        };
        let until = self.moment(until)?;
        let all = items(node, "environments");
        let environments: Vec<EnvironmentName> = all.iter().filter_map(|one| self.environment(one)).collect();
        let from = match from {
            Some(from) => Some(from?),
            None => None,
        };
        let exempt = self.exempt(node)?;
        (environments.len() == all.len()).then_some(Does::Freeze { why, from, until, environments, exempt })
    }

    fn outputs(&mut self, node: &Node) -> BTreeMap<OutputName, String> {
        let entries = node.get("outputs").map(Node::entries).unwrap_or_default();
        let mut outputs = BTreeMap::new();
        for entry in entries {
            match (OutputName::new(entry.key.as_str()), entry.value.text()) {
                (Ok(name), Some(text)) => {
                    outputs.insert(name, text.to_owned());
                }
                (Err(error), _) => {
                    self.report.error(Code::BadName, entry.key_span, error.to_string());
                }
                (Ok(_), None) => {}
            }
        }
        outputs
    }

    fn fault(&mut self, node: &Node) -> Option<Fault> {
        if let Some(step) = node.get("step") {
            let takes = match node.get("takes") {
                Some(takes) => Some(self.length(takes)?),
                None => None,
            };
            let fails = node.get("fails").and_then(Node::integer).unwrap_or(0);
            let why = node.get("why").and_then(Node::text).unwrap_or("it failed").to_owned();
            let step = self.step(step)?;
            if let Some(outputs) = node.get("outputs") {
                self.measures_of(&step, outputs);
            }
            return Some(Fault::Step {
                step,
                takes,
                fails: u32::try_from(fails).unwrap_or(0),
                why,
                outputs: self.outputs(node),
                release: self.release(node),
            });
        }
        if let Some(environment) = node.get("probe") {
            let lasts = match node.get("for") {
                Some(lasts) => Some(self.length(lasts)?),
                None => None,
            };
            let answers = node.get("answers").and_then(Node::text).map(ToOwned::to_owned);
            let (environment, release) = (self.environment(environment)?, self.release(node));
            return Some(Fault::Probe { environment, answers, lasts, release });
        }
        let from = node.entry("down")?;
        let Some(until) = node.get("until") else {
            self.report
                .error(Code::MissingKey, from.key_span, "it does not say until when")
                .hint("say it with `until`");
            return None;
        };
        let (from, until) = (self.moment(&from.value)?, self.moment(until)?);
        Some(Fault::Down { from, until })
    }

    fn expected(&mut self, node: &Node) -> Option<Expected> {
        const KINDS: [&str; 9] =
            ["live", "not-live", "waits", "ends", "version", "done", "skipped", "kept", "train"];
        let kind = node.entries().iter().find(|entry| KINDS.contains(&entry.key.as_str()))?;
        let value = &kind.value;
        let what = match kind.key.as_str() {
            "live" => Expectation::Live(self.environment(value)?),
            "not-live" => Expectation::NotLive(self.environment(value)?),
            "waits" => Expectation::Waits(self.point(value)?),
            "ends" => {
                let found = Ending::ALL.iter().find(|(name, _)| value.text() == Some(name));
                Expectation::Ends(found?.1)
            }
            "version" => Expectation::Version(value.text()?.to_owned()),
            "done" => Expectation::Done(self.step(value)?),
            "skipped" => Expectation::Skipped(self.step(value)?),
            "train" => self.expected_of_train(node, value)?,
            _ => Expectation::Kept(self.step(value)?),
        };
        let mut limits = node
            .entries()
            .iter()
            .filter(|entry| ["before", "at", "not-before"].contains(&entry.key.as_str()));
        let limit = match (limits.next(), limits.next()) {
            (None, _) => None,
            (Some(_), Some(second)) => {
                self.report
                    .error(Code::KeyConflict, second.key_span, "one moment is enough")
                    .hint("make two expectations of it");
                return None;
            }
            (Some(entry), None) => {
                let at = self.moment(&entry.value)?;
                Some(match entry.key.as_str() {
                    "before" => Limit::Before(at),
                    "at" => Limit::At(at),
                    _ => Limit::After(at),
                })
            }
        };
        let candidate = node.get("candidate").and_then(Node::integer);
        let candidate = candidate.and_then(|number| u32::try_from(number).ok()).map(CandidateNumber);
        let release = self.release(node);
        Some(Expected { what, limit, candidate, release, place: place(kind.key_span) })
    }
}

/// `+1` without quotes is a number in YAML, and a vote here.
fn is_plus(ballot: Ballot, node: &Node) -> bool {
    let number = match ballot {
        Ballot::For => 1,
        Ballot::Abstain => 0,
        Ballot::Against => -1,
    };
    node.integer() == Some(number)
}

/// Whether a key of an entry of `people` says what somebody does.
fn is_kind(key: &str) -> bool {
    const MODIFIERS: [&str; 16] = [
        "by",
        "after",
        "at",
        "with",
        "to",
        "items",
        "result",
        "outputs",
        "why",
        "from",
        "until",
        "environments",
        "exempt",
        "changes",
        "version",
        "release",
    ];
    !MODIFIERS.contains(&key)
}

fn items<'n>(node: &'n Node, key: &str) -> &'n [Node] {
    node.get(key).map(Node::items).unwrap_or_default()
}

fn place(span: Span) -> Place {
    Place { line: span.line, column: span.column }
}
