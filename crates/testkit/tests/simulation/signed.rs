//! Signatures: tags signed with one key or another, gates that ask whose they are, and keys that the rules do not know any more.

use tollgate_core::ids::GateName;
use tollgate_core::model::{FactGate, Gate, GateKind, GitVerify, Policy};
use tollgate_core::signatures::Signers;
use tollgate_testkit::world::Chance;

use crate::drive::Sim;
use crate::judge::Judging;

/// The keys that tags are signed with.
fn keys() -> [String; 2] {
    ["A".repeat(40), "B".repeat(40)]
}

/// A gate for tags that one of us signed.
pub(crate) fn gate() -> FactGate {
    let signers = Signers { file: "signers".into(), ssh: Vec::new(), keys: keys().into() };
    FactGate::Signed(Box::new(GitVerify { tag: true, commits: false, signers }))
}

/// Takes keys out of the gates of the rules, or puts them back.
pub(crate) fn revoke(policy: &mut Policy, chance: &mut Chance) {
    let of_environments = policy.environments.values_mut().flat_map(|environment| &mut environment.gates);
    for (name, gate) in policy.gates.iter_mut().chain(of_environments) {
        // Of what the first rules have, so that going back to them is of use.
        let lasts = !name.as_str().starts_with("new-") && gate.condition.is_none();
        if let (GateKind::Fact(FactGate::Signed(rule)), true) = (&mut gate.kind, lasts) {
            let [one, other] = keys();
            rule.signers.keys = match chance.below(4) {
                0 => vec![one],
                1 => vec![other],
                2 => vec!["C".repeat(40)],
                _ => vec![one, other],
            };
        }
    }
}

impl Sim {
    /// Tags are signed with another key from now on.
    pub(crate) fn another_key(&mut self) {
        let key = keys()[self.chance.below(2)].clone();
        self.world.state().git.signing_key = Some(key);
    }
}

impl Judging<'_> {
    /// Whether the tag of the candidate was signed with a key that counts: by the rules in force, where they still have the gate,
    /// and not by those of the start.
    pub(crate) fn genuine(&self, name: &GateName, gate: &Gate, rule: &GitVerify, in_force: &Policy) -> bool {
        let here = in_force.environments.get(self.name).and_then(|environment| environment.gates.get(name));
        let now = here.or_else(|| in_force.gates.get(name)).filter(|now| now.condition == gate.condition);
        let by_risk = gate.condition.as_ref().is_some_and(|condition| condition.source().starts_with("risk"));
        let counting = match now.map(|now| &now.kind) {
            Some(GateKind::Fact(FactGate::Signed(now))) if !by_risk => &now.signers,
            _ => &rule.signers,
        };
        let Some(tag) = self.release.candidate(self.run.candidate).and_then(|one| one.tag.as_ref()) else {
            return false;
        };
        self.oracle.signatures.get(&tag.object).is_some_and(|key| counting.keys.contains(key))
    }
}
