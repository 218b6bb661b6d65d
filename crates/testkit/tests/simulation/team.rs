//! Teams by chance: who they are, what must hold, how they release.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use jiff::SignedDuration;
use tollgate_core::calendar::Windows;
use tollgate_core::changelog::ChangelogRules;
use tollgate_core::expr::{BinaryOp, Builder, Expr, NodeKind, Span};
use tollgate_core::ids::{GateName, PersonName};
use tollgate_core::model::{
    Again, AnswerType, ApprovalRule, ChangelogSpec, Checklist, ChecklistGroup, ChecklistItem, Closing,
    Component, Connection, Definition, Deploy, Each, Environment, Extract, FacetName, Filled, Fits, Gate,
    GateKind, GitCheck, GitCherryPick, GitMerge, Handed, Keeps, Majority, MergeHow, MergeWay, Message, Order,
    Otherwise, Pace, Per, Person, Policy, Probe, ProbeRead, Procedure, Question, Recipient, RepositorySpec,
    Retry, Role, Shell, SignOff, Step, StepKind, Template, VersionFileSpec, VersionSpec, VoteRule, Who,
};
use tollgate_testkit::world::{Chance, DEPLOY, Git, REPEATABLE};

use crate::timing::{NOON, WORKING_HOURS};

/// Everybody.
pub(crate) const PEOPLE: [&str; 6] = ["ann", "bob", "cat", "dan", "eve", "fay"];
const GROUPS: [(&str, &[&str]); 4] = [
    ("dev", &["ann", "bob", "cat"]),
    ("ops", &["cat", "dan", "eve"]),
    ("qa", &["bob", "eve", "fay", "dan"]),
    ("leads", &["ann", "fay"]),
];
pub(crate) const SERVICE: &str = "svc";
pub(crate) const PROCEDURE: &str = "release";

/// A name of some kind.
pub(crate) fn named<T: std::str::FromStr>(text: &str) -> T
where
    T::Err: std::fmt::Debug,
{
    text.parse().unwrap()
}

/// What a team writes down.
#[derive(Debug, Clone)]
pub(crate) struct Team {
    pub(crate) definition: Definition,
    pub(crate) policy: Policy,
}

impl Team {
    pub(crate) fn by(chance: &mut Chance) -> Self {
        let policy = Making { chance, count: 0 }.policy();
        let definition = Making { chance, count: 0 }.definition(&policy);
        Self { definition, policy }
    }
}

fn minutes(chance: &mut Chance, from: i64, to: i64) -> SignedDuration {
    SignedDuration::from_mins(chance.between(from, to))
}

/// `name`, or `name == "text"`.
pub(crate) fn condition(name: &str, is: Option<&str>) -> Expr {
    let source = is.map_or(name.to_owned(), |is| format!("{name} == \"{is}\""));
    let mut builder = Builder::new(source.clone()).unwrap();
    let left = builder.push(NodeKind::Name(name.into()), Span::new(0, name.len())).unwrap();
    if let Some(is) = is {
        let span = Span::new(name.len() + 4, source.len());
        let right = builder.push(NodeKind::String(is.into()), span).unwrap();
        let kind = NodeKind::Binary { op: BinaryOp::Equal, left, right };
        builder.push(kind, Span::new(0, source.len())).unwrap();
    }
    builder.finish().unwrap()
}

struct Making<'a> {
    chance: &'a mut Chance,
    count: u32,
}

impl Making<'_> {
    fn group(&mut self) -> Who {
        let (name, _) = GROUPS[self.chance.below(GROUPS.len())];
        Who::Group(named(name))
    }

    fn somebody(&mut self) -> Option<Who> {
        match self.chance.below(5) {
            4 => Some(Who::Role(named("owner"))),
            0 => Some(Who::Person(named(PEOPLE[self.chance.below(PEOPLE.len())]))),
            1 => Some(self.group()),
            _ => None,
        }
    }

    fn maybe<T>(&mut self, percent: u32, some: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.chance.percent(percent).then(|| some(self))
    }

    /// A condition over answers that the procedure asks for.
    fn condition(&mut self) -> Expr {
        match self.chance.below(3) {
            0 => condition("answers.go", None),
            1 => condition("answers.risk", Some("low")),
            _ => condition("version.bump", Some("given")),
        }
    }

    /// A condition of a gate, which can also ask for the risk.
    fn asking(&mut self) -> Expr {
        if self.chance.percent(50) { crate::risks::asking(self.chance) } else { self.condition() }
    }

    fn rule(&mut self) -> ApprovalRule {
        ApprovalRule {
            exclude: Vec::new(),
            by: self.group(),
            count: if self.chance.percent(30) { 2 } else { 1 },
            allow_self: self.chance.percent(40),
            covers: None,
            valid: self.maybe(40, |making| minutes(making.chance, 30, 3_000)),
        }
    }

    fn checklist(&mut self) -> Checklist {
        let item = |number: u32, evidence: bool, optional: bool| ChecklistItem {
            id: named(&number.to_string()),
            text: Template("Look at {{ version }}.".into()),
            takes: None,
            evidence: if evidence { Handed::Link } else { Handed::Nothing },
            optional,
        };
        let count = self.chance.between(1, 3) as u32;
        let items = (1..=count).map(|n| item(n, self.chance.percent(30), self.chance.percent(30))).collect();
        Checklist { groups: vec![ChecklistGroup { title: None, items }] }
    }

    fn vote(&mut self) -> VoteRule {
        let lazy = self.chance.percent(25);
        let period = self.maybe(if lazy { 100 } else { 50 }, |making| minutes(making.chance, 5, 600));
        VoteRule {
            by: self.group(),
            at_least: period,
            quorum: if lazy { 0 } else { self.chance.between(1, 2) as u32 },
            majority: [Majority::Simple, Majority::TwoThirds, Majority::Unanimous][self.chance.below(3)],
            veto: self.chance.percent(30),
            lazy,
            early: if period.is_some() { self.maybe(30, |_| 2) } else { None },
            closes: self.maybe(40, |making| {
                period.unwrap_or(SignedDuration::ZERO) + minutes(making.chance, 60, 3_000)
            }),
        }
    }

    fn gate(&mut self) -> Gate {
        let kind = match self.chance.below(21) {
            20 => GateKind::Order(Order::OldestFirst),
            19 => GateKind::Fact(crate::signed::gate()),
            18 => GateKind::Pace(Pace {
                at_most: self.chance.between(1, 3) as u32,
                within: minutes(self.chance, 10, 900),
                only: Vec::new(),
            }),
            15.. => GateKind::Fact(crate::facts::gate(self.chance)),
            13.. => GateKind::Checklist { list: self.checklist(), by: self.somebody() },
            11.. => GateKind::Vote(self.vote()),
            0..4 => GateKind::Approval(self.rule()),
            4..8 => GateKind::Ask {
                question: Template("May {{ version }} go there?".into()),
                by: self.somebody(),
                valid: self.maybe(50, |making| minutes(making.chance, 20, 2_000)),
            },
            8 => GateKind::Soak { time: minutes(self.chance, 1, 600), environment: None },
            9 => {
                let (from, length) = (self.chance.between(0, 16), self.chance.between(2, 7));
                let rule = format!("daily {from:02}:00-{:02}:00 UTC", from + length);
                let windows = Windows::new(vec![rule.parse().unwrap()], Vec::new()).unwrap();
                GateKind::Window {
                    windows,
                    fits: self.maybe(30, |_| Fits::Stated(SignedDuration::from_mins(30))),
                    closing: self.maybe(30, |_| Closing::Finish).unwrap_or_default(),
                }
            }
            _ => GateKind::Require { that: self.asking() },
        };
        let condition = self.maybe(22, Self::asking);
        Gate { condition, ..Gate::new(kind) }
    }

    fn gates(&mut self, max: usize) -> IndexMap<GateName, Gate> {
        let count = self.chance.below(max + 1);
        let mut gates = IndexMap::new();
        for _ in 0..count {
            self.count += 1;
            gates.insert(named(&format!("gate-{}", self.count)), self.gate());
        }
        gates
    }

    fn policy(&mut self) -> Policy {
        let person = |name: &str| {
            let mail = Some(format!("{name}@example.org"));
            (named(name), Person { mail, login: vec![name.into()], ..Person::default() })
        };
        let groups = GROUPS.iter().map(|(name, people)| {
            (named(name), people.iter().map(|person| named::<PersonName>(person)).collect())
        });
        let mut policy = Policy {
            people: PEOPLE.iter().map(|name| person(name)).collect(),
            groups: groups.collect(),
            roles: IndexMap::from([(
                named("owner"),
                Role {
                    of: Who::Group(named("dev")),
                    filled: if self.chance.percent(50) { Filled::Starter } else { Filled::Ask },
                },
            )]),
            gates: if self.chance.percent(15) { self.gates(1) } else { IndexMap::new() },
            changes: self.maybe(60, |making| SignOff {
                by: Who::Group(named("ops")),
                count: making.chance.between(1, 2) as u32,
            }),
            risk: Some(crate::risks::rules(self.chance)),
            waivers: self.maybe(75, |_| Who::Group(named("leads"))),
            thaw: self.maybe(60, |making| SignOff {
                by: Who::Group(named("leads")),
                count: making.chance.between(1, 2) as u32,
            }),
            ..Policy::new(named(SERVICE))
        };
        let names = [&["production"][..], &["stage", "production"], &["dev", "stage", "production"]];
        let mut from = None;
        for name in names[self.chance.below(3)] {
            let environment = self.environment(name, from.clone());
            policy.environments.insert(named(name), environment);
            from = Some(named(name));
        }
        policy
    }

    fn environment(&mut self, name: &str, from: Option<tollgate_core::ids::EnvironmentName>) -> Environment {
        let deploy = match self.chance.below(10) {
            0..6 => Deploy::Command { shell: self.shell(DEPLOY), timeout: minutes(self.chance, 1, 30) },
            6..9 => {
                Deploy::Manual { instruction: Template("Deploy {{ version }}.".into()), by: self.somebody() }
            }
            _ => Deploy::Observed,
        };
        let read = match self.chance.below(8) {
            0 => ProbeRead::Status(200),
            1..4 => ProbeRead::Body,
            _ => ProbeRead::Json("/version".into()),
        };
        // Where others deploy, only a probe can notice.
        let watched = if matches!(deploy, Deploy::Observed) { 100 } else { 75 };
        let probe = self.maybe(watched, |making| Probe {
            url: format!("http://{name}.sim/version"),
            read,
            expect: None,
            within: minutes(making.chance, 8, 60),
            every: SignedDuration::from_secs(making.chance.between(5, 90)),
            times: making.chance.between(1, 3) as u32,
        });
        Environment {
            from,
            url: Some(format!("http://{name}.sim")),
            gates: self.gates(2),
            before: self.fillers(1),
            probe,
            verify: self.fillers(2),
            after: self.fillers(1),
            ..Environment::new(deploy)
        }
    }

    fn shell(&mut self, word: &str) -> Shell {
        let repeatable = self.chance.percent(40);
        let what = if repeatable { REPEATABLE } else { "once" };
        let json = if self.chance.percent(30) { " json" } else { "" };
        Shell {
            command: format!("{word} {what}{json}"),
            variables: BTreeMap::from([("WHAT".into(), Template("{{ service }} {{ version }}".into()))]),
            secrets: BTreeMap::new(),
            repeatable,
        }
    }

    fn step(&mut self, kind: StepKind) -> Step {
        self.count += 1;
        Step::new(named(&format!("s{}", self.count)), kind)
    }

    fn fillers(&mut self, max: usize) -> Vec<Step> {
        let count = self.chance.below(max + 1);
        (0..count).map(|_| self.filler(1)).collect()
    }

    /// A step of any kind that can stand anywhere.
    fn filler(&mut self, deeper: u32) -> Step {
        let kind = match self.chance.below(if deeper > 0 { 12 } else { 9 }) {
            5 if self.chance.percent(40) => StepKind::Vote(self.vote()),
            3 if self.chance.percent(50) => StepKind::Checklist(self.checklist()),
            4 if self.chance.percent(30) => StepKind::HandOver { role: named("owner"), to: self.group() },
            0..3 => StepKind::Shell(self.shell("work")),
            3 => StepKind::Manual {
                instruction: Template("Look at {{ version }}.".into()),
                evidence: self.chance.percent(40),
            },
            4 => StepKind::Ask { questions: vec![named("go")] },
            5 => StepKind::Approval(self.rule()),
            6..9 => StepKind::Message(self.message()),
            9 | 10 => StepKind::Parallel { steps: (0..2).map(|_| self.filler(deeper - 1)).collect() },
            _ => StepKind::Phase { steps: (0..2).map(|_| self.filler(deeper - 1)).collect() },
        };
        let mut step = self.step(kind);
        self.modify(&mut step);
        step
    }

    fn message(&mut self) -> Message {
        let to = match self.chance.below(2) {
            0 => Recipient::Who(self.group()),
            _ => Recipient::Address("all@example.org".into()),
        };
        Message {
            via: named("mail"),
            to: vec![to],
            subject: Template("{{ service }} {{ version }}".into()),
            body: Template("{{ tag }} of {{ service }} since {{ previous }}".into()),
        }
    }

    /// What stays when there is another candidate.
    fn again(&mut self) -> Again {
        let all = [
            Keeps::VersionFiles,
            Keeps::Facet(FacetName::Source),
            Keeps::Facet(FacetName::Notes),
            Keeps::Facet(FacetName::Digest),
        ];
        match self.chance.below(6) {
            0 => Again { per: Per::Release, keeps: Vec::new() },
            1 => {
                let keeps = all.into_iter().filter(|_| self.chance.percent(50)).collect();
                Again { per: Per::Candidate, keeps }
            }
            _ => Again::default(),
        }
    }

    fn modify(&mut self, step: &mut Step) {
        let grouped = matches!(step.kind, StepKind::Parallel { .. } | StepKind::Phase { .. });
        step.condition = self.maybe(8, Self::condition);
        step.by = self.somebody();
        step.timeout = self.maybe(12, |making| minutes(making.chance, 5, 3_000));
        step.retry = self.maybe(15, |making| Retry {
            tries: making.chance.between(1, 4) as u32,
            pause: SignedDuration::from_secs(making.chance.between(1, 300)),
        });
        if self.chance.percent(3) {
            step.otherwise = Otherwise::Abort;
        }
        if !grouped {
            step.at = self.maybe(6, |making| named([WORKING_HOURS, NOON][making.chance.below(2)]));
            step.due = self.maybe(10, |_| named("T+1d"));
            step.each = self.maybe(15, |making| match making.chance.below(3) {
                0 => Each::Changes,
                1 => Each::Components,
                _ => Each::List(vec!["one".into(), "two".into()]),
            });
        }
        if matches!(step.kind, StepKind::Shell(_) | StepKind::Manual { .. } | StepKind::Message(_)) {
            step.again = self.again();
        }
        if let StepKind::Shell(shell) = &step.kind
            && self.chance.percent(30)
        {
            let extract = match shell.command.contains("json") {
                true => Extract::Json("/result".into()),
                false => Extract::Line("result:".into()),
            };
            step.outputs = BTreeMap::from([(named("result"), extract)]);
        }
    }

    fn definition(&mut self, policy: &Policy) -> Definition {
        let mut components = IndexMap::from([(named("app"), Component::default())]);
        if self.chance.percent(30) {
            components.insert(named("web"), Component::default());
        }
        let steps = self.steps(policy);
        let question = |answer, by| Question { ask: "Well?".into(), answer, by };
        let repository = RepositorySpec { url: None, branch: "main".into() };
        let version = VersionSpec::new("vX.Y.Z", vec![VersionFileSpec::named("VERSION")]);
        Definition {
            changelog: Some(ChangelogSpec {
                file: "CHANGELOG.md".into(),
                whole: false,
                rules: ChangelogRules::default(),
            }),
            components,
            connections: IndexMap::from([(
                named("mail"),
                Connection::Maildir { path: "mail".into(), from: "tollgate@example.org".into() },
            )]),
            questions: IndexMap::from([
                (named("go"), question(AnswerType::YesNo, None)),
                (
                    named("risk"),
                    question(
                        AnswerType::Choice(vec!["low".into(), "high".into()]),
                        Some(Who::Group(named("qa"))),
                    ),
                ),
            ]),
            procedures: IndexMap::from([(
                named(PROCEDURE),
                Procedure {
                    target: Some(named(NOON)),
                    start: self.maybe(20, |_| Who::Group(named("dev"))),
                    ..Procedure::new(steps)
                },
            )]),
            ..Definition::new(named(SERVICE), repository, version)
        }
    }

    /// The cut, then one environment after the other.
    fn steps(&mut self, policy: &Policy) -> Vec<Step> {
        let mut kinds = Vec::new();
        if self.chance.percent(40) {
            let check = GitCheck { branch: None, clean: true, in_sync: self.chance.percent(50) };
            kinds.push(StepKind::GitCheck(check));
        }
        let branch = self.chance.percent(40);
        if branch {
            kinds.push(StepKind::GitBranch { name: Template("release/{{ version }}".into()) });
        }
        match self.chance.below(10) {
            0..2 => {
                let way = MergeWay::From("develop".into());
                let sign = self.maybe(30, |making| making.chance.percent(50));
                let how = MergeHow::NoFf;
                kinds.push(StepKind::GitMerge(GitMerge { way, how, message: None, sign, later: false }));
            }
            2..5 => {
                // The first commit on `develop` is the same in every world.
                let commit = Git::new().remote["refs/heads/develop"].to_string();
                let commits = vec![Template(commit)];
                kinds.push(StepKind::GitCherryPick(GitCherryPick { commits, mainline: None, sign: None }));
            }
            _ => {}
        }
        kinds.extend(self.maybe(60, |_| StepKind::VersionBump));
        kinds.extend(self.maybe(50, |_| StepKind::Changelog));
        let sign = self.maybe(60, |making| making.chance.percent(80));
        kinds.push(StepKind::GitCommit { message: Template("Release {{ version }}".into()), sign });
        let tag = self.chance.percent(85);
        if tag {
            kinds.push(StepKind::GitTag { message: None, sign });
        }
        let push = (tag || branch).then(|| {
            let both = self.chance.percent(50);
            StepKind::GitPush { branch: both || !tag, tag }
        });
        let merge = self.maybe(35, |making| {
            let way = MergeWay::Into(Template("develop".into()));
            let how = if making.chance.percent(80) { MergeHow::NoFf } else { MergeHow::FfOnly };
            GitMerge { way, how, message: None, sign, later: false }
        });
        match (merge, push) {
            // One push takes everything along.
            (Some(merge), Some(push)) if self.chance.percent(50) => {
                kinds.extend([StepKind::GitMerge(GitMerge { later: true, ..merge }), push]);
            }
            (merge, push) => kinds.extend(push.into_iter().chain(merge.map(StepKind::GitMerge))),
        }
        kinds.push(StepKind::Ask { questions: vec![named("go"), named("risk")] });
        let mut steps: Vec<Step> = kinds.into_iter().map(|kind| self.step(kind)).collect();
        for name in policy.environments.keys() {
            let beside = steps.len();
            steps.extend(self.fillers(2));
            if let (Some(first), true) = (steps.get(beside - 1).cloned(), self.chance.percent(15))
                && let Some(later) = steps.get_mut(beside + 1)
            {
                // Beside the one before it, not after it.
                later.after = Some(vec![first.id]);
            }
            let mut step = self.step(StepKind::Promote { environment: name.clone() });
            step.id = named(&format!("promote-{name}"));
            step.condition = self.maybe(12, Self::condition);
            step.timeout = self.maybe(8, |making| minutes(making.chance, 60, 6_000));
            step.retry = self.maybe(15, |making| Retry {
                tries: making.chance.between(1, 4) as u32,
                pause: SignedDuration::from_secs(making.chance.between(1, 300)),
            });
            steps.push(step);
        }
        steps.extend(self.fillers(1));
        steps
    }
}
