//! Whether an environment may be entered, told anew and in other words than the product's.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tollgate_core::act::Outcome;
use tollgate_core::calendar::{Only, Rule, Windows};
use tollgate_core::context::RunFacts;
use tollgate_core::event::{
    AnswerValue, ApprovalTarget, Asked, Ballot, StepResult, TickResult, WaiverTarget,
};
use tollgate_core::expr::eval_condition;
use tollgate_core::ids::{EnvironmentName, GateName, PersonName, ReleaseId, StepId};
use tollgate_core::journal::Hash;
use tollgate_core::model::{
    ApprovalRule, Bound, Checklist, Closing, FactGate, Gate, GateKind, LoadGate, Majority, Needs, Order,
    Pace, Policy, TimeBudget, VoteRule, Who,
};
use tollgate_core::plan::{Body, Plan};
use tollgate_core::state::{FreezeState, ReleaseState, Run, RunStatus, Says, StepStatus, Tick};

use crate::oracle::Oracle;
use crate::team::named;

/// Judges an entry by the rules, anew and in its own words.
pub(crate) struct Judging<'a> {
    pub(crate) oracle: &'a Oracle,
    pub(crate) release: &'a ReleaseState,
    pub(crate) id: ReleaseId,
    pub(crate) run: &'a Run,
    pub(crate) plan: &'a Arc<Plan>,
    pub(crate) name: &'a EnvironmentName,
    pub(crate) at: Timestamp,
}

impl Judging<'_> {
    /// What speaks against it, by these rules.
    pub(crate) fn enter(&self, policy: &Policy, in_force: &Policy) -> Option<String> {
        let environment = policy.environments.get(self.name)?;
        let sealed = self.release.candidate(self.run.candidate)?.sealed?;
        if let Some(from) = &environment.from
            && self.plan.rollback.is_none()
            && !self.waived("from")
            && self.oracle.environments.get(from).is_none_or(|state| state.verified(&sealed).is_none())
        {
            return Some(format!("{} was entered without verification in {from}", self.name));
        }
        if let Some(number) = self.frozen() {
            return Some(format!("{} was entered in freeze {number}", self.name));
        }
        let mut slots: Vec<BTreeSet<PersonName>> = Vec::new();
        for (name, gate) in policy.gates.iter().chain(&environment.gates) {
            if self.waived(name.as_str()) || !self.applies(gate, policy) {
                continue;
            }
            let fine = match &gate.kind {
                GateKind::Approval(rule) => {
                    let yes = self.approvals(name, rule, in_force);
                    let count = rule.count as usize;
                    let enough = yes.as_ref().is_some_and(|yes| yes.len() >= count);
                    slots.extend(std::iter::repeat_n(yes.unwrap_or_default(), count));
                    enough
                }
                GateKind::Ask { by, valid, .. } => {
                    let asked = Asked::Gate(self.name.clone(), name.clone(), self.run.candidate);
                    self.release.answered(&asked).any(|answer| {
                        answer.value == AnswerValue::YesNo(true)
                            && self.said_to_run(answer.runs)
                            && valid.is_none_or(|valid| self.at < answer.at + valid)
                            && answer.by.person().is_some_and(|person| {
                                by.as_ref().map_or(in_force.people.contains_key(person), |who| {
                                    self.is_one_of(in_force, who, person)
                                })
                            })
                    })
                }
                GateKind::Window { windows, closing, .. } => {
                    let began = self.began().filter(|_| *closing == Closing::Finish);
                    between_hours(windows, self.at) || began.is_some_and(|at| between_hours(windows, at))
                }
                GateKind::Soak { time, environment } => {
                    let place = environment.as_ref().or(policy.environments.get(self.name)?.from.as_ref());
                    place.is_none_or(|place| self.soaked(place, &sealed) >= *time)
                }
                GateKind::Pace(pace) => self.paced(pace),
                GateKind::Order(Order::OldestFirst) => self.is_oldest(),
                GateKind::LoadTest(gate) => self.measured(gate),
                GateKind::TimeBudget(budget) => self.has_time(budget, policy, in_force),
                GateKind::Checklist { list, .. } => self.checked(name, list),
                GateKind::Vote(rule) => self.voted(name, rule, in_force),
                GateKind::Fact(FactGate::Signed(rule)) => self.genuine(name, gate, rule, in_force),
                GateKind::Fact(gate) => self.fact(gate),
                GateKind::Require { that } => self.holds(that, policy),
            };
            if !fine {
                return Some(format!("{} was entered past `{name}`", self.name));
            }
        }
        (!different_people(&slots))
            .then(|| format!("{} was entered with one person in two places", self.name))
    }

    /// A freeze that holds it.
    fn frozen(&self) -> Option<u32> {
        let holds = |state: &&FreezeState| {
            let freeze = &state.freeze;
            let (back, again) = (self.plan.rollback.is_some(), self.plan.procedure.as_str() == "promotion");
            let lets = |what: &str| freeze.exemptions().iter().any(|one| one.to_string() == what);
            let here = match &freeze.scope().environments {
                Only::All => true,
                Only::These(names) => names.iter().any(|name| name == self.name),
            };
            let exempt = (back || again) && lets("by-hand") || back && lets("rollback");
            here && !exempt && self.at >= freeze.start() && self.at < freeze.end()
        };
        self.oracle.policy.freezes.iter().find(holds).map(|state| state.number)
    }

    /// When the run passed the gates of the environment, the last time that it did.
    fn began(&self) -> Option<Timestamp> {
        let enters = |id: &&StepId| {
            let planned = self.plan.step(id);
            planned.is_some_and(|step| {
                matches!(step.body, Body::Enter) && step.environment.as_ref() == Some(self.name)
            })
        };
        let steps = self
            .run
            .steps
            .iter()
            .filter(|(id, step)| enters(id) && matches!(step.status, StepStatus::Done { .. }));
        steps.map(|(_, step)| step.since).max()
    }

    /// The longest time that an environment ran exactly this, verified, until now.
    fn soaked(&self, place: &EnvironmentName, sealed: &Hash) -> SignedDuration {
        let stretches = self.oracle.stretches.get(place).map(Vec::as_slice).unwrap_or_default();
        let own = stretches.iter().filter(|stretch| stretch.what == *sealed);
        let longest = own.map(|stretch| stretch.until.unwrap_or(self.at).duration_since(stretch.from)).max();
        longest.unwrap_or(SignedDuration::from_secs(-1))
    }

    /// Whether few enough other releases began to go there lately.
    /// Whether from the entry on nothing closes that closes the environment, as far as it was known.
    fn has_time(&self, budget: &TimeBudget, policy: &Policy, in_force: &Policy) -> bool {
        let Needs::Stated(needs) = &budget.needs else { return false };
        let end = self.began().unwrap_or(self.at) + *needs;
        let gates = [policy, in_force].into_iter().flat_map(|policy| {
            let own = policy.environments.get(self.name).map(|environment| &environment.gates);
            policy.gates.iter().chain(own.into_iter().flatten())
        });
        let waived = |name: &GateName| {
            let target = WaiverTarget::Gate(self.name.clone(), name.clone());
            self.release.waivers.iter().any(|waiver| waiver.target == target)
        };
        let windows: Vec<&Windows> = gates
            .filter(|(name, gate)| !waived(name) && gate.condition.is_none())
            .filter_map(|(_, gate)| match &gate.kind {
                GateKind::Window { windows, .. } => Some(windows),
                _ => None,
            })
            .collect();
        let minutes = (0..).map(|minute| self.at + SignedDuration::from_mins(minute));
        let mut minutes = minutes.take_while(|at| *at < end);
        minutes.all(|at| windows.iter().all(|windows| between_hours(windows, at)))
    }

    /// Whether exactly this candidate was measured, and is as fast as it has to be.
    fn measured(&self, gate: &LoadGate) -> bool {
        let runs = self.release.runs.iter().filter(|run| run.candidate == self.run.candidate);
        let mut steps = runs.flat_map(|run| &run.steps);
        steps.any(|(id, step)| {
            let is_it = id.as_str().rsplit('/').next() == Some(gate.step.as_str());
            let StepStatus::Done { result: StepResult::Measured { accepted, .. }, .. } = &step.status else {
                return false;
            };
            let Some(measured) = step.measured.as_ref().filter(|_| is_it) else { return false };
            gate.rule.measures.iter().all(|(name, measure)| {
                let now = measured.numbers[name].get();
                let then = measured.against.as_ref().and_then(|against| against.numbers.get(name));
                measure.bounds.iter().all(|bound| {
                    let (Bound::AtMost(asked) | Bound::AtLeast(asked)) = bound.bound;
                    // What cannot be compared was accepted.
                    let Some(then) = then.filter(|_| bound.percent) else {
                        let limit = asked.get();
                        return match bound.bound {
                            _ if bound.percent => !accepted.is_empty(),
                            Bound::AtMost(_) => now <= limit,
                            Bound::AtLeast(_) => now >= limit,
                        };
                    };
                    // The numbers of the world are whole and above zero.
                    match bound.bound {
                        Bound::AtMost(_) => now * 100.0 <= then.get() * asked.get() + 1e-6,
                        Bound::AtLeast(_) => now * 100.0 >= then.get() * asked.get() - 1e-6,
                    }
                })
            })
        })
    }

    /// Whether no release of a lower version has still to come here.
    fn is_oldest(&self) -> bool {
        let numbers = |state: &ReleaseState| -> Vec<u64> {
            let version = state.opened.as_ref().map(|opened| opened.version.clone()).unwrap_or_default();
            version.split('.').map(|number| number.parse().unwrap()).collect()
        };
        let comes = |state: &ReleaseState, run: &Run| {
            let Some(plan) = self.oracle.plan(run).filter(|plan| plan.rollback.is_none()) else {
                return false;
            };
            let ended = matches!(run.status, RunStatus::Finished { .. });
            let own = plan.steps.iter().filter(|step| step.environment.as_ref() == Some(self.name));
            let mut left = own.filter(|step| {
                let deploys = matches!(step.body, Body::Enter | Body::Deploy(_) | Body::Live(_));
                deploys && !run.steps.get(&step.id).is_some_and(|state| state.status.is_over())
            });
            !ended && numbers(state) < numbers(self.release) && left.next().is_some()
        };
        let mut others =
            self.oracle.releases.values().flat_map(|state| state.runs.iter().map(move |run| (state, run)));
        self.plan.rollback.is_some() || !others.any(|(state, run)| comes(state, run))
    }

    fn paced(&self, pace: &Pace) -> bool {
        let starts = self.oracle.starts.get(self.name).map(Vec::as_slice).unwrap_or_default();
        let lately = starts.iter().filter(|(_, bump, at)| {
            *at + pace.within > self.at
                && (pace.only.is_empty() || pace.only.iter().any(|one| one.to_string() == *bump))
        });
        let others: BTreeSet<&ReleaseId> =
            lately.map(|(release, _, _)| release).filter(|release| **release != self.id).collect();
        others.len() < pace.at_most as usize
    }

    /// Whether somebody is of a group, is the person, or fills the role.
    fn is_one_of(&self, in_force: &Policy, who: &Who, person: &PersonName) -> bool {
        match who {
            Who::Role(role) => self
                .release
                .roles
                .get(role)
                .is_some_and(|held| held.person == *person && in_force.includes(&held.of, person)),
            who => in_force.includes(who, person),
        }
    }

    /// Whether every item is answered, and none failed.
    fn checked(&self, gate: &GateName, list: &Checklist) -> bool {
        let target = ApprovalTarget::Gate(self.name.clone(), gate.clone());
        let Some(candidate) = self.release.candidate(self.run.candidate) else { return false };
        let fingerprint = candidate.fingerprint();
        list.groups.iter().flat_map(|group| &group.items).all(|item| {
            let of_item =
                |tick: &&Tick| tick.run == self.run.id && tick.target == target && tick.item == item.id;
            let newest = self.release.ticks.iter().rev().find(of_item);
            newest.is_some_and(|tick| {
                let waiver = WaiverTarget::Item(target.clone(), item.id.clone());
                let waived = self.release.waivers.iter().any(|one| {
                    one.target == waiver
                        && self.said_to_run(one.runs)
                        && one.until.is_none_or(|until| self.at < until)
                });
                tick.covers == fingerprint
                    && match tick.result {
                        TickResult::Passed => true,
                        TickResult::NotRun { .. } => item.optional || waived,
                        TickResult::Failed { .. } => false,
                    }
            })
        })
    }

    /// Whether a vote is over and passed.
    fn voted(&self, gate: &GateName, rule: &VoteRule, in_force: &Policy) -> bool {
        let target = ApprovalTarget::Gate(self.name.clone(), gate.clone());
        let mut rounds = self.release.votes.iter().filter(|round| round.target == target);
        let Some(round) = rounds.rfind(|round| round.run == self.run.id) else { return false };
        let Some(candidate) = self.release.candidate(self.run.candidate) else { return false };
        let fingerprint = candidate.fingerprint();
        let binding = |ballot: Ballot| {
            let votes = round.votes.iter().filter(|vote| {
                vote.ballot == ballot
                    && vote.covers == fingerprint
                    && vote.by.person().is_some_and(|person| in_force.includes(&rule.by, person))
            });
            votes.count() as u32
        };
        let (plus, minus) = (binding(Ballot::For), binding(Ballot::Against));
        let more = match rule.majority {
            Majority::Simple => plus > minus,
            Majority::TwoThirds => plus > 0 && 2 * minus <= plus,
            Majority::Unanimous => plus > 0 && minus == 0,
        };
        let silence = rule.lazy && minus == 0;
        let over = rule.at_least.is_none_or(|period| round.opened_at + period <= self.at.max(round.reached));
        let soon = rule.early.is_some_and(|enough| plus >= enough && minus == 0);
        (over || soon) && plus >= rule.quorum && (more || silence) && !(rule.veto && minus > 0)
    }

    /// Whether the run was there when something was said.
    fn said_to_run(&self, runs: u32) -> bool {
        self.release
            .runs
            .iter()
            .position(|run| run.id == self.run.id)
            .is_some_and(|place| place < runs as usize)
    }

    pub(crate) fn waived(&self, gate: &str) -> bool {
        let target = WaiverTarget::Gate(self.name.clone(), named(gate));
        self.release.waivers.iter().any(|waiver| {
            waiver.target == target
                && waiver.candidate == self.run.candidate
                && self.said_to_run(waiver.runs)
                && waiver.until.is_none_or(|until| self.at < until)
        })
    }

    fn holds(&self, expr: &tollgate_core::expr::Expr, policy: &Policy) -> bool {
        if let Some(holds) = self.risky(expr, policy) {
            return holds == Some(true);
        }
        let view = self.oracle.view(self.id);
        let facts = RunFacts { view: &view, run: self.run, plan: self.plan, policy: &self.plan.policy };
        eval_condition(expr, &facts) == Ok(true)
    }

    fn applies(&self, gate: &Gate, policy: &Policy) -> bool {
        let risky = gate.condition.as_ref().and_then(|condition| self.risky(condition, policy));
        if let Some(applies) = risky {
            return applies != Some(false);
        }
        let view = self.oracle.view(self.id);
        let facts = RunFacts { view: &view, run: self.run, plan: self.plan, policy: &self.plan.policy };
        gate.condition.as_ref().is_none_or(|condition| eval_condition(condition, &facts) != Ok(false))
    }

    /// Whose yes counts; `None` when somebody said no.
    fn approvals(
        &self,
        gate: &GateName,
        rule: &ApprovalRule,
        in_force: &Policy,
    ) -> Option<BTreeSet<PersonName>> {
        let target = ApprovalTarget::Gate(self.name.clone(), gate.clone());
        let fingerprint = self.release.candidate(self.run.candidate)?.fingerprint();
        let mut yes = BTreeSet::new();
        for opinion in self.release.opinions.iter().filter(|opinion| {
            opinion.target == target && opinion.candidate == self.run.candidate && opinion.revoked.is_none()
        }) {
            let Some(person) = opinion.by.person().filter(|person| in_force.includes(&rule.by, person))
            else {
                continue;
            };
            let own = self.run.started_by.person() == Some(person)
                || self.plan.authors.contains(person)
                || self.picked_from(person, in_force);
            if own && !rule.allow_self {
                continue;
            }
            match &opinion.says {
                Says::No { .. } => return None,
                Says::Yes { covers, .. } => {
                    let fresh = rule.valid.is_none_or(|valid| self.at < opinion.at + valid);
                    if fresh && *covers == fingerprint {
                        yes.insert(person.clone());
                    }
                }
            }
        }
        Some(yes)
    }
}

/// Whether a moment is between the hours of a window such as `daily 06:00-18:00 UTC`.
fn between_hours(windows: &Windows, at: Timestamp) -> bool {
    let hours = |rule: &Rule| {
        let text = rule.to_string();
        let hours: Vec<i64> = text.split(['-', ' ', ':']).filter_map(|word| word.parse().ok()).collect();
        let [from, _, to, _] = hours[..] else { panic!("not a window of hours: {text}") };
        from..to
    };
    let hour = at.as_second().rem_euclid(86_400) / 3_600;
    windows.allow().iter().all(|rule| hours(rule).contains(&hour))
}

impl Judging<'_> {
    /// Whether the run took a commit of this person over.
    fn picked_from(&self, person: &PersonName, in_force: &Policy) -> bool {
        let mut results = self.run.steps.values().filter_map(|step| match &step.status {
            StepStatus::Done { result: StepResult::Act(Outcome::Picked { authors, .. }), .. } => {
                Some(authors)
            }
            _ => None,
        });
        results
            .any(|authors| authors.iter().any(|email| in_force.authors(email).any(|author| author == person)))
    }
}

/// Whether every place can be filled with somebody of its own.
fn different_people(slots: &[BTreeSet<PersonName>]) -> bool {
    fn fill<'a>(slots: &'a [BTreeSet<PersonName>], taken: &mut BTreeSet<&'a PersonName>) -> bool {
        let Some((first, rest)) = slots.split_first() else { return true };
        first.iter().any(|person| {
            let new = taken.insert(person);
            let filled = new && fill(rest, taken);
            if new && !filled {
                taken.remove(person);
            }
            filled
        })
    }
    fill(slots, &mut BTreeSet::new())
}
