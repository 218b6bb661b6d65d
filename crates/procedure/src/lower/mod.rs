//! From a tree that was held against the grammar to the model: names are resolved, texts and conditions checked,
//! and what could never work is refused.
//!
//! Values of the wrong shape are passed over in silence here, since [`crate::check`] reported them. Whatever is wrong
//! with one value, the others are still looked at, so that all mistakes come out at once.

mod approvals;
mod artifacts;
mod budget;
mod calendar;
mod changelog;
mod checklists;
mod environments;
mod facts;
mod gates;
mod kinds;
mod labels;
mod load;
mod notify;
mod order;
mod order_of;
mod pack;
mod people;
mod procedures;
mod publish;
mod required;
mod risk;
mod roles;
mod scope;
mod service;
mod signers;
mod steps;
mod timing;
mod trains;
mod values;
mod version;
mod votes;

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;
use tollgate_core::calendar::Calendar;
use tollgate_core::ids::{
    ComponentName, ConnectionName, EnvironmentName, FactName, GateName, GroupName, PersonName, QuestionName,
    RiskLevel, RoleName, StepId,
};
use tollgate_core::model::{
    Connection, Definition, Environment, FactSpec, FactType, Gate, Person, Place, Policy, Question, Role,
    SignOff, Who,
};
use tollgate_core::version::VersionFormat;

use crate::diagnostic::{Diagnostic, Report, Span};
use crate::render::Sources;
use crate::tree::Node;

/// Reads the text of a file that the procedure file names.
pub(crate) type Loader<'a> = &'a dyn Fn(&str) -> Result<String, String>;

/// What was declared so far: what the names in the rest of the file refer to.
#[derive(Debug, Default)]
pub(crate) struct Declared {
    people: IndexMap<PersonName, Person>,
    groups: IndexMap<GroupName, Vec<PersonName>>,
    roles: IndexMap<RoleName, Role>,
    /// The texts of files that checklists name, or why there is none.
    texts: BTreeMap<String, Result<String, String>>,
    questions: IndexMap<QuestionName, Question>,
    facts: IndexMap<FactName, FactSpec>,
    /// What they are in conditions, as far as that is known.
    fact_types: IndexMap<FactName, FactType>,
    connections: IndexMap<ConnectionName, Connection>,
    components: Vec<ComponentName>,
    /// How steps ask for the digests of components.
    artifacts: artifacts::Artifacts,
    /// The environments, each with whether it has an address.
    environments: IndexMap<EnvironmentName, bool>,
    /// How versions look, where that is sound.
    format: Option<VersionFormat>,
    /// How many numbers a version has.
    version_parts: usize,
    /// Whether the version is written into files.
    version_files: bool,
    /// Whether change files say how much the version grows.
    change_files: bool,
    /// Whether there is a changelog, and so release notes.
    changelog: bool,
    /// Weekends and holidays.
    calendar: Calendar,
    /// The levels of risk, the lowest first.
    risk_levels: Vec<RiskLevel>,
    /// The questions whose answers have to be known before the level of risk is.
    risk_answers: BTreeSet<QuestionName>,
    /// The load tests that steps are.
    loads: IndexMap<StepId, load::DeclaredLoad>,
    /// The first place where people are asked again.
    patient: Option<Span>,
    /// Names whose declaration is broken and was reported: what refers to them is not reported again.
    broken: BTreeSet<String>,
}

/// Lowers one file.
pub(crate) struct Lower<'a> {
    report: &'a mut Report,
    source: &'a str,
    declared: Declared,
    loader: Loader<'a>,
    /// The answers used since this was last looked at.
    answers_used: BTreeSet<QuestionName>,
}

/// What came out of a file.
pub(crate) struct Lowered {
    pub(crate) definition: Option<Definition>,
    pub(crate) policy: Option<Policy>,
    /// What is wrong in other files.
    pub(crate) elsewhere: Vec<Diagnostic>,
}

/// What is used of an environment when a procedure promotes to it.
#[derive(Debug, Default)]
struct EnvironmentUse {
    from: Option<EnvironmentName>,
    answers: BTreeSet<QuestionName>,
}

/// Makes the model of a tree.
pub(crate) fn lower(
    root: &Node,
    source: &str,
    report: &mut Report,
    loader: Loader<'_>,
    sources: &mut Sources,
) -> Lowered {
    let mut lower =
        Lower { report, source, declared: Declared::default(), loader, answers_used: BTreeSet::new() };
    let elsewhere = lower.people(root, loader, sources);
    lower.roles(root);
    lower.checklist_files(root, loader);
    let service = lower.service(root, loader);
    lower.declare_environments(root);
    lower.declare_facts(root);
    lower.declare_load_tests(root);
    lower.declare_artifacts(root);
    let (calendar, feeds) = lower.calendar(root, loader);
    lower.declared.calendar = calendar;
    let risk = lower.risk(root);
    let gates = root.get("gates").map(|node| lower.gates(node, None)).unwrap_or_default();
    let for_all = std::mem::take(&mut lower.answers_used);
    let (environments, uses) = lower.environments(root, &for_all);
    let procedures = lower.procedures(root, &uses);
    let (changes, waivers, thaw) = lower.policy(root);
    let notify = lower.notify(root);
    lower.reminders_go_out(&notify);
    lower.unused_questions(root, &procedures, &environments);
    let trains = lower.trains(root, service.as_ref(), &procedures);
    lower.trains_are_told(root, &notify, &trains);

    let hotfixes = procedures.iter().filter(|(_, procedure)| procedure.hotfix);
    let hotfixes = hotfixes.map(|(name, _)| name.clone()).collect();

    let definition = service.map(|service| Definition {
        service: service.name,
        repository: service.repository,
        version: service.version,
        commits: service.commits,
        lines: service.lines,
        changelog: service.changelog,
        components: service.components,
        connections: lower.declared.connections.clone(),
        questions: lower.declared.questions.clone(),
        risk_levels: lower.declared.risk_levels.clone(),
        procedures,
    });
    let mut policy = definition.as_ref().map(|definition| Policy {
        service: definition.service.clone(),
        people: lower.declared.people.clone(),
        groups: lower.declared.groups.clone(),
        roles: lower.declared.roles.clone(),
        gates,
        environments,
        changes,
        waivers,
        thaw,
        calendar: lower.declared.calendar.clone(),
        feeds,
        notify,
        trains,
        hotfixes,
        risk,
    });
    if let (Some(definition), Some(policy)) = (&definition, &mut policy) {
        load::fill_places(definition, policy);
    }
    Lowered { definition, policy, elsewhere }
}

impl Lower<'_> {
    fn policy(&mut self, root: &Node) -> (Option<SignOff>, Option<Who>, Option<SignOff>) {
        let Some(node) = root.get("policy") else { return (None, None, None) };
        let changes = node.get("changes").and_then(|changes| self.sign_off(changes));
        let waivers = node.get("waivers").and_then(|waivers| self.fixed(waivers, "by"));
        let thaw = node.get("thaw").and_then(|thaw| self.sign_off(thaw));
        (changes, waivers, thaw)
    }
}

fn place(span: Span) -> Place {
    Place { line: span.line, column: span.column }
}

/// The gates and environments, by name.
type Gates = IndexMap<GateName, Gate>;
type Environments = IndexMap<EnvironmentName, Environment>;
