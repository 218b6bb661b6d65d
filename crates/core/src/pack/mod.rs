//! Packing: the files of a release, packed once and kept while it goes on, and what is told of them.
//!
//! The files and the SBOM are made by commands. The checksums and the statement of provenance follow from what the journal
//! knows and from nothing else: whoever has the journal makes the same bytes again.

mod pointer;
mod provenance;
mod sbom;
mod sums;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::candidate::Candidate;
use crate::ids::{ComponentName, EffectId, ObjectId, RunId, ServiceName, StepId};
use crate::journal::Hash;
use crate::model::{PackSpec, StepKind, Target};
use crate::plan::{Body, Plan, PlannedStep};
use crate::publish::{Artifacts, Digest};
use crate::state::{Run, StepState};

pub use pointer::{POINTER_MAX_BYTES, is_lfs_pointer};
pub use provenance::{BUILD_TYPE, source_uri};
pub use sbom::SBOM_MAX_BYTES;
pub use sums::checksums;
use sums::subjects;

/// The most files of one step, those that were published before included: an event tells them all.
pub const FILES_MAX: usize = 100;

/// The most that a command gets told of files, as it stands in an event: what an act can be, with room for the rest of it.
const TOLD_MAX_BYTES: usize = 54 * 1024;

/// The variable that says where the SBOM is written to.
pub const SBOM_VARIABLE: &str = "TOLLGATE_SBOM";

/// Files to be packed, complete: whoever packs them has nothing left to decide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Pack {
    /// What is packed, and what is told of it.
    pub spec: PackSpec,
    /// The run: its files are packed once, and say so.
    pub run: RunId,
    /// The service.
    pub service: ServiceName,
    /// The version.
    pub version: String,
    /// The commit it is made of.
    pub content: ObjectId,
    /// The tag of that commit, where it is made already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// What earlier steps published, by the names of files; an image by its whole name.
    pub published: Artifacts,
    /// The variables that commands get.
    pub variables: BTreeMap<String, String>,
    /// How long each command may take.
    pub timeout: SignedDuration,
    /// The moment that tools are given as the time of what they build.
    pub built_at: Timestamp,
}

/// Files that were packed, and what is known of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Packed {
    /// What they are kept under; none where nothing was packed here.
    pub key: Option<Hash>,
    /// The commit they are made of.
    pub content: ObjectId,
    /// The tag that the commit had by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// The files, the SBOM among them.
    pub files: Artifacts,
    /// What earlier steps published, as far as it is told of here.
    #[serde(default, skip_serializing_if = "Artifacts::is_empty")]
    pub published: Artifacts,
    /// The SHA-256 of the list of all of it, in the form of checksums: it stands for every file and every image.
    pub digest: Digest,
    /// How many parts the SBOM lists, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parts: Option<u32>,
    /// The component whose files they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<ComponentName>,
}

/// Files that are laid out for a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Laid {
    /// What the packed ones are kept under.
    pub key: Option<Hash>,
    /// Their names.
    pub files: Vec<String>,
    /// Those that are written from what is known: by name, the whole text.
    pub texts: BTreeMap<String, String>,
}

/// The two commands of a step: the one that builds, and the one that writes the SBOM.
pub fn commands_of(effect: EffectId) -> [EffectId; 2] {
    ["build", "sbom"].map(|part| {
        let hash = Hash::of_parts([effect.0.as_bytes().as_slice(), part.as_bytes()]);
        EffectId(crate::view::named_uuid(&hash))
    })
}

impl Pack {
    /// What its files are kept under: within a run, the same is packed once.
    pub fn key(&self) -> Hash {
        let spec = serde_json::to_vec(&self.spec).unwrap_or_default();
        let parts = [b"pack", spec.as_slice(), self.version.as_bytes(), self.content.0.as_bytes()];
        Hash::of_parts(parts.into_iter().chain([self.run.0.as_bytes().as_slice()]))
    }

    /// Whether there is something to keep.
    pub fn keeps(&self) -> bool {
        !self.spec.files.is_empty() || self.spec.sbom.is_some()
    }

    /// The variables of its commands, beside the folders.
    pub fn command_variables(&self) -> BTreeMap<String, String> {
        let mut variables = self.variables.clone();
        variables.insert("SOURCE_DATE_EPOCH".into(), self.built_at.as_second().to_string());
        variables
    }

    /// The name of the SBOM, where there is one.
    pub fn sbom_file(&self) -> Option<String> {
        let sbom = self.spec.sbom.as_ref()?;
        Some(format!("{}.{}", stem(&self.service, &self.version), sbom.format.suffix()))
    }

    /// Which files are kept, as patterns below the folder that `source` and `out` are in.
    pub fn patterns(&self) -> Vec<String> {
        let of_team = self.spec.files.iter().map(|pattern| crate::publish::below_source(pattern));
        of_team.chain(self.sbom_file().map(|name| format!("out/{name}"))).collect()
    }

    /// Whether what was found is what is to be packed. `Err` says what is wrong.
    ///
    /// # Errors
    ///
    /// When there is nothing but the SBOM, too much, or a name that stands for something else already.
    pub fn fits(&self, files: &Artifacts) -> Result<(), String> {
        let sbom = self.sbom_file();
        let own = files.len() - sbom.iter().filter(|name| files.contains_key(*name)).count();
        if own == 0 && !self.spec.files.is_empty() {
            return Err(format!("no file fits {}", crate::plan::list(&self.spec.files)));
        }
        if sbom.as_ref().is_some_and(|name| !files.contains_key(name)) {
            return Err(format!(
                "the command left no SBOM: it is written to the file `${SBOM_VARIABLE}` names"
            ));
        }
        let all = files.len() + self.published.len();
        if all > FILES_MAX {
            return Err(format!("{all} files were packed or published; {FILES_MAX} is the most"));
        }
        let made = made_names(&self.spec, &self.service, &self.version);
        if let Some(name) = files.keys().find(|name| made.contains(name)) {
            return Err(format!("`{name}` was packed, and is to be made of what was packed"));
        }
        let other =
            |(name, file): &(&String, _)| self.published.get(*name).is_some_and(|there| there != *file);
        if let Some((name, _)) = files.iter().find(other) {
            return Err(format!("`{name}` was packed here, and another file of that name was published"));
        }
        let told = self.told_bytes(files);
        if told > TOLD_MAX_BYTES {
            let (told, most) = (told.div_ceil(1024), TOLD_MAX_BYTES / 1024);
            return Err(format!(
                "the names and checksums of {} come to {told} KiB, and a command can get {most} KiB: pack fewer files, or give them shorter names",
                crate::plan::list(files.keys().chain(self.published.keys()).take(3)),
            ));
        }
        Ok(())
    }

    /// How much a command would get told of these files, without what stands around it.
    fn told_bytes(&self, files: &Artifacts) -> usize {
        let packed = self.packed(files.clone(), None);
        let sums = self.spec.checksums.iter();
        let mut texts: Vec<String> =
            sums.map(|algorithm| checksums(*algorithm, files, &self.published)).collect();
        texts.extend(self.spec.provenance.iter().map(|_| provenance::subjects_text(&packed)));
        let names: Vec<&String> = files.keys().collect();
        serde_json::to_string(&(names, texts)).map_or(usize::MAX, |text| text.len())
    }

    /// What came of it, with the number of parts that the SBOM lists.
    pub fn packed(&self, files: Artifacts, parts: Option<u32>) -> Packed {
        let all = subjects(&files, &self.published);
        Packed {
            key: self.keeps().then(|| self.key()),
            content: self.content.clone(),
            tag: self.tag.clone(),
            files,
            published: self.published.clone(),
            digest: Digest::sha256(&Hash::of(all)),
            parts,
            component: self.spec.component.clone(),
        }
    }
}

/// What the names of files of a release start with. What could be more than a name in a path is left out.
fn stem(service: &ServiceName, version: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._-+~".contains(c) { c } else { '-' };
    format!("{service}-{}", version.chars().map(plain).collect::<String>())
}

/// The name of the statement of provenance.
fn provenance_file(service: &ServiceName, version: &str) -> String {
    format!("{}.provenance.json", stem(service, version))
}

/// The names of the files that a step of a plan makes from what is known. Where it only tells of images, which are no files and were
/// built elsewhere, these would tell of nothing, and none is made.
pub fn planned_names(plan: &Plan, spec: &PackSpec) -> Vec<String> {
    let is_image = |id: &StepId| {
        let body = plan.step(id).map(|step| &step.body);
        matches!(body, Some(Body::Step(StepKind::Publish(of))) if matches!(of.target, Target::Oci(_)))
    };
    match spec.files.is_empty() && spec.sbom.is_none() && spec.published.iter().all(is_image) {
        true => Vec::new(),
        false => made_names(spec, &plan.definition.service, &plan.version.text),
    }
}

/// The names of all files that can follow from what is known. Those that would tell of nothing are not made.
pub fn made_names(spec: &PackSpec, service: &ServiceName, version: &str) -> Vec<String> {
    let sums = spec.checksums.iter().map(|algorithm| algorithm.file().to_owned());
    sums.chain(spec.provenance.iter().map(|_| provenance_file(service, version))).collect()
}

/// A step that packed something, with all around it: what its texts are made of.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// The plan of its run.
    pub plan: &'a Plan,
    /// Its run.
    pub run: &'a Run,
    /// What was packed of.
    pub candidate: &'a Candidate,
    /// The step.
    pub step: &'a PlannedStep,
    /// How it stands: done.
    pub state: &'a StepState,
    /// What came of it.
    pub packed: &'a Packed,
    /// What it was to pack.
    pub spec: &'a PackSpec,
}

impl Told<'_> {
    /// The files that follow from what is known, by name: the same bytes whenever they are asked for.
    pub fn texts(&self) -> BTreeMap<String, String> {
        let Packed { files, published, .. } = self.packed;
        let sums = self.spec.checksums.iter();
        let mut texts: BTreeMap<String, String> = sums
            .map(|algorithm| (algorithm.file().to_owned(), checksums(*algorithm, files, published)))
            .filter(|(_, text)| !text.is_empty())
            .collect();
        let told = self.spec.provenance.as_ref();
        if let Some(text) = told.and_then(|of| provenance::statement(self, of)) {
            let name = provenance_file(&self.plan.definition.service, &self.candidate.version);
            texts.insert(name, text);
        }
        texts
    }

    /// All of it, for a command.
    pub fn laid(&self) -> Laid {
        let files = self.packed.files.keys().cloned().collect();
        Laid { key: self.packed.key, files, texts: self.texts() }
    }
}
