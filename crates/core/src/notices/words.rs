//! What notices say: what, why, who can act, and the exact command.

use jiff::Timestamp;

use super::Told;
use super::owed::name;
use crate::actor::Actor;
use crate::commits::{Lines, plain_text};
use crate::consequence::{consequence, content};
use crate::decide::second;
use crate::explain::{Holding, explain};
use crate::gate::Action;
use crate::ids::{EnvironmentName, PersonName, StepId};
use crate::model::Happening;
use crate::plan::{Plan, Rollback};
use crate::state::{Run, Waiver};
use crate::typed::{Typed, is_first_choice, waived as called};
use crate::view::View;

/// The longest subject, in characters.
const SUBJECT_MAX_CHARS: usize = 200;
/// The longest text, in characters.
const BODY_MAX_CHARS: usize = 12_000;

/// Why a wait is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    /// It began.
    Waits,
    /// It goes on: people are told so for the so-manieth time.
    Still(u32),
    /// It goes on, and others are told.
    Escalated,
}

/// A subject and a text of lengths that one event can hold, without anything that steers.
pub(super) fn told(subject: &str, paragraphs: &[String]) -> Told {
    let subject = plain_text(subject, Lines::Join).chars().take(SUBJECT_MAX_CHARS).collect();
    let joined = paragraphs.join("\n\n");
    let mut body: String = plain_text(&joined, Lines::Keep).chars().take(BODY_MAX_CHARS).collect();
    body.push('\n');
    Told { subject, body }
}

fn title(view: &View) -> String {
    let version = view.release.opened.as_ref().map(|opened| opened.version.as_str()).unwrap_or_default();
    let later = view.release.newest().filter(|newest| newest.number.0 > 1);
    let candidate = later.map(|newest| format!(" candidate {}", newest.number)).unwrap_or_default();
    format!("{} {version}{candidate}", view.service)
}

fn typed(view: &View) -> Typed<'_> {
    Typed { view, service: Some(&view.service), release: true }
}

fn all_of_it(view: &View) -> String {
    format!("Everything that holds it:\n  {}", typed(view).why())
}

pub(super) fn waits(
    view: &View,
    run: &Run,
    plan: &Plan,
    holding: &Holding,
    subject: Subject,
    now: Timestamp,
) -> Told {
    let (title, hold) = (title(view), &holding.hold);
    let since = hold.since.map(|since| format!(", since {}", second(since))).unwrap_or_default();
    let mut paragraphs = vec![format!("{} holds {title}{since}.", hold.what), hold.why.clone()];
    for action in &hold.how {
        if let Action::Approve(target) = action {
            paragraphs.push(consequence(view, run, plan, target, None, now).to_string());
        }
    }
    paragraphs.push(who_can(view, holding));
    paragraphs.push(all_of_it(view));
    let subject = match subject {
        Subject::Waits => format!("{title} waits: {}", hold.what),
        Subject::Still(1) => format!("{title} still waits: {}", hold.what),
        Subject::Still(times) => format!("{title} still waits: {} (reminder {times})", hold.what),
        Subject::Escalated => format!("{title} waits for too long: {}", hold.what),
    };
    told(&subject, &paragraphs)
}

/// Somebody, and where they talk.
fn found_at(view: &View, person: &PersonName) -> String {
    let known = view.policy.as_ref().and_then(|policy| policy.people.get(person));
    match known.and_then(|known| known.chat.first()) {
        Some(chat) => format!("{person} ({chat})"),
        None => person.to_string(),
    }
}

fn who_can(view: &View, holding: &Holding) -> String {
    let hold = &holding.hold;
    let who = match (hold.anybody, hold.who.as_slice()) {
        (true, _) => "Anybody who is known can:".to_owned(),
        (false, people) => {
            let names: Vec<String> = people.iter().map(|person| found_at(view, person)).collect();
            format!("{} can:", names.join(", "))
        }
    };
    let first: Vec<&Action> = hold.how.iter().filter(|action| is_first_choice(action)).collect();
    let shown = if first.is_empty() { hold.how.iter().collect() } else { first };
    let commands = shown.into_iter().filter_map(|action| typed(view).command(action));
    std::iter::once(who).chain(commands.map(|command| format!("  {command}"))).collect::<Vec<_>>().join("\n")
}

pub(super) fn started(view: &View, run: &Run, plan: &Plan) -> Told {
    let title = title(view);
    let subject = format!("{title} was started by {}", name(&run.started_by));
    let mut paragraphs = vec![format!("{} started `{}` of {title}.", name(&run.started_by), plan.procedure)];
    if let (Some(candidate), Some(respin)) = (view.candidate(run), &plan.respin) {
        let why = candidate.why.as_deref().unwrap_or_default();
        let version = &candidate.version;
        paragraphs.push(format!("It is {version} now, in place of candidate {}: {why}", respin.before));
    }
    paragraphs.extend(plan.rollback.as_ref().map(back));
    paragraphs.push(content(plan));
    paragraphs.push(all_of_it(view));
    told(&subject, &paragraphs)
}

/// What a rollback means.
fn back(rollback: &Rollback) -> String {
    let (environment, from) = (&rollback.environment, rollback.from_text());
    format!(
        "It is a rollback of {environment} from {from}: {}\n\
         Nothing else goes there until somebody says so: tollgate resume --environment {environment}",
        rollback.why
    )
}

pub(super) fn live(view: &View, run: &Run, plan: &Plan, environment: &EnvironmentName) -> Told {
    let title = title(view);
    let address = view.policy.as_deref().and_then(|policy| policy.environments.get(environment)?.url.clone());
    let address = address.map(|url| format!(": {url}")).unwrap_or_default();
    let mut paragraphs = vec![format!("{title} is live in {environment}{address}.")];
    paragraphs.extend(plan.rollback.as_ref().map(back));
    paragraphs.push(content(plan));
    paragraphs.push(format!("Started by {} at {}.", name(&run.started_by), second(run.started_at)));
    told(&format!("{title} is live in {environment}"), &paragraphs)
}

pub(super) fn stopped(
    view: &View,
    run: &Run,
    plan: &Plan,
    about: Happening,
    step: &StepId,
    why: &str,
) -> Told {
    let title = title(view);
    let place = plan.step(step).and_then(|planned| planned.environment.as_ref());
    let place = place.map(|environment| format!(" ({environment})")).unwrap_or_default();
    let word = if about == Happening::Expired { "expired" } else { "failed" };
    let mut paragraphs = vec![format!("`{step}`{place} of {title} {word}."), why.to_owned()];
    let typed = typed(view);
    let retry = typed.command(&Action::Retry(run.id, step.clone())).unwrap_or_default();
    let abort = typed.command(&Action::Abort(run.id)).unwrap_or_default();
    paragraphs.push(format!("Try it again, or give the run up:\n  {retry}\n  {abort}"));
    paragraphs.push(all_of_it(view));
    told(&format!("{title}: {step} {word}"), &paragraphs)
}

pub(super) fn overdue(view: &View, run: &Run, plan: &Plan, step: &StepId, due: Timestamp) -> Told {
    let title = title(view);
    let all = explain(view, due);
    let of_step = all.iter().find(|holding| holding.run == run.id && holding.step.as_ref() == Some(step));
    let waits = match run.steps.get(step) {
        None => "It was not reached yet.".to_owned(),
        Some(_) => of_step.map(|holding| holding.hold.why.clone()).unwrap_or_default(),
    };
    let name = plan.step(step).and_then(|planned| planned.environment.as_ref());
    let place = name.map(|environment| format!(" ({environment})")).unwrap_or_default();
    let first = format!("`{step}`{place} of {title} is not done. It was due at {}.", second(due));
    told(&format!("{title}: {step} is late"), &[first, waits, all_of_it(view)])
}

pub(super) fn held(view: &View, by: &Actor, why: &str) -> Told {
    let (title, by) = (title(view), name(by));
    let resume =
        typed(view).command(&Action::Resume(crate::ids::RunId(uuid::Uuid::nil()))).unwrap_or_default();
    let paragraphs = [format!("{by} holds {title}: {why}"), format!("It goes on with:\n  {resume}")];
    told(&format!("{title} is held by {by}"), &paragraphs)
}

pub(super) fn waived(view: &View, waiver: &Waiver) -> Told {
    let (title, by, what) = (title(view), name(&waiver.by), called(&waiver.target));
    let mut said = format!("{by} waived {what} of {title}: {}", waiver.why);
    if let Some(until) = waiver.until {
        said.push_str(&format!("\nIt counts until {}.", second(until)));
    }
    if let Some(follow_up) = &waiver.follow_up {
        said.push_str(&format!("\nTo be done afterwards: {follow_up}"));
    }
    let count = view.release.waivers.len();
    let of = if count == 1 { "It is the only waiver".to_owned() } else { format!("It is waiver {count}") };
    told(&format!("{title}: {by} waived {what}"), &[said, format!("{of} of this release.")])
}

pub(super) fn finished(view: &View, run: &Run, plan: &Plan, given_up: Option<&(Actor, String)>) -> Told {
    let title = title(view);
    let (subject, first) = match given_up {
        None => (format!("{title} is done"), format!("`{}` of {title} is done.", plan.procedure)),
        Some((by, why)) => (
            format!("{title} was given up"),
            format!("`{}` of {title} was given up by {}: {why}", plan.procedure, name(by)),
        ),
    };
    let mut paragraphs = vec![first, content(plan)];
    paragraphs.push(format!("Started by {} at {}.", name(&run.started_by), second(run.started_at)));
    let waivers: Vec<String> = view.release.waivers.iter().map(waiver_line).collect();
    if !waivers.is_empty() {
        paragraphs.push(format!("What was waived:\n{}", waivers.join("\n")));
    }
    told(&subject, &paragraphs)
}

fn waiver_line(waiver: &Waiver) -> String {
    let follow_up = waiver.follow_up.as_ref().map(|text| format!("; to be done: {text}")).unwrap_or_default();
    let until = waiver.until.map(|until| format!(", until {}", second(until))).unwrap_or_default();
    format!("- {} by {}{until}: {}{follow_up}", called(&waiver.target), name(&waiver.by), waiver.why)
}
