//! Answers that make a condition false: which they are, and whether others could make it true.

use super::freeze::lifters;
use super::roles::of_role;
use crate::event::Asked;
use crate::expr::{CallError, Expr, Facts, FalseLeaf, Value, eval_condition};
use crate::gate::{Action, Hold};
use crate::ids::{PersonName, QuestionName};
use crate::model::Policy;
use crate::plan::Plan;
use crate::view::View;

/// What stands before the name of a question in a condition.
const ANSWERS: &str = "answers.";

/// Facts without the answers: those are not known.
struct Unanswered<'a>(&'a dyn Facts);

impl Facts for Unanswered<'_> {
    fn value(&self, name: &str) -> Option<Value> {
        self.0.value(name).filter(|_| !name.starts_with(ANSWERS))
    }

    fn call(&self, function: &str, arguments: &[Value]) -> Result<Option<Value>, CallError> {
        self.0.call(function, arguments)
    }

    fn order(&self, name: &str) -> Option<Vec<String>> {
        self.0.order(name)
    }
}

/// The questions whose answers make a condition false, in the order of its text; none where it is false whatever they are.
pub(super) fn to_blame(
    plan: &Plan,
    that: &Expr,
    leaves: &[FalseLeaf],
    facts: &dyn Facts,
) -> Vec<QuestionName> {
    if eval_condition(that, &Unanswered(facts)).is_ok() {
        return Vec::new();
    }
    let within = |span: &crate::expr::Span| {
        leaves.iter().any(|leaf| leaf.span.start <= span.start && span.end <= leaf.span.end)
    };
    let mut found: Vec<QuestionName> = Vec::new();
    for (name, _) in that.names().filter(|(_, span)| within(span)) {
        let question = name.strip_prefix(ANSWERS).and_then(|name| name.parse().ok());
        if let Some(question) = question
            && plan.definition.questions.contains_key(&question)
            && !found.contains(&question)
        {
            found.push(question);
        }
    }
    found
}

/// Who may answer a question; `None` where anybody who is known may.
fn answerers(view: &View, plan: &Plan, question: &QuestionName) -> Option<Vec<PersonName>> {
    let by = plan.definition.questions.get(question)?.by.as_ref()?;
    Some(view.members(plan, by))
}

/// What leads to another answer to a question, if anything does: where nobody fills the role that answers, somebody first does.
fn way(view: &View, plan: &Plan, question: &QuestionName, hold: &Hold) -> Option<Hold> {
    let by = plan.definition.questions.get(question).and_then(|question| question.by.as_ref());
    let people = answerers(view, plan, question);
    let anybody = people.is_none();
    let who = people.unwrap_or_default();
    let how = vec![Action::Answer(Asked::Question(question.clone()))];
    let one = Hold { anybody, who, how, ..hold.clone() };
    let one = if one.who.is_empty() { of_role(view, plan, by, one) } else { one };
    (one.anybody || !one.who.is_empty()).then_some(one)
}

/// The same hold, with other answers to some questions as the first thing to do about it.
pub(super) fn answered_otherwise(
    view: &View,
    plan: &Plan,
    questions: &[QuestionName],
    mut hold: Hold,
) -> Hold {
    let ways: Vec<Hold> = questions.iter().filter_map(|question| way(view, plan, question, &hold)).collect();
    if ways.is_empty() {
        return hold;
    }
    hold.anybody = ways.iter().any(|way| way.anybody);
    hold.who = Vec::new();
    let (why, mut how): (String, Vec<Action>) = (hold.why.clone(), Vec::new());
    for way in ways {
        // That nobody fills a role is said once.
        if let Some(more) = way.why.strip_prefix(why.as_str())
            && !hold.why.contains(more)
        {
            hold.why.push_str(more);
        }
        let people = way.who.into_iter().filter(|person| !hold.who.contains(person)).collect::<Vec<_>>();
        hold.who.extend(people);
        how.extend(way.how.into_iter().filter(|action| !how.contains(action)).collect::<Vec<_>>());
    }
    if hold.anybody {
        hold.who.clear();
    }
    hold.how.splice(0..0, how);
    hold
}

/// Who can do this about a hold, where these are others than those whom it names: waivers, and whoever may answer one of several
/// questions, or fill the role that does.
pub fn others(view: &View, hold: &Hold, action: &Action) -> Option<Vec<PersonName>> {
    match action {
        Action::Waive(_) => {
            let policy: &Policy = view.policy.as_deref()?;
            Some(policy.members(policy.waivers.as_ref()?))
        }
        Action::Thaw(number) => {
            let state = view.freezes.iter().find(|state| state.number == *number)?;
            lifters(view.policy.as_deref()?, state).filter(|people| *people != hold.who)
        }
        Action::Answer(Asked::Question(question)) => {
            let asks = |plan: &&std::sync::Arc<Plan>| plan.definition.questions.contains_key(question);
            let plan = view.active().map(|(_, plan)| plan).find(asks)?;
            answerers(view, plan, question).filter(|people| hold.anybody || *people != hold.who)
        }
        Action::Assign(role) => {
            let knows = |plan: &&std::sync::Arc<Plan>| view.role(plan, role).is_some();
            let plan = view.active().map(|(_, plan)| plan).find(knows)?;
            let people = view.assigners(plan, role, |_| true);
            Some(people).filter(|people| !people.is_empty() && (hold.anybody || *people != hold.who))
        }
        _ => None,
    }
}
