//! Branches that deploy: only the promotion into their environment moves them.

use std::collections::BTreeSet;

use super::acts::{Beginning, permanent};
use crate::act::{Act, Failure};
use crate::context::Context;
use crate::ids::EnvironmentName;
use crate::model::{Deploy, Policy};
use crate::plan::list;

impl Beginning<'_> {
    /// Whether this step may move the branch: moving one that an environment is deployed from is a deployment, and its gates
    /// stand before the promotion and before nothing else.
    pub(super) fn may_move(&self, branch: &str) -> Result<(), Failure> {
        let in_force = self.view.policy.as_deref();
        let deployed: BTreeSet<&EnvironmentName> = [Some(&self.plan.policy), in_force]
            .into_iter()
            .flatten()
            .flat_map(|policy| self.deployed_from(policy, branch))
            .filter(|name| self.step.environment.as_ref() != Some(*name) || !self.deploys())
            .collect();
        let Some(first) = deployed.first() else { return Ok(()) };
        let names = list(&deployed);
        Err(permanent(
            format!(
                "the branch `{branch}` is what {names} is deployed from, so moving it would pass the gates of {names}"
            ),
            Some(&format!("let a step `promote: {first}` move it, or use another branch")),
        ))
    }

    /// The same of an act that was wanted a while ago: of every branch that it would move, by the rules of this moment.
    pub(super) fn may_carry_out(&self, act: &Act) -> Result<(), Failure> {
        let refs: Vec<&str> = match act {
            Act::Push { refs, merges } => {
                let merged = merges.iter().map(|merge| merge.branch.as_str());
                refs.iter().map(|(name, _)| name.as_str()).chain(merged).collect()
            }
            Act::MergeInto { branch, .. } => vec![branch.as_str()],
            _ => Vec::new(),
        };
        let mut branches = refs.into_iter().filter_map(|name| name.strip_prefix("refs/heads/"));
        branches.try_for_each(|branch| self.may_move(branch))
    }

    fn deployed_from<'p>(
        &'p self,
        policy: &'p Policy,
        branch: &'p str,
    ) -> impl Iterator<Item = &'p EnvironmentName> {
        policy.environments.iter().filter_map(move |(name, environment)| {
            let Deploy::Merge { branch: own, .. } = &environment.deploy else { return None };
            let context = Context::within(self.view, self.run, self.plan, name);
            (context.fill(own).ok()? == branch).then_some(name)
        })
    }

    fn deploys(&self) -> bool {
        matches!(self.step.body, crate::plan::Body::Deploy(_))
    }
}
