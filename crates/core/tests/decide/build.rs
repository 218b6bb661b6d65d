//! Definitions, policies and plans, as short as they can be written.

use std::collections::{BTreeMap, BTreeSet};

use tollgate_core::changelog::ChangelogRules;
use tollgate_core::event::StepResult;
use tollgate_core::expr::{BinaryOp, Builder, Expr, NodeKind, Span};
use tollgate_core::ids::EnvironmentName;
use tollgate_core::model::*;
use tollgate_core::plan::*;

use crate::world::{World, commit, hours, mins, n, secs};

pub(crate) fn text(text: &str) -> Template {
    Template(text.into())
}

pub(crate) fn group(name: &str) -> Who {
    Who::Group(n(name))
}

pub(crate) fn person(name: &str) -> Who {
    Who::Person(n(name))
}

/// `name == 'value'`.
pub(crate) fn equals(name: &str, value: &str) -> Expr {
    binary(name, value, BinaryOp::Equal, "==")
}

/// `name >= 'value'`.
pub(crate) fn reaches(name: &str, value: &str) -> Expr {
    binary(name, value, BinaryOp::GreaterOrEqual, ">=")
}

/// `name != 'value'`.
pub(crate) fn differs(name: &str, value: &str) -> Expr {
    binary(name, value, BinaryOp::NotEqual, "!=")
}

fn binary(name: &str, value: &str, op: BinaryOp, symbol: &str) -> Expr {
    let source = format!("{name} {symbol} '{value}'");
    let end = source.len();
    let mut builder = Builder::new(source).unwrap();
    let left = builder.push(NodeKind::Name(name.into()), Span::new(0, name.len())).unwrap();
    let span = Span::new(name.len() + symbol.len() + 2, end);
    let right = builder.push(NodeKind::String(value.into()), span).unwrap();
    builder.push(NodeKind::Binary { op, left, right }, Span::new(0, end)).unwrap();
    builder.finish().unwrap()
}

/// A name that is true or false.
pub(crate) fn holds(name: &str) -> Expr {
    let mut builder = Builder::new(name).unwrap();
    builder.push(NodeKind::Name(name.into()), Span::new(0, name.len())).unwrap();
    builder.finish().unwrap()
}

/// `changed('pattern')`.
pub(crate) fn changed(pattern: &str) -> Expr {
    let source = format!("changed('{pattern}')");
    let end = source.len();
    let mut builder = Builder::new(source).unwrap();
    let argument = builder.push(NodeKind::String(pattern.into()), Span::new(8, end - 1)).unwrap();
    let call = NodeKind::Call { function: "changed".into(), receiver: None, arguments: vec![argument] };
    builder.push(call, Span::new(0, end)).unwrap();
    builder.finish().unwrap()
}

pub(crate) fn step(id: &str, kind: StepKind) -> Step {
    Step::new(n(id), kind)
}

pub(crate) fn manual(id: &str) -> Step {
    step(id, StepKind::Manual { instruction: text(&format!("Do {id}")), evidence: false })
}

pub(crate) fn command(line: &str) -> Shell {
    Shell { command: line.into(), variables: BTreeMap::new(), secrets: BTreeMap::new(), repeatable: false }
}

pub(crate) fn shell(id: &str) -> Step {
    step(id, StepKind::Shell(command("make")))
}

pub(crate) fn shell_with(id: &str, output: &str) -> Step {
    let outputs = BTreeMap::from([(n(output), Extract::Text)]);
    Step { outputs, ..shell(id) }
}

pub(crate) fn merge(way: MergeWay) -> StepKind {
    StepKind::GitMerge(GitMerge { way, how: MergeHow::NoFf, message: None, sign: None, later: false })
}

/// A merge into a branch that the next push takes along.
pub(crate) fn later(branch: &str) -> StepKind {
    let way = MergeWay::Into(text(branch));
    StepKind::GitMerge(GitMerge { way, how: MergeHow::NoFf, message: None, sign: None, later: true })
}

pub(crate) fn pick(commits: &str) -> StepKind {
    StepKind::GitCherryPick(GitCherryPick { commits: vec![text(commits)], mainline: None, sign: None })
}

pub(crate) fn ask(id: &str, questions: &[&str]) -> Step {
    step(id, StepKind::Ask { questions: questions.iter().map(|name| n(name)).collect() })
}

pub(crate) fn promote(environment: &str) -> Step {
    step(&format!("promote-{environment}"), StepKind::Promote { environment: n(environment) })
}

pub(crate) fn approve_step(id: &str, rule: ApprovalRule) -> Step {
    step(id, StepKind::Approval(rule))
}

pub(crate) fn rule(by: &str, count: u32) -> ApprovalRule {
    ApprovalRule { by: group(by), exclude: Vec::new(), count, allow_self: false, covers: None, valid: None }
}

/// A vote of at least so many hours that closes after so many.
pub(crate) fn vote_rule(by: &str, quorum: u32, at_least: i64, closes: Option<i64>) -> VoteRule {
    VoteRule {
        by: group(by),
        at_least: Some(hours(at_least)),
        quorum,
        majority: Majority::Simple,
        veto: false,
        lazy: false,
        early: None,
        closes: closes.map(hours),
    }
}

/// A checklist: the names of its items; one that ends in `?` may be left out, one that ends in `!` asks for evidence.
pub(crate) fn checklist(items: &[&str]) -> Checklist {
    let item = |name: &&str| ChecklistItem {
        id: n(name.trim_end_matches(['?', '!'])),
        text: text(&format!("Look at {}", name.trim_end_matches(['?', '!']))),
        takes: None,
        evidence: if name.ends_with('!') { Handed::Something } else { Handed::Nothing },
        optional: name.ends_with('?'),
    };
    Checklist { groups: vec![ChecklistGroup { title: None, items: items.iter().map(item).collect() }] }
}

/// The policy with a role.
pub(crate) fn with_role(mut policy: Policy, name: &str, of: &str, filled: Filled) -> Policy {
    policy.roles.insert(n(name), Role { of: group(of), filled });
    policy
}

pub(crate) fn vote_gate(rule: VoteRule) -> Gate {
    gate_of(GateKind::Vote(rule))
}

pub(crate) fn gate_of(kind: GateKind) -> Gate {
    Gate::new(kind)
}

pub(crate) fn approval_gate(rule: ApprovalRule) -> Gate {
    gate_of(GateKind::Approval(rule))
}

pub(crate) fn ask_gate(question: &str, by: Option<Who>, valid_minutes: Option<i64>) -> Gate {
    gate_of(GateKind::Ask { question: text(question), by, valid: valid_minutes.map(mins) })
}

pub(crate) fn require(that: Expr) -> Gate {
    gate_of(GateKind::Require { that })
}

/// An environment with a command and no probe.
pub(crate) fn environment(from: Option<&str>) -> Environment {
    let deploy = Deploy::Command { shell: command("deploy"), timeout: hours(1) };
    Environment { from: from.map(n), ..Environment::new(deploy) }
}

pub(crate) fn probe(url: &str, times: u32) -> Probe {
    let read = ProbeRead::Json("/version".into());
    Probe { url: url.into(), read, expect: None, within: mins(15), every: secs(10), times }
}

/// Five people, three groups, `stage` and `production`, no gates; `dave` may waive.
pub(crate) fn policy() -> Policy {
    let people = ["anna", "bob", "carol", "dave", "eve"];
    let person = |name: &str| Person { mail: Some(format!("{name}@example.org")), ..Person::default() };
    let members = |names: &[&str]| names.iter().map(|name| n(name)).collect::<Vec<_>>();
    Policy {
        people: people.iter().map(|name| (n(name), person(name))).collect(),
        groups: [
            (n("releng"), members(&["anna", "bob", "carol"])),
            (n("ops"), members(&["carol", "dave"])),
            (n("leads"), members(&["dave"])),
        ]
        .into_iter()
        .collect(),
        environments: [(n("stage"), environment(None)), (n("production"), environment(Some("stage")))]
            .into_iter()
            .collect(),
        waivers: Some(group("leads")),
        ..Policy::new(n("shop"))
    }
}

pub(crate) fn with_gate(mut policy: Policy, environment: &str, name: &str, gate: Gate) -> Policy {
    policy.environments.get_mut::<EnvironmentName>(&n(environment)).unwrap().gates.insert(n(name), gate);
    policy
}

/// The policy, with `change` made to one of its environments.
pub(crate) fn with_environment(
    mut policy: Policy,
    name: &str,
    change: impl FnOnce(&mut Environment),
) -> Policy {
    change(policy.environments.get_mut::<EnvironmentName>(&n(name)).unwrap());
    policy
}

pub(crate) fn question(answer: AnswerType) -> Question {
    Question { ask: "What about it?".into(), answer, by: None }
}

pub(crate) fn definition(steps: Vec<Step>) -> Definition {
    let procedure = Procedure::new(steps);
    let repository = RepositorySpec { url: None, branch: "main".into() };
    let version = VersionSpec::new("vX.Y.Z", vec![VersionFileSpec::named("VERSION")]);
    Definition {
        changelog: Some(ChangelogSpec {
            file: "CHANGELOG.md".into(),
            whole: false,
            rules: ChangelogRules::default(),
        }),
        components: [(n("shop"), Component::default())].into_iter().collect(),
        connections: [(
            n("mail"),
            Connection::Maildir { path: "mail".into(), from: "shop@example.org".into() },
        )]
        .into_iter()
        .collect(),
        questions: [
            (n("risk"), question(AnswerType::Choice(vec!["low".into(), "high".into()]))),
            (n("data"), question(AnswerType::Integer { min: 0 })),
            (n("quiet"), question(AnswerType::YesNo)),
            (n("text"), question(AnswerType::Text)),
        ]
        .into_iter()
        .collect(),
        procedures: [(n("release"), procedure)].into_iter().collect(),
        ..Definition::new(n("shop"), repository, version)
    }
}

/// The steps that cut a release.
pub(crate) fn cut() -> Vec<Step> {
    vec![
        step("bump", StepKind::VersionBump),
        step("notes", StepKind::Changelog),
        step("commit", StepKind::GitCommit { message: text("Version {{ version }}"), sign: None }),
        step("tag", StepKind::GitTag { message: None, sign: None }),
        step("push", StepKind::GitPush { branch: true, tag: true }),
    ]
}

pub(crate) fn changes(count: usize) -> Vec<PlannedChange> {
    let change = |number: usize| PlannedChange {
        commit: commit(&format!("change {number}")),
        title: format!("Change {number}"),
        author: None,
    };
    (1..=count).map(change).collect()
}

/// A plan of `release` for a version.
pub(crate) fn plan_of(version: &str, definition: Definition, policy: &Policy) -> Plan {
    let changes = changes(2);
    let components = definition.components.keys().cloned().collect();
    let items = Items { changes: &changes, changes_total: 2, components };
    let steps = unfold(&definition.procedures[0], policy, &items).unwrap();
    let previous = PreviousVersion { text: "1.8.0".into(), tag: "v1.8.0".into(), commit: commit("previous") };
    Plan {
        target: None,
        procedure: n("release"),
        definition,
        policy: policy.clone(),
        url: "https://git.example.org/shop.git".into(),
        checkout: Some("/home/anna/shop".into()),
        folder: None,
        base: commit("base"),
        date: jiff::civil::date(2026, 1, 1),
        line: None,
        version: PlannedVersion {
            text: version.into(),
            tag: format!("v{version}"),
            previous: Some(previous),
            bump: "minor".into(),
            because: Vec::new(),
            chosen: None,
            pre: None,
        },
        changes,
        changes_total: 2,
        changed_paths: vec!["src/cart.rs".into()],
        more_paths: 0,
        pinned: [("feature".to_owned(), commit("feature"))].into(),
        measured: Default::default(),
        declared_risk: None,
        authors: BTreeSet::from([n("bob")]),
        strangers: 0,
        steps,
        cut: Cut::default(),
        respin: None,
        rollback: None,
        usual: Default::default(),
        past: Default::default(),
    }
}

pub(crate) fn plan(version: &str, steps: Vec<Step>, policy: &Policy) -> Plan {
    plan_of(version, definition(steps), policy)
}

/// The plan of another candidate of a release, of another commit, with these files changed since the candidate before.
pub(crate) fn respun(world: &World, of: &Plan, version: &str, base: &str, changed: &[&str]) -> Plan {
    let release = of.respin.as_ref().map_or(&of.version.text, |respin| &respin.release).clone();
    let state = &world.releases[&release].state;
    let newest = state.newest().unwrap();
    let before = state.cut_of(newest.number).unwrap();
    let changed_paths: Vec<String> = changed.iter().map(|path| (*path).to_owned()).collect();
    let version = PlannedVersion { text: version.into(), tag: format!("v{version}"), ..of.version.clone() };
    let mut plan = Plan { base: commit(base), version, respin: None, ..of.clone() };
    let (keeps, again) = kept_steps(&plan, before, of, &changed_paths);
    plan.respin = Some(Respin {
        release,
        before: newest.number,
        version: newest.version.clone(),
        run: before.id,
        revision: None,
        base: newest.base.clone(),
        commit: newest.commit.clone(),
        merges_others: false,
        changed_paths,
        since: changes(1),
        made: Vec::new(),
        told: None,
        keeps,
        again,
    });
    plan
}

/// The plan of an ad-hoc promotion of the release that a plan was for.
pub(crate) fn promotion(of: &Plan, environment: &str, policy: &Policy) -> Plan {
    let items = Items { changes: &of.changes, changes_total: of.changes_total, components: Vec::new() };
    let steps = unfold_promotion(&n(environment), policy, &items).unwrap();
    Plan { procedure: n(PROMOTION), policy: policy.clone(), steps, respin: None, ..of.clone() }
}

/// The plan of a rollback to the newest candidate of the release that a plan was for.
pub(crate) fn rollback(world: &World, of: &Plan, environment: &str, policy: &Policy) -> Plan {
    let items = Items { changes: &of.changes, changes_total: of.changes_total, components: Vec::new() };
    let steps = unfold_rollback(&n(environment), policy, &items).unwrap();
    let candidate = world.releases[&of.version.text].state.newest().unwrap();
    let rollback = Rollback {
        environment: n(environment),
        candidate: candidate.number,
        fingerprint: candidate.sealed.unwrap_or(candidate.fingerprint().hash()),
        from: world.environment(environment).versions_in_part(),
        why: "orders are lost".into(),
        gone: None,
    };
    let procedure = n(ROLLBACK);
    Plan { procedure, policy: policy.clone(), steps, respin: None, rollback: Some(rollback), ..of.clone() }
}

pub(crate) fn is_nothing(result: &StepResult) -> bool {
    matches!(result, StepResult::Nothing(_))
}
