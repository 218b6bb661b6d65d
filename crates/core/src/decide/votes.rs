//! Votes: who has voted how, whether it has passed, and who can bring it further.

use jiff::Timestamp;

use super::Deciding;
use super::approvals::covered;
use super::gates::{Entering, clipped, of_run, second};
use super::people::check_remark;
use crate::event::{ApprovalTarget, Ballot, ReleaseEvent};
use crate::gate::{Action, Hold, WaitsOn};
use crate::ids::{EnvironmentName, GateName, PersonName, RunId};
use crate::model::{GateKind, StepKind, VoteRule};
use crate::plan::{Body, Plan, PlannedStep, list};
use crate::state::{Run, StepStatus, Vote, VoteRound};
use crate::view::{Refusal, View, later};

/// The longest remark that is told again, in characters.
const REMARK_SHOWN_MAX_CHARS: usize = 300;
/// The most people whose vote one release keeps, in one vote.
const VOTERS_MAX: usize = 500;

/// One rule about one vote, at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Voting<'a> {
    pub(crate) entering: Entering<'a>,
    pub(crate) rule: &'a VoteRule,
    pub(crate) target: &'a ApprovalTarget,
}

/// How a vote stands.
#[derive(Debug)]
pub(crate) enum Standing {
    /// It was not opened yet.
    Unopened,
    /// It passed.
    Passed(String),
    /// It goes on.
    Open,
    /// It came to its end and did not pass.
    Expired,
}

/// The votes, counted.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    plus: Vec<PersonName>,
    abstained: Vec<PersonName>,
    minus: Vec<(PersonName, Option<String>)>,
    silent: Vec<PersonName>,
    /// Who voted on something that has changed since, and what.
    void: Vec<(PersonName, String)>,
    /// How many +1, 0 and -1 there are of people whose votes do not bind.
    others: [usize; 3],
}

impl<'a> Voting<'a> {
    pub(crate) fn round(&self) -> Option<&'a VoteRound> {
        self.entering.view.release.vote(&self.entering.run.id, self.target)
    }

    /// When the period is over, and when the vote is.
    pub(crate) fn moments(&self) -> Option<(Timestamp, Option<Timestamp>)> {
        let opened = self.round()?.opened_at;
        let passes = self.rule.at_least.map_or(opened, |period| later(opened, period));
        Some((passes, self.rule.closes.map(|closes| later(opened, closes))))
    }

    /// Now, and never before a moment of the vote that has come: a clock may be set back.
    fn now(&self) -> Timestamp {
        let now = self.entering.now;
        self.round().map_or(now, |round| now.max(round.reached))
    }

    /// The moments that have not come yet, as far as anybody wrote down, in order.
    fn ahead(&self) -> impl Iterator<Item = Timestamp> {
        let reached = self.round().map(|round| round.reached);
        let moments =
            self.moments().into_iter().flat_map(|(passes, closes)| std::iter::once(passes).chain(closes));
        moments.filter(move |moment| reached.is_some_and(|reached| reached < *moment))
    }

    /// The last moment that has come and was not written down.
    pub(crate) fn reaches(&self) -> Option<Timestamp> {
        self.ahead().take_while(|moment| *moment <= self.entering.now).last()
    }

    pub(crate) fn standing(&self) -> Standing {
        let Some((passes, closes)) = self.moments() else { return Standing::Unopened };
        let now = self.now();
        let tally = self.tally();
        if (now >= passes || tally.ends_early(self.rule)) && tally.holds(self.rule) {
            return Standing::Passed(format!("the vote passed: {}", tally.counts()));
        }
        match closes.is_some_and(|closes| closes <= now) {
            true => Standing::Expired,
            false => Standing::Open,
        }
    }

    /// Whether a new vote is to be opened: the first one, or one after somebody asked for another try.
    pub(crate) fn opens(&self, waits_since: Timestamp) -> bool {
        match (self.standing(), self.moments()) {
            (Standing::Unopened, _) => true,
            (Standing::Expired, Some((_, Some(closed)))) => waits_since >= closed,
            _ => false,
        }
    }

    pub(crate) fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        let Entering { view, run, plan, .. } = self.entering;
        let votes = self.round().map(|round| round.votes.as_slice()).unwrap_or_default();
        let content = view.candidate(run).map(|candidate| covered(candidate, plan, self.target));
        let members = view.members(plan, &self.rule.by);
        let stale = |vote: &Vote| {
            let differing = content.as_ref().map(|content| vote.covers.differing(content))?;
            (!differing.is_empty()).then(|| list(differing))
        };
        for person in &members {
            let vote = votes.iter().find(|vote| vote.by.person() == Some(person));
            match vote.map(|vote| (vote, stale(vote))) {
                None => tally.silent.push(person.clone()),
                Some((_, Some(changed))) => {
                    tally.void.push((person.clone(), changed));
                    tally.silent.push(person.clone());
                }
                Some((vote, None)) => match vote.ballot {
                    Ballot::For => tally.plus.push(person.clone()),
                    Ballot::Abstain => tally.abstained.push(person.clone()),
                    Ballot::Against => tally.minus.push((person.clone(), vote.note.clone())),
                },
            }
        }
        let binding = |vote: &&Vote| vote.by.person().is_some_and(|person| members.contains(person));
        for vote in votes.iter().filter(|vote| !binding(vote) && stale(vote).is_none()) {
            tally.others[match vote.ballot {
                Ballot::For => 0,
                Ballot::Abstain => 1,
                Ballot::Against => 2,
            }] += 1;
        }
        tally
    }

    /// What holds, as long as it has not passed.
    pub(crate) fn hold(&self, hold: Hold) -> Hold {
        let Some((passes, closes)) = self.moments() else {
            let why = "the vote opens with the next look".to_owned();
            return Hold { why, how: vec![Action::Wait], on: WaitsOn::Release, ..hold };
        };
        let now = self.now();
        let tally = self.tally();
        let mut why = tally.why(self.rule);
        if passes > now {
            let early = self.rule.early.filter(|_| tally.minus.is_empty());
            let early = early.map(|early| format!(", or with {early} × +1 at once")).unwrap_or_default();
            why.push(format!("its period ends at {}{early}", second(passes)));
        }
        if let Some(closes) = closes {
            let closed = if closes > now { "it closes at" } else { "it closed without a result at" };
            why.push(format!("{closed} {}", second(closes)));
        }
        let since = self.round().map(|round| round.opened_at);
        let earliest = (passes > now).then_some(passes);
        let (why, how) = (why.join("; "), vec![Action::Vote(self.target.clone())]);
        let hold = Hold { why, since, earliest, how, ..hold };
        if closes.is_some_and(|closes| closes <= now) {
            // The step that waits for it expires with the next look.
            return Hold { how: vec![Action::Wait], on: WaitsOn::Release, ..hold };
        }
        let hold = Hold { who: tally.who(), ..hold };
        match (tally.holds(self.rule), hold.who.is_empty()) {
            (true, true) => Hold { on: WaitsOn::Time, how: vec![Action::Wait], ..hold },
            (true, false) => Hold { on: WaitsOn::Time, ..hold },
            (false, _) => hold,
        }
    }
}

impl Tally {
    fn holds(&self, rule: &VoteRule) -> bool {
        rule.holds(self.plus.len(), self.minus.len())
    }

    fn ends_early(&self, rule: &VoteRule) -> bool {
        rule.ends_early(self.plus.len(), self.minus.len())
    }

    /// The votes in one line.
    fn counts(&self) -> String {
        let side = |ballot: Ballot, people: Vec<String>| match people.as_slice() {
            [] => format!("{ballot}: none"),
            people => format!("{ballot}: {}", people.join(", ")),
        };
        let names = |people: &[PersonName]| people.iter().map(ToString::to_string).collect::<Vec<_>>();
        let mut parts = vec![side(Ballot::For, names(&self.plus))];
        if !self.abstained.is_empty() {
            parts.push(side(Ballot::Abstain, names(&self.abstained)));
        }
        parts.push(side(Ballot::Against, self.minus.iter().map(|(person, _)| person.to_string()).collect()));
        if !self.silent.is_empty() {
            parts.push(format!("not voted: {}", names(&self.silent).join(", ")));
        }
        let others = [Ballot::For, Ballot::Abstain, Ballot::Against].into_iter().zip(self.others);
        let others: Vec<String> = others
            .filter(|(_, count)| *count > 0)
            .map(|(ballot, count)| format!("{count} × {ballot}"))
            .collect();
        if !others.is_empty() {
            parts.push(format!("not binding: {}", others.join(", ")));
        }
        parts.join("; ")
    }

    /// What is missing, and how the votes stand.
    fn why(&self, rule: &VoteRule) -> Vec<String> {
        let mut parts = Vec::new();
        for (person, note) in self.minus.iter().filter(|_| rule.veto) {
            let note = note.as_deref().map(|note| clipped(note, REMARK_SHOWN_MAX_CHARS));
            parts.push(format!("{person} stops it with a -1: {}", note.unwrap_or_default()));
        }
        let (plus, minus) = (self.plus.len(), self.minus.len());
        if plus < rule.quorum as usize {
            parts.push(format!("it takes {} × +1 of {}, and there are {plus}", rule.quorum, rule.by));
        }
        let lazily = rule.lazy && minus == 0;
        if !lazily && !rule.majority.holds(plus, minus) && (minus > 0 || rule.quorum == 0) {
            parts.push(format!("it takes {}", rule.majority));
        }
        if self.holds(rule) {
            let enough = if rule.lazy { "silence is a yes here" } else { "there are enough votes" };
            parts.push(enough.into());
        }
        parts.push(self.counts());
        let void = self
            .void
            .iter()
            .map(|(person, what)| format!("the vote of {person} does not count: {what} changed since"));
        parts.extend(void);
        parts
    }

    /// Whose vote can bring it further: who has not said +1.
    fn who(&self) -> Vec<PersonName> {
        let minus = self.minus.iter().map(|(person, _)| person);
        let who = minus.chain(&self.silent).chain(&self.abstained);
        who.cloned().collect()
    }
}

/// A vote of a gate: where it stands, and its rule.
type GateVote<'a> = (ApprovalTarget, &'a VoteRule);

/// The votes of an environment that apply and were not waived: by the rules in force, and by those at the start.
pub(crate) fn gate_votes<'a>(entering: Entering<'a>) -> Vec<GateVote<'a>> {
    let Entering { view, plan, environment, .. } = entering;
    let mut votes: Vec<GateVote<'a>> = Vec::new();
    for (name, gate) in of_run(view, plan, environment) {
        let GateKind::Vote(rule) = &gate.kind else { continue };
        let target = ApprovalTarget::Gate(environment.clone(), name.clone());
        let known = votes.iter().any(|(other, known)| *other == target && *known == rule);
        if !known && entering.waiver(name).is_none() && entering.applies(gate) == Some(true) {
            votes.push((target, rule));
        }
    }
    votes
}

/// The votes that a step waits for.
pub(crate) fn votes_of_step<'a>(entering: Entering<'a>, planned: &'a PlannedStep) -> Vec<GateVote<'a>> {
    match &planned.body {
        Body::Enter | Body::Deploy(_) if sealed(entering.view, entering.run) => gate_votes(entering),
        Body::Step(StepKind::Vote(rule)) => {
            vec![(ApprovalTarget::Step(entering.run.id, planned.id.clone()), rule)]
        }
        _ => Vec::new(),
    }
}

/// The next moment of each vote of a step.
pub(crate) fn vote_moments(entering: Entering<'_>, planned: &PlannedStep) -> Vec<Timestamp> {
    let votes = votes_of_step(entering, planned);
    votes.iter().filter_map(|(target, rule)| Voting { entering, rule, target }.ahead().next()).collect()
}

/// The votes of a step that came to their end and did not pass, each in words.
pub(crate) fn expired_votes(entering: Entering<'_>, planned: &PlannedStep) -> Vec<String> {
    let mut found = Vec::new();
    for (target, rule) in votes_of_step(entering, planned) {
        let voting = Voting { entering, rule, target: &target };
        if let Standing::Expired = voting.standing() {
            let name = match &target {
                ApprovalTarget::Gate(_, gate) => gate.to_string(),
                ApprovalTarget::Step(_, step) => step.to_string(),
            };
            found.push(format!("the vote `{name}` did not pass in time: {}", voting.tally().counts()));
        }
    }
    found
}

fn sealed(view: &View, run: &Run) -> bool {
    view.candidate(run).is_some_and(|candidate| candidate.sealed.is_some())
}

impl Deciding {
    pub(super) fn vote(
        &mut self,
        target: &ApprovalTarget,
        ballot: Ballot,
        note: Option<String>,
    ) -> Result<(), Refusal> {
        check_remark("the remark", note.as_deref().unwrap_or("-"))?;
        let person = self.person()?;
        self.known(&*self.policy()?)?;
        let (run, covers) = self.votable(target, &person, ballot, note.as_deref())?;
        self.by_actor(ReleaseEvent::Voted { run, target: target.clone(), ballot, covers, note });
        Ok(())
    }

    /// The run whose vote is open for somebody's ballot, and what it is about.
    fn votable(
        &self,
        target: &ApprovalTarget,
        person: &PersonName,
        ballot: Ballot,
        note: Option<&str>,
    ) -> Result<(RunId, crate::candidate::Fingerprint), Refusal> {
        let (run, plan, rules) = match target {
            ApprovalTarget::Gate(environment, gate) => self.gate_vote(environment, gate)?,
            ApprovalTarget::Step(run, step) => {
                let (state, plan) = self.run(*run)?;
                let Some(Body::Step(StepKind::Vote(rule))) = plan.step(step).map(|planned| &planned.body)
                else {
                    return Err(Refusal::new("no-vote", format!("`{step}` is not a vote")));
                };
                let open = state
                    .steps
                    .get(step)
                    .is_some_and(|state| matches!(state.status, StepStatus::Open { .. }));
                if !open {
                    return Err(Refusal::new("not-open", format!("the vote `{step}` is not open"))
                        .hint("see how it stands with `tollgate why`"));
                }
                (state, plan.clone(), vec![rule.clone()])
            }
        };
        let round = self.view.release.vote(&run.id, target).ok_or_else(|| {
            Refusal::new("not-open", "the vote is not open yet")
                .hint("it opens when the release gets there; `tollgate why` tells")
        })?;
        let open =
            |rule: &VoteRule| rule.closes.is_none_or(|closes| later(round.opened_at, closes) > self.now);
        if !rules.iter().any(open) {
            return Err(Refusal::new("closed", "the vote has closed")
                .hint("somebody can open another one with `tollgate retry`"));
        }
        let binds = |rule: &VoteRule| rule.veto && self.view.members(&plan, &rule.by).contains(person);
        if ballot == Ballot::Against && note.is_none() && rules.iter().any(binds) {
            return Err(Refusal::new("no-reason", "this -1 stops the release, so it needs a reason")
                .hint("give it with `-m REASON`"));
        }
        let candidate =
            self.view.candidate(run).ok_or_else(|| Refusal::new("no-candidate", "there is no candidate"))?;
        let covers = covered(candidate, &plan, target);
        let before = round.votes.iter().find(|vote| vote.by.person() == Some(person));
        if before.is_some_and(|vote| {
            vote.ballot == ballot && vote.note.as_deref() == note && vote.covers == covers
        }) {
            return Err(Refusal::new("given", format!("{person} has voted {ballot} already")));
        }
        if before.is_none() && round.votes.len() >= VOTERS_MAX {
            return Err(Refusal::new(
                "too-large",
                format!("{VOTERS_MAX} people have voted, and that is the most"),
            ));
        }
        Ok((run.id, covers))
    }

    /// The run that waits for the vote of a gate, and its rules.
    fn gate_vote(
        &self,
        environment: &EnvironmentName,
        gate: &GateName,
    ) -> Result<(&Run, std::sync::Arc<Plan>, Vec<VoteRule>), Refusal> {
        for (run, plan) in self.view.active() {
            let ahead = |step: &PlannedStep| {
                let state = run.steps.get(&step.id).map(|state| &state.status);
                matches!(step.body, Body::Enter | Body::Deploy(_))
                    && step.environment.as_ref() == Some(environment)
                    && !state.is_some_and(StepStatus::is_over)
                    && !self.view.holds(run, step)
            };
            let rules: Vec<VoteRule> = of_run(&self.view, plan, environment)
                .filter(|(name, _)| *name == gate)
                .filter_map(|(_, found)| match &found.kind {
                    GateKind::Vote(rule) => Some(rule.clone()),
                    _ => None,
                })
                .collect();
            if !rules.is_empty() && plan.steps.iter().any(ahead) {
                return Ok((run, plan.clone(), rules));
            }
        }
        let why = format!("no run on its way to `{environment}` has a vote `{gate}` there");
        Err(Refusal::new("no-gate", why).hint("see what it waits for with `tollgate why`"))
    }
}
