//! What people of a scenario do beside the procedure: promotions by hand, rollbacks, exemptions from freezes.

use tollgate_core::calendar::Exemption;
use tollgate_core::forward::scenario::Does;
use tollgate_core::ids::GateName;
use tollgate_core::plan::{Items, unfold_promotion, unfold_rollback};

use super::{Reading, items};
use crate::diagnostic::Code;
use crate::tree::{Entry, Node};

/// Whether a gate is what is exempt from a freeze is approved by.
pub(super) fn is_of_a_freeze(gate: &GateName) -> bool {
    let number = gate.as_str().strip_prefix("freeze-");
    number.is_some_and(|number| number.parse::<u32>().is_ok_and(|number| number > 0))
}

impl Reading<'_> {
    /// What is said of the risk, promoted, or rolled back.
    pub(super) fn by_hand(&mut self, value: &Node, kind: &Entry, why: String) -> Option<Does> {
        Some(match kind.key.as_str() {
            "risk" => {
                let levels = self.names.policy.risk.iter().flat_map(|risk| &risk.levels);
                let levels = levels.map(ToString::to_string).collect();
                Does::Risk(self.named(value, "level of risk", levels)?.parse().ok()?, why)
            }
            "promote" => Does::Promote(self.environment(value)?),
            _ => Does::RollBack(self.environment(value)?, why),
        })
    }

    /// To which environment others may go again.
    pub(super) fn reopened(&mut self, environments: &Node) -> Option<Does> {
        match environments.items() {
            [one] => Some(Does::Reopen(self.environment(one)?)),
            _ => {
                self.report
                    .error(
                        Code::BadValue,
                        environments.span,
                        "others are let go again to one environment at a time",
                    )
                    .hint("make an entry for each of them");
                None
            }
        }
    }

    /// What a freeze lets pass.
    pub(super) fn exempt(&mut self, freeze: &Node) -> Option<Vec<Exemption>> {
        let nodes = items(freeze, "exempt");
        let exempt: Vec<Exemption> = nodes.iter().filter_map(|node| self.parsed(node)).collect();
        (exempt.len() == nodes.len()).then_some(exempt)
    }

    /// Where something is rolled back, or somebody promotes by hand, the steps of that can be spoken of.
    pub(super) fn know_rollbacks(&mut self, root: &Node) {
        let people = items(root, "people");
        let any = people.iter().any(|node| node.get("rollback").is_some());
        let by_hand: Vec<&str> =
            people.iter().filter_map(|node| node.get("promote").and_then(Node::text)).collect();
        if (!any && by_hand.is_empty()) || self.names.steps.is_empty() {
            return;
        }
        let policy = self.names.policy;
        let components = self.names.definition.components.keys().cloned().collect();
        let items = Items { changes: &[], changes_total: 0, components };
        let mut ids = Vec::new();
        for name in policy.environments.keys() {
            let back = any.then(|| unfold_rollback(name, policy, &items).ok()).flatten();
            let promoted = by_hand.contains(&name.as_str());
            let there = promoted.then(|| unfold_promotion(name, policy, &items).ok()).flatten();
            ids.extend(back.into_iter().chain(there).flatten().map(|step| step.id));
        }
        for id in ids {
            if !self.names.steps.contains(&id) {
                self.names.steps.push(id);
            }
        }
    }
}
