//! Setting the facets of a candidate, and sealing it.

use std::collections::BTreeMap;

use super::Deciding;
use crate::candidate::{Candidate, Facet, FacetValue};
use crate::event::ReleaseEvent;
use crate::ids::RunId;
use crate::journal::Hash;
use crate::model::{FactWait, MergeWay, StepKind};
use crate::plan::{Body, Plan, PlannedStep};

impl Deciding {
    /// Sets the facets that no step of the run will change any more, and seals the candidate when that was the last one.
    pub(super) fn set_facets(&mut self, id: RunId, plan: &Plan) {
        let Some(run) = self.view.release.run(&id) else { return };
        let Some(candidate) = self.view.candidate(run) else { return };
        if candidate.sealed.is_some() {
            return;
        }
        let over = |step: &PlannedStep| run.steps.get(&step.id).is_some_and(|state| state.status.is_over());
        let mut facets = BTreeMap::new();
        for facet in candidate.unset() {
            let mut makers = plan.steps.iter().filter(|step| makes(&step.body, &facet));
            if makers.all(over)
                && let Some(value) = value(candidate, &facet)
            {
                facets.insert(facet, value);
            }
        }
        let number = candidate.number;
        if !facets.is_empty() {
            self.by_rule(ReleaseEvent::FacetsSet { candidate: number, facets });
        }
        let Some(candidate) = self.view.release.candidate(number) else { return };
        if candidate.unset().is_empty() {
            let fingerprint = candidate.fingerprint().hash();
            self.by_rule(ReleaseEvent::CandidateSealed { candidate: number, fingerprint });
        }
    }
}

/// Whether a step can change a facet.
fn makes(body: &Body, facet: &Facet) -> bool {
    let Body::Step(kind) = body else { return false };
    match facet {
        Facet::Source => changes_source(kind),
        Facet::Tag => matches!(kind, StepKind::GitTag { .. }),
        Facet::Notes => matches!(kind, StepKind::Changelog),
        Facet::Digest(component) => match kind {
            StepKind::Publish(spec) => spec.target.component() == Some(component),
            StepKind::Pack(spec) => spec.component.as_ref() == Some(component),
            StepKind::Wait(FactWait::Artifact { component: of, .. }) => of == component,
            _ => false,
        },
        Facet::Schema | Facet::Procedure => false,
    }
}

/// Whether a step makes another candidate of what is measured: other content, or a digest that was not known.
pub fn makes_content(body: &Body) -> bool {
    let Body::Step(kind) = body else { return false };
    match kind {
        StepKind::Publish(spec) => spec.target.component().is_some(),
        StepKind::Pack(spec) => spec.component.is_some(),
        StepKind::Wait(FactWait::Artifact { .. }) => true,
        kind => changes_source(kind),
    }
}

/// Whether a step makes other content of the candidate.
pub(super) fn changes_source(kind: &StepKind) -> bool {
    match kind {
        StepKind::VersionBump
        | StepKind::Changelog
        | StepKind::GitCommit { .. }
        | StepKind::GitCherryPick(_) => true,
        StepKind::GitMerge(merge) => matches!(merge.way, MergeWay::From(_)),
        _ => false,
    }
}

/// What a facet of a candidate is, once nothing changes it any more.
fn value(candidate: &Candidate, facet: &Facet) -> Option<FacetValue> {
    match facet {
        Facet::Source => Some(FacetValue::of(candidate.content().0.clone())),
        Facet::Tag => Some(match &candidate.tag {
            Some(tag) => {
                let hash = Hash::of_parts([tag.name.as_bytes(), tag.object.0.as_bytes()]);
                FacetValue { hash, shown: tag.name.clone() }
            }
            None => FacetValue::of("no tag"),
        }),
        Facet::Notes => Some(match &candidate.notes {
            Some(notes) => {
                let hash = Hash::of(notes);
                FacetValue { hash, shown: format!("{} lines ({})", notes.lines().count(), hash.short()) }
            }
            None => FacetValue::of("no notes"),
        }),
        Facet::Digest(component) => Some(match candidate.digests.get(component) {
            Some(digest) => FacetValue::of(digest.clone()),
            None => FacetValue::of("no image"),
        }),
        Facet::Schema | Facet::Procedure => None,
    }
}
