//! Steps: their ids, their modifiers, and what is known when each of them starts.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tollgate_core::ids::{OutputName, QuestionName, StepId};
use tollgate_core::model::{
    Again, Each, Extract, FacetName, Keeps, Otherwise, Per, Retry, Step, StepKind, Who,
};

use super::order::Order;
use super::order_of::order_of;
use super::scope::Scope;
use super::{Lower, place};
use crate::diagnostic::{Code, Span};
use crate::grammar::STEP_KINDS;
use crate::tree::{Entry, Node};
use crate::words::{name_hint, shown};

/// How many steps one procedure can have.
const MAX_STEPS: usize = 500;

/// What is known once some steps have ended.
#[derive(Debug, Clone, Default)]
struct Past {
    outputs: BTreeSet<(String, String)>,
    asked: BTreeSet<QuestionName>,
    /// The steps that packed something, and those that published something.
    packed: BTreeSet<String>,
    published: BTreeSet<String>,
}

impl Past {
    fn extend(&mut self, other: &Self) {
        self.outputs.extend(other.outputs.iter().cloned());
        self.asked.extend(other.asked.iter().cloned());
        self.packed.extend(other.packed.iter().cloned());
        self.published.extend(other.published.iter().cloned());
    }
}

/// Where the steps of a procedure or an environment have got to.
pub(super) struct Flow {
    /// In an environment: whether it has an address.
    environment: Option<bool>,
    /// The part of the environment that is read.
    section: &'static str,
    /// Every id that is given, and those that were derived.
    ids: BTreeSet<String>,
    counters: HashMap<String, usize>,
    /// What is known when each step has ended.
    ended: HashMap<String, Past>,
    /// The steps that one person or several do or answer.
    people: BTreeSet<String>,
    /// The groups that the step is in.
    open: Vec<String>,
    past: Past,
    by: Option<Who>,
    all_outputs: BTreeSet<(String, String)>,
    steps: usize,
    pub(super) parallel: usize,
    pub(super) order: Order,
}

impl Flow {
    pub(super) fn of_procedure(node: &Node) -> Self {
        let mut flow = Self::new(None);
        if let Some(steps) = node.get("steps") {
            collect_outputs(steps, &mut flow.all_outputs);
        }
        flow
    }

    pub(super) fn of_environment(node: &Node, reserved: &[&str], sections: &[&str], has_url: bool) -> Self {
        let mut flow = Self::new(Some(has_url));
        flow.ids.extend(reserved.iter().map(|&id| id.to_owned()));
        for steps in sections.iter().filter_map(|section| node.get(section)) {
            collect_outputs(steps, &mut flow.all_outputs);
        }
        flow
    }

    fn new(environment: Option<bool>) -> Self {
        Self {
            environment,
            section: "",
            ids: BTreeSet::new(),
            counters: HashMap::new(),
            ended: HashMap::new(),
            people: BTreeSet::new(),
            open: Vec::new(),
            past: Past::default(),
            by: None,
            all_outputs: BTreeSet::new(),
            steps: 0,
            parallel: 0,
            order: Order::default(),
        }
    }

    /// Goes on with another part of an environment. Steps of the parts before have ended, and cannot be named in
    /// `after`.
    pub(super) fn enter_section(&mut self, section: &'static str) {
        self.section = section;
        self.ended.clear();
    }

    pub(super) fn in_environment(&self) -> bool {
        self.environment.is_some()
    }

    /// The questions asked so far.
    pub(super) fn asked(&self) -> &BTreeSet<QuestionName> {
        &self.past.asked
    }

    /// The steps that have packed something so far.
    pub(super) fn packed(&self) -> impl Iterator<Item = &str> + Clone {
        self.past.packed.iter().map(String::as_str)
    }

    /// The steps that have published something so far.
    pub(super) fn published(&self) -> impl Iterator<Item = &str> + Clone {
        self.past.published.iter().map(String::as_str)
    }

    fn scope(&self, past: &Past, item: Option<bool>) -> Scope {
        Scope {
            environment: self.environment,
            every: false,
            item,
            live: false,
            pull: false,
            outputs: past.outputs.clone(),
            later_outputs: self.all_outputs.difference(&past.outputs).cloned().collect(),
            // An environment is entered from many procedures, each of which asks what it likes.
            asked: if self.in_environment() { None } else { Some(past.asked.clone()) },
        }
    }

    fn derive(&mut self, node: &Node, kind: &str) -> String {
        let base = match kind {
            _ if self.in_environment() => self.section.to_owned(),
            "promote" => format!("promote-{}", node.get(kind).and_then(Node::text).unwrap_or_default()),
            kind => kind.rsplit('.').next().unwrap_or(kind).to_owned(),
        };
        loop {
            let counter = self.counters.entry(base.clone()).or_insert(0);
            *counter += 1;
            let id = match *counter {
                1 if self.environment.is_none() => base.clone(),
                n => format!("{base}-{n}"),
            };
            if self.ids.insert(id.clone()) {
                return id;
            }
        }
    }
}

/// Every output that any step declares, for messages about those that are not known yet.
pub(super) fn collect_outputs(steps: &Node, into: &mut BTreeSet<(String, String)>) {
    for step in steps.items() {
        if let Some(id) = step.get("id").and_then(Node::text) {
            for output in step.get("outputs").map(Node::entries).unwrap_or_default() {
                into.insert((id.to_owned(), output.key.clone()));
            }
        }
        for group in groups(step) {
            collect_outputs(group, into);
        }
    }
}

/// The lists of steps inside a step.
pub(super) fn groups(step: &Node) -> impl Iterator<Item = &Node> {
    let phase = step.get("phase").and_then(|phase| phase.get("steps"));
    step.get("parallel").into_iter().chain(phase)
}

/// Whether the people who did a step are known when it has ended.
fn done_by_people(step: &Node, each: bool) -> bool {
    step.get("checklist").is_some()
        || !each && ["manual", "approval", "hand-over"].iter().any(|kind| step.get(kind).is_some())
}

/// What a word under `keeps` names; what is none was reported by the grammar.
fn kept(word: &str) -> Option<Keeps> {
    Some(match word {
        "source" => Keeps::Facet(FacetName::Source),
        "tag" => Keeps::Facet(FacetName::Tag),
        "digest" => Keeps::Facet(FacetName::Digest),
        "notes" => Keeps::Facet(FacetName::Notes),
        "version.files" => Keeps::VersionFiles,
        _ => return None,
    })
}

/// The one key of a step that says what it does.
fn kind_of(step: &Node) -> Option<&Entry> {
    step.entries().iter().find(|entry| STEP_KINDS.contains(&entry.key.as_str()))
}

impl Lower<'_> {
    /// Reads the ids that are given, before any is derived.
    pub(super) fn take_ids(&mut self, node: &Node, flow: &mut Flow) {
        for key in ["steps", "before", "verify", "after"] {
            if let Some(steps) = node.get(key) {
                self.take_ids_of(steps, flow);
            }
        }
    }

    fn take_ids_of(&mut self, steps: &Node, flow: &mut Flow) {
        for step in steps.items() {
            if let Some(node) = step.get("id")
                && let Some(id) = node.text()
                && !flow.ids.insert(id.to_owned())
            {
                let message = format!("the id `{}` is taken", shown(id));
                let hint = "an id is unique in a procedure, and in an environment; the parts of a promotion have ids \
                            of their own";
                self.report.error(Code::DoubledId, node.span, message).hint(hint);
            }
            for group in groups(step) {
                self.take_ids_of(group, flow);
            }
        }
    }

    /// Steps that follow each other.
    pub(super) fn steps(&mut self, nodes: &[Node], flow: &mut Flow) -> Vec<Step> {
        let mut steps = Vec::new();
        for node in nodes {
            let here = flow.past.clone();
            if let Some(past) = self.after_past(node, flow) {
                flow.past = past;
            }
            steps.extend(self.step(node, flow));
            // A step with an `after` of its own goes on beside the others; what follows waits for all of them.
            flow.past.extend(&here);
        }
        steps
    }

    /// Steps that go on at the same time: none of them knows what the others bring.
    pub(super) fn parallel(&mut self, nodes: &[Node], flow: &mut Flow) -> Vec<Step> {
        let before = flow.past.clone();
        let mut after = before.clone();
        let mut steps = Vec::new();
        flow.parallel += 1;
        for node in nodes {
            flow.past = before.clone();
            steps.extend(self.steps(std::slice::from_ref(node), flow));
            after.extend(&flow.past);
        }
        flow.parallel -= 1;
        flow.past = after;
        steps
    }

    fn step(&mut self, node: &Node, flow: &mut Flow) -> Option<Step> {
        let kind = kind_of(node)?;
        flow.steps += 1;
        if flow.steps == MAX_STEPS + 1 {
            let message = format!("there are more than {MAX_STEPS} steps");
            self.report.error(Code::Limit, kind.key_span, message);
        }
        if flow.steps > MAX_STEPS {
            return None;
        }
        let given = node.get("id").and_then(Node::text).map(ToOwned::to_owned);
        let id_text = given.unwrap_or_else(|| flow.derive(node, &kind.key));
        let id_span = node.get("id").map_or(kind.key_span, |id| id.span);
        let id = self.step_id(&id_text, id_span);
        let each = node.get("each").and_then(|each| self.each(each));
        let scope = flow.scope(&flow.past, each.as_ref().map(|each| *each == Each::Changes));
        // What names the whole step, and decides about it, is the same for every item.
        let outer = Scope { item: None, ..scope.clone() };
        let after = self.after(node, flow);
        let by = self.by(node);
        self.same_as(node, flow);
        let name = self.template_of(node, "name", &scope);
        let condition = self.condition_of(node, "if", &outer);
        let (at, due) = self.timing(node);
        let timeout = self.duration_of(node, "timeout");
        let retry = node.get("retry").map(|retry| self.retry(retry));
        let mut outputs = self.outputs(node, &each);
        let packed = self.packed(node, flow);
        let kind = self.kind_in_group(node, kind, &id_text, &by, &scope, flow);
        if let Some(StepKind::LoadTest(test)) = &kind {
            outputs.extend(test.rule.outputs());
        }
        // Outputs are only known in the procedure that has the step.
        if !flow.in_environment() {
            flow.past.outputs.extend(outputs.keys().map(|output| (id_text.clone(), output.to_string())));
        }
        if done_by_people(node, each.is_some()) {
            flow.people.insert(id_text.clone());
        }
        flow.ended.insert(id_text, flow.past.clone());
        let otherwise = match node.get("else").and_then(Node::text) {
            Some("abort") => Otherwise::Abort,
            _ => Otherwise::Ask,
        };
        let covers = node.get("covers").map(super::approvals::facets);
        let again = self.again(node);
        let place = place(node.span);
        Some(Step {
            id: id?,
            name,
            kind: kind?,
            condition,
            each,
            by,
            after,
            at,
            order: order_of(node),
            due,
            timeout,
            retry,
            otherwise,
            outputs,
            packed,
            covers,
            again,
            patience: self.patience(node),
            place,
        })
    }

    /// What a step does; inside of it, a group passes on who acts and cannot be waited for.
    fn kind_in_group(
        &mut self,
        node: &Node,
        kind: &Entry,
        id: &str,
        by: &Option<Who>,
        scope: &Scope,
        flow: &mut Flow,
    ) -> Option<StepKind> {
        let outer = flow.by.clone();
        if by.is_some() {
            flow.by = by.clone();
        }
        flow.open.push(id.to_owned());
        let inherited = flow.by.clone();
        let lowered = self.kind(node, kind, scope, inherited.as_ref(), flow);
        flow.open.pop();
        flow.by = outer;
        let given = lowered.as_ref().and_then(|lowered| super::pack::digest_given(node, kind, lowered));
        if let Some((component, at)) = given {
            flow.order.gives_digest(&component, at, self.report);
        }
        match &lowered {
            Some(StepKind::Ask { questions }) => flow.past.asked.extend(questions.iter().cloned()),
            Some(StepKind::Pack(_)) => drop(flow.past.packed.insert(id.to_owned())),
            Some(StepKind::Publish(_)) => drop(flow.past.published.insert(id.to_owned())),
            _ => {}
        }
        lowered
    }

    /// Whoever did another step: it has ended, and people did it.
    fn same_as(&mut self, node: &Node, flow: &Flow) {
        let Some(at) = node.get("by").and_then(|by| by.get("same-as")) else { return };
        let Some(id) = at.text() else { return };
        if flow.ended.contains_key(id) && flow.people.contains(id) {
            return;
        }
        let (message, hint) = if flow.ended.contains_key(id) {
            let hint = "it names a `manual`, `checklist`, `approval` or `hand-over` step without `each`";
            (format!("nobody in particular does the step `{}`", shown(id)), hint.to_owned())
        } else {
            let known = flow.people.iter().map(String::as_str);
            let hint = name_hint(id, known, "no step that people do comes before this one");
            (format!("no step `{}` comes before this one", shown(id)), hint)
        };
        self.report.error(Code::StepOrder, at.span, message).hint(hint);
    }

    fn step_id(&mut self, id: &str, span: Span) -> Option<StepId> {
        let odd = id.contains(['/', '#', '.']);
        if odd {
            let message = format!("`{}` cannot be a step id: `/`, `#` and `.` do not stand in it", shown(id));
            self.report.error(Code::BadName, span, message).hint("use letters, digits, `-` and `_`");
            return None;
        }
        self.name(id, span, StepId::new)
    }

    fn each(&mut self, node: &Node) -> Option<Each> {
        match node.text() {
            Some("changes") => Some(Each::Changes),
            Some("components") => Some(Each::Components),
            Some(_) => None,
            None => {
                let items: Vec<String> = node.items().iter().filter_map(|item| self.text(item)).collect();
                if items.len() > tollgate_core::plan::EACH_MAX {
                    let message = format!("at most {} items are gone over", tollgate_core::plan::EACH_MAX);
                    self.report.error(Code::Limit, node.span, message);
                }
                (!items.is_empty()).then_some(Each::List(items))
            }
        }
    }

    /// Whether it is done again for another candidate.
    fn again(&mut self, node: &Node) -> Again {
        let per = match node.get("per").and_then(Node::text) {
            Some("release") => Per::Release,
            _ => Per::Candidate,
        };
        let Some(entry) = node.entry("keeps") else { return Again { per, keeps: Vec::new() } };
        if per == Per::Release {
            let message = "what is done once for a release has nothing to keep";
            self.report.error(Code::KeyConflict, entry.key_span, message).hint("remove `keeps` or `per`");
        }
        let one = entry.value.text().into_iter();
        let named = one.chain(entry.value.items().iter().filter_map(Node::text));
        let mut keeps: Vec<Keeps> = named.filter_map(kept).collect();
        keeps.sort_unstable();
        keeps.dedup();
        Again { per, keeps }
    }

    fn retry(&mut self, node: &Node) -> Retry {
        let default = Retry::default();
        Retry {
            tries: self.count_of(node, "tries").unwrap_or(default.tries),
            pause: self.duration_of(node, "pause").unwrap_or(default.pause),
        }
    }

    fn outputs(&mut self, node: &Node, each: &Option<Each>) -> BTreeMap<OutputName, Extract> {
        let Some(entry) = node.entry("outputs") else { return BTreeMap::new() };
        if each.is_some() {
            let message = "a step that is done several times has no one output";
            self.report.error(Code::KeyConflict, entry.key_span, message).hint("remove `outputs` or `each`");
        }
        if node.get("id").is_none() && node.get("shell").is_some() {
            let message = "the outputs of a step without an `id` cannot be named";
            self.report.error(Code::MissingKey, entry.key_span, message).hint("give the step an `id`");
        }
        let mut outputs = BTreeMap::new();
        for output in entry.value.entries() {
            let name = self.name(&output.key, output.key_span, OutputName::new);
            let extract = self.extract(&output.value);
            if let (Some(name), Some(extract)) = (name, extract) {
                outputs.insert(name, extract);
            }
        }
        outputs
    }

    fn extract(&mut self, node: &Node) -> Option<Extract> {
        if let Some(line) = node.get("line") {
            return self.text(line).map(Extract::Line);
        }
        if let Some(json) = node.get("json") {
            return self.pointer(json).map(Extract::Json);
        }
        node.get("text").map(|_| Extract::Text)
    }

    /// What is known at a step that says itself what it waits for.
    fn after_past(&self, node: &Node, flow: &Flow) -> Option<Past> {
        let after = node.get("after")?;
        let mut past = Past::default();
        for id in after.items().iter().filter_map(Node::text) {
            if let Some(ended) = flow.ended.get(id) {
                past.extend(ended);
            }
        }
        Some(past)
    }

    fn after(&mut self, node: &Node, flow: &Flow) -> Option<Vec<StepId>> {
        let after = node.get("after")?;
        let mut ids = Vec::new();
        for item in after.items() {
            let Some(id) = item.text() else { continue };
            if flow.ended.contains_key(id) {
                ids.extend(StepId::new(id).ok());
                continue;
            }
            let (message, hint) = if flow.open.iter().any(|open| open == id) {
                (format!("this step is inside of `{}` and cannot wait for it", shown(id)), None)
            } else if flow.ids.contains(id) {
                let hint =
                    "write steps in an order in which they can be done; a step only waits for those above it";
                (format!("the step `{}` does not come before this one", shown(id)), Some(hint.to_owned()))
            } else {
                let known = flow.ended.keys().map(String::as_str);
                let hint = name_hint(id, known, "no step comes before this one");
                (format!("there is no step `{}`", shown(id)), Some(hint))
            };
            self.report.error(Code::StepOrder, item.span, message).hint_if(hint);
        }
        Some(ids)
    }
}
