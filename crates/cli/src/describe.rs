//! Events and steps in words.

use std::collections::BTreeMap;

use tollgate_core::act::{Act, MergedBranch, Outcome};
use tollgate_core::event::{
    Ballot, Deployed, DeploymentOutcome, Entry, EnvironmentEvent, Event, PolicyEvent, ReleaseEvent,
    RunOutcome, Skipped, StepResult, TickResult,
};
use tollgate_core::facts::{FactValue, Reading};
use tollgate_core::ids::{ComponentName, ItemName, ObjectId};
use tollgate_core::journal::StreamId;
use tollgate_core::model::{PackSpec, Target};
use tollgate_core::notices::NoticeEvent;
use tollgate_core::pack::{Packed, planned_names};
use tollgate_core::plan::{PROMOTION, Plan, ROLLBACK};
use tollgate_core::publish::Artifacts;
use tollgate_core::signatures::Judged;
use tollgate_core::typed::{approval, asked, waived};

use crate::output::{BAD, FAINT, GOOD, NAME, WAITS, line, styled};

/// What an event is about, in one line: a mark, and a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Described {
    pub(crate) mark: &'static str,
    pub(crate) style: anstyle::Style,
    pub(crate) text: String,
    pub(crate) weight: Weight,
}

/// How much an event matters to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Weight {
    /// It is left to the whole log.
    Detail,
    /// Another stream tells of it in the same moment: it is only shown where that one is not.
    Doubled,
    /// It is always shown.
    News,
}

pub(crate) fn say(mark: &'static str, style: anstyle::Style, text: impl Into<String>) -> Described {
    Described { mark, style, text: text.into(), weight: Weight::News }
}

pub(crate) fn detail(text: impl Into<String>) -> Described {
    Described { mark: "·", style: FAINT, text: text.into(), weight: Weight::Detail }
}

impl Described {
    /// The line for a terminal.
    pub(crate) fn line(&self) -> String {
        format!("{} {}", styled(self.style, self.mark), line(&self.text))
    }
}

/// An entry in words.
pub(crate) fn describe(entry: &Entry) -> Described {
    match &entry.event {
        Event::Release(event) => release(entry, event),
        Event::Environment(event) => environment(entry, event),
        Event::Train(event) => crate::trains::describe(entry, event),
        Event::Policy(event) => match event {
            PolicyEvent::Proposed { hash, .. } => {
                say("●", WAITS, format!("{} proposed policy {}", entry.actor, hash.short()))
            }
            PolicyEvent::SignedOff { hash } => {
                say("✓", GOOD, format!("{} agreed to policy {}", entry.actor, hash.short()))
            }
            PolicyEvent::Adopted { hash, .. } => {
                say("✓", GOOD, format!("policy {} is in force", hash.short()))
            }
            PolicyEvent::FeedRead { name, .. } => detail(format!("the calendar `{name}` was read")),
            PolicyEvent::FeedFailed { name, why, lapsed: false, .. } => {
                say("●", WAITS, format!("the calendar `{name}` cannot be read: {why}"))
            }
            PolicyEvent::FeedFailed { name, why, lapsed: true, .. } => {
                let closed = "what rests on it is closed";
                say("✗", BAD, format!("the calendar `{name}` cannot be read, and {closed}: {why}"))
            }
            PolicyEvent::FreezeBegan { number } => say("❄", WAITS, format!("freeze {number} begins")),
            PolicyEvent::FreezeEnded { number } => say("✓", GOOD, format!("freeze {number} is over")),
            PolicyEvent::Notice(event) => notice(event),
            PolicyEvent::Frozen { number, freeze, .. } => say("❄", WAITS, format!("{number}: {freeze}")),
            PolicyEvent::ThawSigned { number } => {
                say("●", WAITS, format!("{} agreed to lift freeze {number}", entry.actor))
            }
            PolicyEvent::Thawed { number, .. } => say("✓", GOOD, format!("freeze {number} is lifted")),
        },
    }
}

fn release(entry: &Entry, event: &ReleaseEvent) -> Described {
    let who = &entry.actor;
    match event {
        ReleaseEvent::Opened { service, version, tag } => {
            say("▶", NAME, format!("{service} {version} (tag {tag}), started by {who}"))
        }
        ReleaseEvent::CandidateOpened { candidate, version, base, why: Some(why), .. } => {
            let what = format!("candidate {candidate}, as {version} from {}", base.short());
            say("▶", NAME, format!("{what}, wanted by {who}: {why}"))
        }
        ReleaseEvent::CandidateOpened { candidate, base, .. } => {
            detail(format!("candidate {candidate}, cut from {}", base.short()))
        }
        ReleaseEvent::FacetsSet { candidate, facets } => {
            let set: Vec<String> =
                facets.iter().map(|(facet, value)| format!("{facet} = {}", value.shown)).collect();
            detail(format!("candidate {candidate}: {}", set.join(", ")))
        }
        ReleaseEvent::CandidateSealed { candidate, fingerprint } => {
            say("✓", GOOD, format!("candidate {candidate} is sealed as {}", fingerprint.short()))
        }
        ReleaseEvent::RunStarted { procedure, .. } if procedure.as_str() == PROMOTION => {
            say("▶", NAME, format!("a promotion, started by {who}"))
        }
        ReleaseEvent::RunStarted { procedure, .. } if procedure.as_str() == ROLLBACK => {
            say("↩", WAITS, format!("a rollback to it, started by {who}"))
        }
        ReleaseEvent::RunStarted { procedure, .. } => detail(format!("{who} started `{procedure}`")),
        ReleaseEvent::StepOpened { step, .. } => detail(format!("{step} waits")),
        ReleaseEvent::EffectWanted { step, act, .. } => detail(format!("{step}: {} is wanted", act.kind())),
        ReleaseEvent::EffectLeased { step, epoch, .. } => detail(match epoch {
            1 => format!("{step} began"),
            _ => format!("{step} was taken up again ({epoch})"),
        }),
        ReleaseEvent::EffectFailed { step, failure, again_at, .. } => {
            say("↻", WAITS, format!("{step}: {}; tried again at {}", failure.why, crate::when::at(*again_at)))
        }
        ReleaseEvent::StepStuck { step, failure, .. } => say("✗", BAD, format!("{step}: {}", failure.why)),
        ReleaseEvent::Seen { step, seen, .. } => detail(match (&seen.value, &seen.problem) {
            (Some(value), _) => format!("{step}: it answers `{value}`"),
            (None, Some(problem)) => format!("{step}: {problem}"),
            (None, None) => format!("{step}: it answers without a version"),
        }),
        ReleaseEvent::FactSeen { key, reading, .. } => detail(fact(key, reading)),
        ReleaseEvent::Measured { step, measurement, .. } => {
            let numbers: Vec<String> =
                measurement.numbers.iter().map(|(name, number)| format!("{name} = {number}")).collect();
            detail(format!("{step} measured {}", numbers.join(", ")))
        }
        ReleaseEvent::StepDone { step, result, .. } => done(entry, step.as_str(), result),
        ReleaseEvent::StepKept { step, because, .. } => {
            say("✓", GOOD, format!("{step}  kept from the candidate before: {because}"))
        }
        ReleaseEvent::StepSkipped { step, because, .. } => match because {
            Skipped::Condition { clauses, .. } => {
                say("−", FAINT, format!("{step} skipped: {}", clauses.join("; ")))
            }
            Skipped::Waiver(_) => say("−", WAITS, format!("{step} skipped by a waiver of {who}")),
        },
        ReleaseEvent::StepExpired { step, .. } => {
            say("⌛", WAITS, format!("{step} expired: it did not come in time"))
        }
        ReleaseEvent::LookWanted { step, .. } => {
            say("↻", NAME, format!("{who} wants what `{step}` rests on to be looked at again"))
        }
        ReleaseEvent::StepOverdue { step, .. } => say("⌛", WAITS, format!("{step} is late")),
        ReleaseEvent::StepRetried { step, .. } => say("↻", NAME, format!("{who} tries {step} again")),
        ReleaseEvent::Approved { target, .. } => {
            say("✓", GOOD, format!("{who} approved {}", approval(target)))
        }
        ReleaseEvent::Rejected { target, why, .. } => {
            say("✗", BAD, format!("{who} said no to {}: {why}", approval(target)))
        }
        ReleaseEvent::Revoked { target } => {
            say("↩", WAITS, format!("{who} took back their word on {}", approval(target)))
        }
        ReleaseEvent::RoleFilled { role, person, .. } => say("●", NAME, format!("`{role}` is {person}")),
        ReleaseEvent::RoleVacant { role, why } => say("○", WAITS, format!("nobody is `{role}`: {why}")),
        ReleaseEvent::Ticked { target, items, result, evidence, .. } => {
            let items: Vec<&str> = items.iter().map(ItemName::as_str).collect();
            let what = format!("{} of {}", items.join(", "), approval(target));
            let evidence = evidence.as_ref().map(|evidence| format!(": {evidence}")).unwrap_or_default();
            match result {
                TickResult::Passed => say("✓", GOOD, format!("{who} ticked {what}{evidence}")),
                TickResult::Failed { why } => say("✗", BAD, format!("{who} saw {what} fail: {why}")),
                TickResult::NotRun { why } => say("−", WAITS, format!("{who} did not run {what}: {why}")),
            }
        }
        ReleaseEvent::VoteOpened { target, .. } => {
            say("▶", NAME, format!("the vote {} is open", approval(target)))
        }
        ReleaseEvent::VoteReached { target, .. } => {
            detail(format!("a period of the vote {} is over", approval(target)))
        }
        ReleaseEvent::Voted { target, ballot, note, .. } => {
            let note = note.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
            let (mark, style) = match ballot {
                Ballot::For => ("✓", GOOD),
                Ballot::Abstain => ("·", FAINT),
                Ballot::Against => ("✗", BAD),
            };
            say(mark, style, format!("{who} voted {ballot} on {}{note}", approval(target)))
        }
        ReleaseEvent::Answered { question, answer } => {
            say("✓", GOOD, format!("{who} answered {}: {answer}", asked(question)))
        }
        ReleaseEvent::Waived { target, why, until, follow_up, .. } => {
            let until = until.map(|until| format!(" until {}", crate::when::at(until))).unwrap_or_default();
            let follow_up =
                follow_up.as_ref().map(|text| format!("; to be done: {text}")).unwrap_or_default();
            say("!", WAITS, format!("{who} waived {}{until}: {why}{follow_up}", waived(target)))
        }
        ReleaseEvent::RiskSaid { level, from, why, .. } => {
            say("!", WAITS, format!("{who} says that the risk is {level}, and not {from}: {why}"))
        }
        ReleaseEvent::RunHeld { why, .. } => say("‖", WAITS, format!("{who} holds the run: {why}")),
        ReleaseEvent::RunResumed { .. } => say("▶", NAME, format!("{who} lets the run go on")),
        ReleaseEvent::Reminded { step, gate, times, .. } => {
            let (what, times) =
                (gate.as_deref().unwrap_or(step.as_str()), crate::output::count(*times, "time"));
            say("●", WAITS, format!("{what} still waits: reminded {times}"))
        }
        ReleaseEvent::Escalated { step, gate, .. } => {
            let what = gate.as_deref().unwrap_or(step.as_str());
            say("▲", WAITS, format!("{what} still waits: others are told"))
        }
        ReleaseEvent::Notice(event) => notice(event),
        ReleaseEvent::RunFinished { outcome, .. } => match outcome {
            RunOutcome::Done => say("✓", GOOD, "the run is done"),
            RunOutcome::Superseded { by } => {
                say("↷", WAITS, format!("superseded: candidate {by} takes its place"))
            }
            RunOutcome::Aborted { why } => say("✗", BAD, format!("given up: {why}")),
        },
    }
}

/// What happens to notices is no news, but for those that nobody gets.
pub(crate) fn notice(event: &NoticeEvent) -> Described {
    match event {
        NoticeEvent::Wanted { about, act: Act::Mail { to, subject, .. }, .. } => {
            detail(format!("{about}: “{subject}” for {}", to.join(", ")))
        }
        NoticeEvent::Wanted { about, .. } => detail(format!("{about} is to be told")),
        NoticeEvent::Leased { .. } => detail("a notice is being sent"),
        NoticeEvent::Sent { .. } => detail("a notice was sent"),
        NoticeEvent::Failed { failure, again_at, .. } => detail(format!(
            "a notice could not be sent: {}; tried again at {}",
            failure.why,
            crate::when::at(*again_at)
        )),
        NoticeEvent::Undelivered { subject, why, .. } => {
            say("!", WAITS, format!("nobody was told “{subject}”: {why}"))
        }
    }
}

/// What a look at a fact saw. Its key names it behind a hash.
fn fact(key: &str, reading: &Reading) -> String {
    let label = key.splitn(3, ' ').nth(2).unwrap_or(key);
    match reading {
        Reading::Problem(why) => format!("{label} cannot be read: {why}"),
        Reading::Is(FactValue::Number(number)) => format!("{label} is {number}"),
        Reading::Is(FactValue::Word(word)) => format!("{label} says `{word}`"),
        Reading::Is(FactValue::Signatures(judged)) => format!("{label}: {}", signatures(judged)),
        Reading::Is(FactValue::List { items, .. }) if items.is_empty() => format!("nothing is in {label}"),
        Reading::Is(FactValue::List { items, more }) => {
            let ids: Vec<&str> = items.iter().take(5).map(|item| item.id.as_str()).collect();
            let rest = items.len() - ids.len() + *more as usize;
            let rest = if rest > 0 { format!(" and {rest} more") } else { String::new() };
            format!("in {label}: {}{rest}", ids.join(", "))
        }
    }
}

fn signatures(judged: &Judged) -> String {
    match judged.wrong.as_slice() {
        [] => format!("good, by {}", judged.by.join(" and ")),
        [first, rest @ ..] => match rest.len() + judged.more as usize {
            0 => first.to_string(),
            more => format!("{first}; and {more} more"),
        },
    }
}

fn done(entry: &Entry, step: &str, result: &StepResult) -> Described {
    let text = match result {
        StepResult::Act(outcome) => act(outcome),
        StepResult::Nothing(why) => why.clone(),
        StepResult::Branch(branch) => format!("branch {branch}"),
        StepResult::Person { evidence: Some(evidence), .. } => format!("done by {}: {evidence}", entry.actor),
        StepResult::Person { evidence: None, .. } => format!("done by {}", entry.actor),
        StepResult::Answered => "answered".into(),
        StepResult::Approved(people) => {
            let names: Vec<String> = people.iter().map(ToString::to_string).collect();
            format!("approved by {}", names.join(", "))
        }
        StepResult::Checked { passed, not_run, .. } => {
            let not_run: Vec<&str> = not_run.iter().map(ItemName::as_str).collect();
            let not_run = match not_run.as_slice() {
                [] => String::new(),
                items => format!("; not run: {}", items.join(", ")),
            };
            format!("{} passed{not_run}", crate::output::count(*passed, "item"))
        }
        StepResult::Measured { told, accepted, .. } if accepted.is_empty() => told.clone(),
        StepResult::Measured { told, accepted, .. } => {
            let names: Vec<String> = accepted.iter().map(ToString::to_string).collect();
            format!("accepted by {}: {told}", names.join(", "))
        }
        StepResult::Voted(votes) => votes.clone(),
        StepResult::Fact { seen, .. } => seen.clone(),
        StepResult::Entered(reports) => format!("{} gates open", reports.len()),
        StepResult::Live(seen) => format!("it answers `{}`", seen.value.as_deref().unwrap_or_default()),
        StepResult::Unprobed => "no probe; the deployer's word was taken".into(),
        StepResult::Settled => "verified".into(),
    };
    let text = if text.is_empty() { step.to_owned() } else { format!("{step}  {text}") };
    // That it is live is said by the environment; that everything was verified, by each step that did.
    let weight = match result {
        StepResult::Live(_) => Weight::Doubled,
        StepResult::Settled => Weight::Detail,
        _ => Weight::News,
    };
    Described { weight, ..say("✓", GOOD, text) }
}

fn pushed_in_words(merged: &[MergedBranch]) -> String {
    let branch = |one: &MergedBranch| match one.found {
        true => format!("; {} contains it already", one.branch),
        false => format!("; {} is at {}", one.branch, one.commit.short()),
    };
    format!("pushed{}", merged.iter().map(branch).collect::<String>())
}

fn act(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done => String::new(),
        Outcome::Fit => "clean and in step with the remote".into(),
        Outcome::Edited { files, .. } if files.is_empty() => "nothing to change".into(),
        Outcome::Edited { files, .. } => format!("edited {}", files.join(", ")),
        Outcome::Committed { commit } => format!("commit {}", commit.short()),
        Outcome::Tagged { signed: true, .. } => "signed tag made".into(),
        Outcome::Tagged { .. } => "tag made".into(),
        Outcome::Pushed { merged, .. } => pushed_in_words(merged),
        Outcome::MergePrepared { branch, found: true, .. } => format!("{branch} contains it already"),
        Outcome::MergePrepared { branch, commit, .. } => {
            format!("merged into {branch} as {}; the next push takes it along", commit.short())
        }
        Outcome::Verified { by, count } => {
            let what = crate::output::count(*count as usize, "signature");
            format!("{what} by {}", by.join(", "))
        }
        Outcome::MergedInto { branch, found: true, .. } => format!("{branch} contains it already"),
        Outcome::MergedInto { branch, commit, .. } => format!("{branch} is at {}", commit.short()),
        Outcome::Merged { found: true, .. } => "contained already".into(),
        Outcome::Merged { commit, .. } => format!("commit {}", commit.short()),
        Outcome::Picked { commit, picked, contained, .. } => picked_in_words(commit, picked, contained),
        Outcome::Ran { took_ms, tail, .. } => {
            let last = tail.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
            let took = jiff::SignedDuration::from_millis((*took_ms).try_into().unwrap_or(0));
            // What is over at once is not worth a number.
            let took = (took.as_secs() > 0).then(|| crate::when::length(took));
            match (last.trim(), took) {
                ("", took) => took.unwrap_or_default(),
                (last, None) => last.to_owned(),
                (last, Some(took)) => format!("{last} ({took})"),
            }
        }
        Outcome::Packed(packed) => packed_in_words(packed),
        Outcome::Published { registry, name, version, files, found, .. } => {
            let digest = match files.len() {
                1 => files.values().next().map(|file| format!(" ({}…)", file.sha256.short())),
                count => Some(format!(" ({count} files)")),
            };
            let there = if *found { "was there already" } else { "is there" };
            format!("{name} {version} {there}: {registry}{}", digest.unwrap_or_default())
        }
        Outcome::Sent { .. } => "sent".into(),
    }
}

/// What was packed, and by which digest it is known.
fn packed_in_words(packed: &Packed) -> String {
    let count = |files: &Artifacts| crate::output::count(files.len() as u64, "file");
    let mut said = Vec::new();
    if packed.key.is_some() {
        said.push(format!("packed {}", count(&packed.files)));
    }
    if !packed.published.is_empty() {
        let were = if packed.published.len() == 1 { "was" } else { "were" };
        said.push(format!("told of {} that {were} published", count(&packed.published)));
    }
    let parts = packed.parts.map(|parts| format!(" with an SBOM of {}", crate::output::count(parts, "part")));
    format!("{}{} ({}…)", said.join(" and "), parts.unwrap_or_default(), packed.digest.short())
}

/// What a step packs and makes of it, in words.
pub(crate) fn packing(spec: &PackSpec, plan: &Plan) -> String {
    let mut what: Vec<String> = spec.files.clone();
    what.extend(spec.published.iter().map(|step| format!("what `{step}` published")));
    let mut with = planned_names(plan, spec);
    with.extend(spec.sbom.as_ref().map(|sbom| format!("an SBOM ({})", sbom.format.title())));
    let with = match with.len() {
        0 => String::new(),
        _ => format!(", with {}", with.join(", ")),
    };
    match spec.files.is_empty() {
        true => format!("tells of {}{with}", what.join(", ")),
        false => format!("packs {}{with}", what.join(", ")),
    }
}

/// What a publication does, in words.
pub(crate) fn publication(target: &Target<String>, version: &str) -> String {
    match target {
        Target::Oci(oci) => format!("copies the image {} to {}, by its digest", oci.from, oci.to),
        other => format!("publishes the {} {} {version} to {}", other.what(), other.name(), other.registry()),
    }
}

/// What was taken over, and what was there already.
fn picked_in_words(commit: &ObjectId, picked: &[ObjectId], contained: &[ObjectId]) -> String {
    let short = |ids: &[ObjectId]| ids.iter().map(|id| id.short().to_string()).collect::<Vec<_>>().join(", ");
    match (picked, contained) {
        ([], contained) => format!("{} contained already: nothing to take over", short(contained)),
        (picked, []) => format!("took {} over: commit {}", short(picked), commit.short()),
        (picked, contained) => {
            let (picked, contained) = (short(picked), short(contained));
            format!("took {picked} over: commit {}; {contained} contained already", commit.short())
        }
    }
}

fn environment(entry: &Entry, event: &EnvironmentEvent) -> Described {
    let name = match &entry.stream {
        StreamId::Environment(_, name) => name.to_string(),
        other => other.to_string(),
    };
    match event {
        EnvironmentEvent::Recorded { deployed } => {
            let what: Vec<String> =
                deployed.iter().map(|(part, what)| format!("{part} {}", what.version)).collect();
            say("●", NAME, format!("{} told that {name} runs {}", entry.actor, what.join(", ")))
        }
        EnvironmentEvent::DeploymentStarted { deploying, .. } => {
            let version = deploying.values().next().map(|what| what.version.clone()).unwrap_or_default();
            say("▶", NAME, format!("deploying {version}{} to {name}", candidate_of(deploying)))
        }
        EnvironmentEvent::DeploymentEnded { outcome: DeploymentOutcome::Live, .. } => {
            say("●", GOOD, format!("live in {name}"))
        }
        EnvironmentEvent::DeploymentEnded { outcome: DeploymentOutcome::GivenUp, .. } => {
            say("✗", BAD, format!("the deployment to {name} was given up; what runs there is not certain"))
        }
        EnvironmentEvent::RolledBack { from, to, why, .. } => {
            let from = if from.is_empty() { "what runs there".into() } else { from.join(" and ") };
            let what = format!("{} rolls {name} back from {from} to {to}: {why}", entry.actor);
            say("↩", WAITS, format!("{what}; nothing else goes there until somebody says so"))
        }
        EnvironmentEvent::Released { why } => {
            let why = why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
            say("▶", NAME, format!("{} lets others go to {name} again{why}", entry.actor))
        }
        EnvironmentEvent::Verified { version, .. } => detail(format!("{version} is verified in {name}")),
    }
}

/// Which candidate something is, where it is not the first.
fn candidate_of(deployed: &BTreeMap<ComponentName, Deployed>) -> String {
    let candidate = deployed.values().next().and_then(|what| what.candidate);
    candidate
        .filter(|candidate| candidate.0 > 1)
        .map(|candidate| format!(" (candidate {candidate})"))
        .unwrap_or_default()
}
