//! The gate that asks for signatures: what is judged, and what is said of it.
//!
//! An object never changes, and neither does what stands in its signature: it is judged once, again when other signers count,
//! when somebody asks for it, and before anything rests on a verdict that is old: a key can be revoked meanwhile.

use jiff::SignedDuration;

use super::Deciding;
use super::facts::{Bad, Known, Standing, good_or_old};
use super::gates::{Entering, clipped};
use crate::candidate::Candidate;
use crate::event::ReleaseEvent;
use crate::facts::{FactLook, FactValue, LookAsk, SignaturesAsk, Want};
use crate::gate::{Action, GateAnswer, WaitsOn};
use crate::ids::{GateName, RunId, StepId};
use crate::model::{FactGate, FactRead, Gate, GateKind, GitVerify};
use crate::plan::{Body, Plan};
use crate::signatures::{Judged, Signatures, SignedObject, Verdict};
use crate::state::StepStatus;

/// The pause between two looks that nobody asked for: long enough to be none.
const EVERY: SignedDuration = SignedDuration::from_hours(24);
/// How long a verdict counts: until then a key that was revoked meanwhile still does.
const VALID: SignedDuration = SignedDuration::from_hours(1);
/// How long it may take to judge all of them.
const TIMEOUT: SignedDuration = SignedDuration::from_mins(10);
/// What helps where a key is not among the signers of the rules in force.
const ADOPT: &str = "if this key may sign, list it among the signers of the policy, and adopt that; else `tollgate respin` makes another candidate";
/// What helps where the gate is another one now: whose signatures count for that of the start is not for the policy to say any more.
const PINNED: &str = "the gate is as it was when the run started, and so are its signers: `tollgate respin` goes on by the rules in force";
/// How many signatures that do not count are named.
const NAMED_MAX: usize = 3;
/// The longest text about signatures that do not count, in characters.
const WRONG_MAX_CHARS: usize = 600;

/// The signatures that a rule asks for; `None` where it asks for that of a tag, and none was made.
pub(super) fn asked_for(rule: &GitVerify, candidate: &Candidate, plan: &Plan) -> Option<Signatures> {
    let commit = candidate.commit.clone();
    let tag = match (rule.tag, &candidate.tag) {
        (false, _) => None,
        (true, None) => return None,
        (true, Some(made)) => {
            let (name, object) = (made.name.clone(), made.object.clone());
            Some(SignedObject::Tag { name, object, target: commit.clone() })
        }
    };
    let previous = plan.version.previous.as_ref().map(|previous| previous.commit.clone());
    Some(Signatures { tag, commits: rule.commits.then_some((previous, commit)) })
}

/// What is looked at, in words.
fn label(of: &Signatures) -> String {
    let tag = of.tag.as_ref().map(|tag| match tag {
        SignedObject::Tag { name, .. } => format!("tag {}", clipped(name, 80)),
        SignedObject::Commit(commit) => format!("commit {}", commit.short()),
    });
    match (tag, &of.commits) {
        (Some(tag), Some(_)) => format!("the signature of {tag} and of each commit in it"),
        (Some(tag), None) => format!("the signature of {tag}"),
        (None, Some((_, upto))) => format!("the signature of each commit up to {}", upto.short()),
        (None, None) => "no signature".to_owned(),
    }
}

impl Entering<'_> {
    /// The look that a gate rests on.
    pub(super) fn signed_look(&self, rule: &GitVerify) -> Result<FactLook, Bad> {
        let candidate =
            self.view.candidate(self.run).ok_or_else(|| Bad::because("the run has no candidate"))?;
        let of = asked_for(rule, candidate, self.plan)
            .ok_or_else(|| Bad::because("no tag was made whose signature could be looked at"))?;
        let label = label(&of);
        let ask = LookAsk::Signatures(Box::new(SignaturesAsk {
            service: self.plan.definition.service.clone(),
            url: self.plan.url.clone(),
            checkout: self.plan.checkout.clone(),
            of,
            signers: rule.signers.clone(),
        }));
        let (read, want) = (FactRead::Text, Want::Signatures);
        Ok(FactLook { label, ask, read, want, about: None, every: EVERY, valid: VALID, timeout: TIMEOUT })
    }

    /// How the signatures that a rule asks for stand.
    pub(super) fn signed(&self, rule: &GitVerify) -> Result<Standing, Bad> {
        let look = self.signed_look(rule)?;
        let known = Known::of(self.run, &look, self.now)?;
        let FactValue::Signatures(judged) = known.value else {
            return Err(Bad::because(format!("{} was not judged", look.label)));
        };
        if !judged.is_good() {
            return Err(Bad { since: Some(known.state.since), ..Bad::because(wrong(judged)) });
        }
        Ok(good_or_old(known.old, known.state.at, good(rule, judged)))
    }

    /// What a gate that asks for signatures says.
    pub(super) fn signed_gate(&self, name: &GateName, rule: &GitVerify) -> GateAnswer {
        let what = format!("signatures `{name}` of {}", self.environment);
        let world = |why: String, since| {
            let mut hold = self.hold(what.clone(), why, WaitsOn::World);
            hold.since = since;
            hold.how.push(Action::Wait);
            hold.how.extend(self.waiving(name));
            GateAnswer::Closed(hold)
        };
        let bad = match self.signed(rule).unwrap_or_else(Standing::Bad) {
            Standing::Good(why) => return GateAnswer::Open(why),
            Standing::Old(why) => return world(format!("{why}: it is being looked at again"), None),
            Standing::Bad(bad) => bad,
        };
        let look = self.signed_look(rule).ok();
        let known = look.as_ref().and_then(|look| Known::of(self.run, look, self.now).ok());
        let judged = known.and_then(|known| match known.value {
            FactValue::Signatures(judged) => Some(judged),
            _ => None,
        });
        if judged.is_none() && look.is_some() {
            return world(bad.why, bad.since);
        }
        // Without a look there will never be anything to look at.
        let mut hold = self.hold(what, bad.why, WaitsOn::Person);
        (hold.since, hold.who) = (bad.since, self.waivers());
        let wrong = judged.map(|judged| judged.wrong.as_slice()).unwrap_or_default();
        let any = |test: fn(&Verdict) -> bool| wrong.iter().any(|wrong| test(&wrong.verdict));
        if any(|verdict| matches!(verdict, Verdict::NotAllowed(_))) {
            hold.how.push(Action::AdoptPolicy);
        }
        if any(|verdict| matches!(verdict, Verdict::UnknownKey(_) | Verdict::Expired(_))) {
            hold.how.extend(self.waits_here().map(|step| Action::Retry(self.run.id, step)));
        }
        hold.anybody = !hold.how.is_empty();
        let waiving = self.waiving(name);
        if hold.anybody && waiving.is_empty() {
            // Nobody may have the right to that, or a reason: then it is given up, as every other one that nobody lets pass.
            hold.how.push(Action::Abort(self.run.id));
        }
        hold.how.extend(waiving);
        GateAnswer::Closed(hold.or_abort(self.run.id))
    }

    /// The same for a gate that holds only as it was at the start: no adoption changes whose signatures count for it.
    pub(super) fn pinned_signers(&self, answer: &mut GateAnswer) {
        let GateAnswer::Closed(hold) = answer else { return };
        if !hold.how.contains(&Action::AdoptPolicy) {
            return;
        }
        hold.how.retain(|action| *action != Action::AdoptPolicy);
        hold.anybody = hold.how.iter().any(|action| !matches!(action, Action::Waive(_)));
        hold.why = hold.why.replace(ADOPT, PINNED);
        *hold = hold.clone().or_abort(self.run.id);
    }

    /// The step of the run that waits for the gates of the environment.
    fn waits_here(&self) -> Option<StepId> {
        let waits = self.plan.steps.iter().filter(|step| {
            step.environment.as_ref() == Some(self.environment)
                && matches!(step.body, Body::Enter | Body::Deploy(_))
        });
        waits.map(|step| step.id.clone()).find(|id| {
            self.run.steps.get(id).is_some_and(|state| matches!(state.status, StepStatus::Open { .. }))
        })
    }
}

fn good(rule: &GitVerify, judged: &Judged) -> String {
    let by = judged.by.join(" and ");
    let commits = judged.good.saturating_sub(u32::from(rule.tag));
    let commits = match (rule.commits, commits) {
        (false, _) | (true, 0) => None,
        (true, 1) => Some("1 commit".to_owned()),
        (true, count) => Some(format!("{count} commits")),
    };
    match (rule.tag, commits) {
        (true, None) => format!("the tag is signed by {by}"),
        (true, Some(commits)) => format!("the tag and {commits} are signed by {by}"),
        (false, Some(commits)) => format!("signed by {by}: {commits}"),
        (false, None) => "there is no commit that would have to be signed".to_owned(),
    }
}

/// Which signatures do not count, and what can be done about the first of them.
fn wrong(judged: &Judged) -> String {
    let named: Vec<String> = judged.wrong.iter().take(NAMED_MAX).map(ToString::to_string).collect();
    let more = judged.wrong.len() - named.len() + judged.more as usize;
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    let told = clipped(&format!("{}{more}", named.join("; ")), WRONG_MAX_CHARS);
    match judged.wrong.first() {
        Some(first) => format!("{told}\n{}", remedy(&first.verdict, &first.object)),
        None => told,
    }
}

fn remedy(verdict: &Verdict, object: &SignedObject) -> &'static str {
    let is_tag = matches!(object, SignedObject::Tag { .. });
    match verdict {
        Verdict::Good(_) => "nothing has to be done",
        Verdict::Lightweight | Verdict::Unsigned | Verdict::Other(_) if is_tag => {
            "a tag never moves: `tollgate respin` makes another candidate, whose tag `git.tag: { sign: true }` signs"
        }
        Verdict::Lightweight | Verdict::Unsigned | Verdict::Other(_) => {
            "a commit stays as it is: release from commits that are signed"
        }
        Verdict::NotAllowed(_) => ADOPT,
        Verdict::UnknownKey(_) => "import the public key on the machine that runs Tollgate, and retry",
        Verdict::Expired(_) => {
            "prolong the key, import it anew on the machine that runs Tollgate, and retry; or sign another candidate"
        }
        Verdict::Revoked(_) => "nothing of a revoked key counts: `tollgate respin` makes another candidate",
        Verdict::Bad => "find out who changed it, and release from a commit that is known to be good",
    }
}

impl Deciding {
    /// Forgets what was seen of the signatures that a step waits for, so that they are looked at anew. Tells whether there are
    /// any that do not count.
    pub(super) fn look_again(&mut self, run: RunId, step: &StepId) -> bool {
        let Some((state, plan)) = self.view.active().find(|(state, _)| state.id == run) else { return false };
        let planned = plan.step(step);
        let planned = planned.filter(|planned| matches!(planned.body, Body::Enter | Body::Deploy(_)));
        let Some(environment) = planned.and_then(|planned| planned.environment.as_ref()) else {
            return false;
        };
        let entering = Entering { view: &self.view, run: state, plan, environment, now: self.now };
        let bad = |(_, gate): (&GateName, &Gate)| match &gate.kind {
            GateKind::Fact(gate @ FactGate::Signed(_)) => match entering.standing(gate) {
                Standing::Bad(bad) if !bad.unseen => Some(entering.looks(gate)),
                _ => None,
            },
            _ => None,
        };
        let looks = super::gates::of_run(&self.view, plan, environment).filter_map(bad).flatten();
        let mut keys: Vec<String> = looks.map(|look| look.key()).collect();
        keys.sort();
        keys.dedup();
        if keys.is_empty() {
            return false;
        }
        self.by_actor(ReleaseEvent::LookWanted { run, step: step.clone(), keys });
        true
    }
}
