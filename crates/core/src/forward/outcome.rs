//! What acts plausibly give, where nothing is carried out.

use std::collections::BTreeMap;

use super::scenario::Commit;
use crate::act::{Act, MergedBranch, Outcome};
use crate::decide::against;
use crate::ids::ObjectId;
use crate::journal::Hash;
use crate::load::{own_id, suiting};
use crate::plan::{Plan, PlannedStep};
use crate::publish::{Artifact, Digest};
use crate::view::View;

/// What stands for an output that nobody knows.
pub(super) const OUTPUT: &str = "assumed";

/// What an act that goes well gives. The same act gives the same.
pub fn plausible(plan: &Plan, act: &Act) -> Outcome {
    match act {
        Act::CheckCopy { .. } => Outcome::Fit,
        Act::EditVersion { base, files, version, .. } => Outcome::Edited {
            tree: object(&format!("{base} {version}")),
            files: files.iter().map(|file| file.path.clone()).collect(),
            notes: None,
        },
        Act::EditChangelog { base, spec, version, .. } => Outcome::Edited {
            tree: object(&format!("{base} notes {version}")),
            files: vec![spec.file.clone()],
            notes: Some(plan.changes.iter().map(|change| format!("- {}\n", change.title)).collect()),
        },
        Act::Commit { tree, parent, .. } => {
            Outcome::Committed { commit: object(&format!("{tree} {parent}")) }
        }
        Act::Tag { name, target, .. } => {
            Outcome::Tagged { object: object(&format!("{name} {target}")), signed: false, found: false }
        }
        Act::MergeInto { branch, commit, .. } => {
            let merged = object(&format!("{branch} {commit}"));
            Outcome::MergedInto { branch: short(branch), commit: merged, found: false }
        }
        Act::MergeFrom { onto, commit, .. } => {
            Outcome::Merged { commit: object(&format!("{onto} {commit}")), found: false }
        }
        Act::CherryPick { onto, commits, .. } => Outcome::Picked {
            commit: object(&format!("{onto} {commits:?}")),
            picked: commits.clone(),
            contained: Vec::new(),
            authors: Vec::new(),
        },
        Act::Verify { .. } => Outcome::Verified { by: Vec::new(), count: 1 },
        Act::PrepareMerge(merge) => Outcome::MergePrepared {
            branch: short(&merge.branch),
            of: merge.commit.clone(),
            commit: object(&format!("{} {}", merge.branch, merge.commit)),
            onto: object(&merge.branch),
            found: false,
        },
        Act::Push { merges, .. } => {
            let merged = merges.iter().map(|merge| MergedBranch {
                branch: short(&merge.branch),
                commit: object(&format!("{} {}", merge.branch, merge.commit)),
                found: false,
            });
            Outcome::Pushed { found: Vec::new(), merged: merged.collect() }
        }
        Act::Run(command) => Outcome::Ran {
            outputs: command.outputs.keys().map(|name| (name.clone(), OUTPUT.to_owned())).collect(),
            tail: String::new(),
            output: None,
            took_ms: 0,
        },
        Act::Pack(pack) => {
            let files = BTreeMap::from([("assumed".into(), artifact(&pack.version))]);
            Outcome::Packed(Box::new(pack.packed(files, pack.spec.sbom.as_ref().map(|_| 1))))
        }
        Act::Publish(publish) => Outcome::Published {
            registry: publish.target.registry(),
            name: publish.target.name(),
            version: publish.version.clone(),
            files: BTreeMap::from([("assumed".into(), artifact(&publish.version))]),
            component: publish.target.component().cloned(),
            found: false,
        },
        Act::Mail { .. } => Outcome::Sent { found: false },
    }
}

/// A branch without what stands before every branch.
fn short(branch: &str) -> String {
    branch.trim_start_matches("refs/heads/").to_owned()
}

/// The same where it is known which step wants it: a load test that goes well gives numbers that are good.
pub(super) fn played(view: &View, plan: &Plan, step: &PlannedStep, act: &Act) -> Outcome {
    let mut outcome = plausible(plan, act);
    if let (Some(test), Outcome::Ran { outputs, .. }) = (step.load_test(), &mut outcome) {
        let of = view.active().find(|(_, other)| std::ptr::eq(&***other, plan)).map(|(run, _)| run.candidate);
        let against = against(view, of, test.rule.baseline.as_ref(), &own_id(&step.id));
        let then = against.map(|against| against.numbers).unwrap_or_default();
        *outputs = suiting(&test.rule, &then);
    }
    outcome
}

/// An object of git that nobody made, told from a text.
pub fn object(text: &str) -> ObjectId {
    ObjectId(Hash::of(text).to_string().chars().take(40).collect())
}

/// The id of a commit of a scenario, by how many came before it.
pub fn commit_id(number: usize, commit: &Commit) -> ObjectId {
    object(&format!("commit {number} {}", commit.message))
}

/// What stands for the newest commit where there is none.
pub fn no_commit() -> ObjectId {
    object("nothing")
}

fn artifact(content: &str) -> Artifact {
    let hash = Hash::of(content);
    let sha512 = format!("sha512:{hash}{hash}").parse().unwrap_or_else(|_| Digest::sha256(&hash));
    Artifact { sha256: Digest::sha256(&hash), sha512, bytes: content.len() as u64 }
}
