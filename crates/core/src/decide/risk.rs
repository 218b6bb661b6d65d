//! What people say about the risk of a release.

use super::Deciding;
use super::approvals::picked_from;
use super::people::check_remark;
use crate::event::ReleaseEvent;
use crate::ids::RiskLevel;
use crate::model::Policy;
use crate::plan::{Plan, list};
use crate::risk::of_candidate;
use crate::state::Run;
use crate::view::Refusal;

impl Deciding {
    /// Somebody says that the release is more risky than the rules say, or less: the one is for nearly anybody, the other for
    /// whom the policy names, and it counts for the candidate under way alone.
    pub(super) fn say_risk(&mut self, level: &RiskLevel, why: &str) -> Result<(), Refusal> {
        check_remark("the reason", why)?;
        let policy = self.policy()?;
        let Some((run, plan)) = self.view.active().last() else {
            return Err(Refusal::new("no-run", "no run of this release is under way"));
        };
        let (run, plan) = (run.clone(), plan.clone());
        let risk = of_candidate(&self.view.release, run.candidate, &plan, &policy);
        let (Some(risk), Some(rules)) = (risk, &policy.risk) else {
            return Err(Refusal::new("no-risk", "the policy in force does not speak of risk")
                .hint("describe the levels under `risk` in the procedure file and adopt it"));
        };
        if !rules.levels.contains(level) {
            return Err(Refusal::new("no-level", format!("there is no level `{level}`"))
                .hint(format!("the levels: {}", list(&rules.levels))));
        }
        match rules.rank(level).cmp(&rules.rank(&risk.level)) {
            std::cmp::Ordering::Equal => {
                return Err(Refusal::new("given", format!("the risk is {} already", risk.level)));
            }
            std::cmp::Ordering::Greater => self.allowed(&plan, rules.raise.as_ref(), "raise the risk")?,
            std::cmp::Ordering::Less => self.may_lower(&policy, &run, &plan)?,
        }
        let (candidate, from) = (run.candidate, risk.level);
        self.by_actor(ReleaseEvent::RiskSaid { candidate, level: level.clone(), from, why: why.to_owned() });
        Ok(())
    }

    fn may_lower(&self, policy: &Policy, run: &Run, plan: &Plan) -> Result<(), Refusal> {
        let Some(lower) = policy.risk.as_ref().and_then(|rules| rules.lower.as_ref()) else {
            return Err(Refusal::new("not-allowed", "the policy lets nobody say that the risk is lower")
                .hint("say who may with `risk: { lower: { by: GROUP } }` and adopt it"));
        };
        self.allowed(plan, Some(&lower.by), "lower the risk")?;
        let person = self.person()?;
        let own = match () {
            () if lower.allow_self => None,
            () if run.started_by.person() == Some(&person) => Some("started the run"),
            () if plan.authors.contains(&person) => Some("wrote a commit of it"),
            () if picked_from(&self.view, run, plan, &person) => {
                Some("wrote a commit that was picked for it")
            }
            () => None,
        };
        match own {
            Some(own) => {
                Err(Refusal::new("own-release", format!("{person} {own}, and may not lower its risk")).hint(
                    "somebody else of the group can; `allow-self: true` under `risk: lower:` would let them",
                ))
            }
            None => Ok(()),
        }
    }
}
