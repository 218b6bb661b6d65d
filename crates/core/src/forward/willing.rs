//! People who do what they are asked to do.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::outcome::OUTPUT;
use super::point::Point;
use super::{Deed, Stage};
use crate::actor::{Actor, Known};
use crate::decide::{LineStanding, checklist};
use crate::event::{ApprovalTarget, Asked, Ballot, TickResult};
use crate::explain::Holding;
use crate::gate::{Action, WaitsOn};
use crate::ids::{OutputName, PersonName, RunId, StepId};
use crate::model::{AnswerType, Handed};
use crate::view::Stimulus;

/// What stands for a link that nobody has.
const LINK: &str = "https://assumed.example";

/// How often people are asked for one thing: where each yes has run out before the next is there, more of them do not help.
const TIMES_MAX: u32 = 150;

/// Those who were asked, since when, and who of them has acted.
#[derive(Debug, Clone, Default)]
pub(super) struct Willing {
    waits: BTreeMap<Point, Waiting>,
    /// How often they were asked.
    times: BTreeMap<Point, u32>,
    begun: bool,
}

/// Something that waits for people.
#[derive(Debug, Clone)]
pub(super) struct Waiting {
    /// Of which run.
    run: RunId,
    /// Since when it is asked for, by its own account: later than before where what was said ran out.
    asked: Option<Timestamp>,
    /// Since when, as far as is known.
    pub(super) since: Timestamp,
    /// How long it takes by what its file says; nothing where it does not.
    pub(super) takes: SignedDuration,
    /// Who has acted since then.
    acted: BTreeSet<PersonName>,
    /// Whether somebody has acted whose name is not known.
    anybody: bool,
}

impl Willing {
    /// Takes in what waits now.
    pub(super) fn take_in(&mut self, stage: &Stage) {
        // What waits already when this begins was asked for when it says; everything else just now.
        let begun = std::mem::replace(&mut self.begun, true);
        let asked: Vec<(Point, &Holding)> = self::asked(stage).collect();
        // Another candidate is asked about anew, and so is who said something that does not count any more.
        self.waits.retain(|point, waiting| {
            asked.iter().any(|(other, holding)| {
                other == point && holding.run == waiting.run && holding.hold.since == waiting.asked
            })
        });
        for (point, holding) in asked {
            if self.waits.contains_key(&point) {
                continue;
            }
            let times = self.times.entry(point.clone()).or_default();
            if *times == TIMES_MAX {
                continue;
            }
            *times += 1;
            let waiting = Waiting {
                run: holding.run,
                asked: holding.hold.since,
                since: holding.hold.since.filter(|_| !begun).unwrap_or(stage.now),
                takes: stated(stage, holding).unwrap_or_default(),
                acted: BTreeSet::new(),
                anybody: false,
            };
            self.waits.insert(point, waiting);
        }
    }

    /// What waits for people.
    pub(super) fn waits(&self) -> impl Iterator<Item = (&Point, &Waiting)> {
        self.waits.iter()
    }

    /// What the next person who can bring it further does about something that waits; nothing where nobody is left.
    pub(super) fn act(&mut self, stage: &Stage, point: &Point) -> Option<Deed> {
        let all: Vec<&Holding> =
            asked(stage).filter(|(other, _)| other == point).map(|(_, holding)| holding).collect();
        let waiting = self.waits.get_mut(point)?;
        for holding in all {
            let Some((actor, person)) = waiting.who(stage, holding) else { continue };
            let stimulus = holding.hold.how.iter().find_map(|action| does(stage, action, &person))?;
            return Some(Deed::Say { actor, stimulus });
        }
        None
    }

    /// Whether anybody is left who could act on it.
    pub(super) fn is_over(&self, stage: &Stage, point: &Point) -> bool {
        let Some(waiting) = self.waits.get(point) else { return true };
        asked(stage)
            .filter(|(other, _)| other == point)
            .all(|(_, one)| waiting.clone().who(stage, one).is_none())
    }
}

impl Waiting {
    /// The next one who can act and has not.
    fn who(&mut self, stage: &Stage, holding: &Holding) -> Option<(Actor, Option<PersonName>)> {
        let policy = stage.view.policy.as_deref()?;
        let here =
            |person: &&PersonName| policy.people.get(*person).is_some_and(|known| !known.is_away(stage.now));
        let left = |person: &&PersonName| !self.acted.contains(*person);
        let hold = &holding.hold;
        if let Some(person) = hold.who.iter().filter(here).find(left).cloned() {
            self.acted.insert(person.clone());
            return Some((actor(&person), Some(person)));
        }
        if !hold.anybody || self.anybody {
            return None;
        }
        self.anybody = true;
        match policy.people.keys().find(here).cloned() {
            Some(person) => Some((actor(&person), Some(person))),
            None if policy.people.is_empty() => Some((Actor::Login("somebody".into()), None)),
            None => None,
        }
    }
}

/// A person who acts.
pub(super) fn actor(person: &PersonName) -> Actor {
    Actor::Person { name: person.clone(), known: Known::Login(person.to_string()) }
}

/// The holds that people are asked about: those whose first way on is something that moves the run.
fn asked(stage: &Stage) -> impl Iterator<Item = (Point, &Holding)> {
    let moves = |holding: &&Holding| {
        let hold = &holding.hold;
        hold.on == WaitsOn::Person
            && hold.how.iter().any(|action| is_answer(action) && !is_given(stage, action))
    };
    stage.holdings.iter().filter(moves).filter_map(|holding| Some((Point::of(holding)?, holding)))
}

fn is_answer(action: &Action) -> bool {
    matches!(
        action,
        Action::Approve(_)
            | Action::Assign(_)
            | Action::Tick(_)
            | Action::Vote(_)
            | Action::Answer(_)
            | Action::Done(..)
    )
}

/// Whether a question was answered already: nobody thinks of another answer unasked.
fn is_given(stage: &Stage, action: &Action) -> bool {
    let Action::Answer(asked @ Asked::Question(_)) = action else { return false };
    stage.view.release.answer(asked).is_some()
}

/// What somebody willing does, of what can be done.
fn does(stage: &Stage, action: &Action, person: &Option<PersonName>) -> Option<Stimulus> {
    Some(match action {
        Action::Approve(target) => Stimulus::Approve { target: target.clone(), note: None },
        Action::Assign(role) => Stimulus::Assign { role: role.clone(), person: person.clone()? },
        Action::Vote(target) => Stimulus::Vote { target: target.clone(), ballot: Ballot::For, note: None },
        Action::Answer(asked) => Stimulus::Answer { question: asked.clone(), text: answer(stage, asked) },
        Action::Done(run, step) => Stimulus::Done {
            run: *run,
            step: step.clone(),
            evidence: Some(OUTPUT.into()),
            outputs: outputs(stage, *run, step),
        },
        Action::Tick(target) => ticked(stage, target),
        _ => return None,
    })
}

/// Every item of a checklist that is open.
fn ticked(stage: &Stage, target: &ApprovalTarget) -> Stimulus {
    let open: Vec<_> = checklist(&stage.view, target, stage.now)
        .into_iter()
        .filter(|line| !matches!(line.standing, LineStanding::Counts | LineStanding::Waived))
        .collect();
    let link = open.iter().any(|line| line.evidence == Handed::Link);
    let evidence = Some(if link { LINK.to_owned() } else { OUTPUT.to_owned() });
    let items = open.into_iter().map(|line| line.item).collect();
    Stimulus::Tick { target: target.clone(), items, result: TickResult::Passed, evidence }
}

/// The answer that stands for the one that is not known: yes, the first choice, the smallest number.
pub(super) fn answer(stage: &Stage, asked: &Asked) -> String {
    let Asked::Question(name) = asked else { return "yes".into() };
    let question = stage.view.active().find_map(|(_, plan)| plan.definition.questions.get(name));
    match question.map(|question| &question.answer) {
        Some(AnswerType::Choice(choices)) => choices.first().cloned().unwrap_or_default(),
        Some(AnswerType::Integer { min }) => min.to_string(),
        Some(AnswerType::Text) => OUTPUT.into(),
        Some(AnswerType::YesNo) | None => "yes".into(),
    }
}

/// Something for every output that a step of a person declares.
pub(super) fn outputs(stage: &Stage, run: RunId, step: &StepId) -> BTreeMap<OutputName, String> {
    let planned = stage.view.plans.get(&run).and_then(|plan| plan.step(step));
    let names = planned.map(|planned| planned.outputs.keys()).into_iter().flatten();
    names.map(|name| (name.clone(), OUTPUT.to_owned())).collect()
}

/// How long the items of a checklist take by what its file says; `None` where it says nothing.
fn stated(stage: &Stage, holding: &Holding) -> Option<SignedDuration> {
    let target = holding.hold.how.iter().find_map(|action| match action {
        Action::Tick(target) => Some(target),
        _ => None,
    })?;
    let lines = checklist(&stage.view, target, stage.now);
    let open = lines.iter().filter(|line| line.standing == LineStanding::Open);
    let total =
        open.filter_map(|line| line.takes).try_fold(SignedDuration::ZERO, SignedDuration::checked_add)?;
    (!total.is_zero()).then_some(total)
}
