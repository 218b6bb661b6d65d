//! Answers that make a condition false: which they are, and whether others could make it true.

use super::freeze::lifters;
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

/// The same hold, with other answers to some questions as the first thing to do about it.
pub(super) fn answered_otherwise(
    view: &View,
    plan: &Plan,
    questions: &[QuestionName],
    mut hold: Hold,
) -> Hold {
    let can: Vec<(&QuestionName, Option<Vec<PersonName>>)> = questions
        .iter()
        .map(|question| (question, answerers(view, plan, question)))
        .filter(|(_, people)| people.as_ref().is_none_or(|people| !people.is_empty()))
        .collect();
    if can.is_empty() {
        return hold;
    }
    hold.anybody = can.iter().any(|(_, people)| people.is_none());
    hold.who = Vec::new();
    for person in can.iter().flat_map(|(_, people)| people.iter().flatten()) {
        if !hold.who.contains(person) {
            hold.who.push(person.clone());
        }
    }
    if hold.anybody {
        hold.who.clear();
    }
    let how = can.into_iter().map(|(question, _)| Action::Answer(Asked::Question(question.clone())));
    hold.how.splice(0..0, how);
    hold
}

/// Who can do this about a hold, where these are others than those whom it names: waivers, and whoever may answer one of several
/// questions.
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
        _ => None,
    }
}
