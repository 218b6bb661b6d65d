//! A registry of crates, and the files that were packed for it. What is packed is never twice the same.

use std::collections::BTreeMap;
use std::path::Path;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tollgate_core::act::FailureClass;
use tollgate_core::journal::Hash;
use tollgate_core::publish::{Artifact, Digest};
use tollgate_engine::ports::{
    Answer, Artifacts, ChildExit, ChildRequest, Depot, Lookup, PortError, Registries, RegistryAnswer,
};

use super::{SimWorld, State, error, lost_answer};

/// What becomes of an upload.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Upload {
    /// It comes through.
    #[default]
    Fine,
    /// It comes through, and the tool does not hear of it.
    AnswerLost,
    /// The registry is busy.
    Busy,
    /// It is refused.
    Refused,
}

/// The registry of packages, and what is on the way to it.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    /// What it lists, by crate and version, each from the moment at which it shows.
    pub listed: BTreeMap<(String, String), (Timestamp, Digest)>,
    /// How long it takes until an upload shows.
    pub lag: SignedDuration,
    /// What becomes of the next uploads; the last of them goes for all that follow.
    pub uploads: Vec<Upload>,
    /// How often it answers that there are too many requests, each time with this pause.
    pub too_many: (u32, SignedDuration),
    /// How often something was packed.
    pub packed: u32,
    /// Every upload that was begun, with the content.
    pub begun: Vec<Digest>,
    /// What the files hold that are packed; if not given, something else each time.
    pub content: Option<String>,
    /// What the commands that pack write as the SBOM.
    pub sbom: String,
    /// The files that were laid out, by folder: their names and content.
    pub laid_out: BTreeMap<String, BTreeMap<String, String>>,
    kept: BTreeMap<Hash, BTreeMap<String, String>>,
    fresh: BTreeMap<String, BTreeMap<String, String>>,
}

impl Registry {
    /// How many packed files are kept.
    pub fn kept(&self) -> usize {
        self.kept.values().map(BTreeMap::len).sum()
    }
}

/// A file of some content.
fn artifact(content: &str) -> Artifact {
    let hash = Hash::of(content);
    let sha512 = format!("sha512:{hash}{hash}").parse().unwrap_or_else(|_| Digest::sha256(&hash));
    Artifact { sha256: Digest::sha256(&hash), sha512, bytes: content.len() as u64 }
}

fn artifacts(files: &BTreeMap<String, String>) -> Artifacts {
    files.iter().map(|(name, content)| (name.clone(), artifact(content))).collect()
}

impl State {
    /// Somebody else publishes a crate.
    pub fn publish_elsewhere(&mut self, package: &str, version: &str) {
        let digest = artifact("somebody else's").sha256;
        let now = self.now;
        self.registry.listed.insert((package.into(), version.into()), (now, digest));
    }

    /// What packing and uploading do, and how that ends.
    pub(super) fn publishing(&mut self, request: &ChildRequest, exit: &mut ChildExit) {
        let variable = |name: &str| request.variables.get(name).cloned().unwrap_or_default();
        let (package, version) = (variable("TOLLGATE_PACKAGE"), variable("TOLLGATE_VERSION"));
        let name = match package.is_empty() {
            true => format!("files-{version}.tar.gz"),
            false => format!("{package}-{version}.crate"),
        };
        if request.command.contains("write sbom") {
            let file = variable("TOLLGATE_SBOM").rsplit('/').next().unwrap_or_default().to_owned();
            let sbom = self.registry.sbom.clone();
            self.registry.fresh.entry(variable("TOLLGATE_OUT")).or_default().insert(file, sbom);
            return;
        }
        if !request.command.contains("cargo publish") {
            self.registry.packed += 1;
            let anew = || format!("{name} packed for the {}. time", self.registry.packed);
            let content = self.registry.content.clone().unwrap_or_else(anew);
            // Some tools write above the source.
            let out = variable("TOLLGATE_OUT");
            let above = out.strip_suffix("/out").unwrap_or_default().to_owned();
            let half = format!("above-{}.deb", self.registry.packed);
            self.registry.fresh.entry(above).or_default().insert(half, content.clone());
            self.registry.fresh.entry(out).or_default().insert(name, content);
            return;
        }
        let files = self.registry.laid_out.get(&variable("TOLLGATE_FILES"));
        let Some(file) = files.and_then(|files| files.get(&name)).map(|content| artifact(content)) else {
            self.violation(format!("`{name}` is uploaded, and was not laid out"));
            return;
        };
        self.registry.begun.push(file.sha256.clone());
        let fate = match self.registry.uploads.len() {
            0 => Upload::Fine,
            1 => self.registry.uploads[0],
            _ => self.registry.uploads.remove(0),
        };
        let shows = self.now.checked_add(self.registry.lag).unwrap_or(self.now);
        let key = (package, version);
        // A registry never takes a version twice.
        let taken = self.registry.listed.contains_key(&key);
        if matches!(fate, Upload::Fine | Upload::AnswerLost) && !taken {
            self.registry.listed.insert(key, (shows, file.sha256));
        }
        let says = match fate {
            Upload::Fine if !taken => return,
            Upload::AnswerLost => "error: the connection was cut",
            Upload::Busy => "error: status 503 Service Unavailable",
            Upload::Fine => "error: crate version is already uploaded",
            Upload::Refused => "error: it is refused",
        };
        exit.status = Some(101);
        exit.output = says.into();
        exit.stdout = Vec::new();
    }
}

/// Answers as a sparse index does.
#[derive(Debug, Clone)]
pub struct SimRegistries(pub SimWorld);

#[async_trait]
impl Registries for SimRegistries {
    async fn ask(&self, lookup: &Lookup) -> Result<RegistryAnswer, PortError> {
        let what = "look at a registry";
        let lost = self.0.outside(what).await?;
        if lost {
            return Err(lost_answer(what));
        }
        let mut state = self.0.state();
        state.settle_children();
        if state.registry.too_many.0 > 0 {
            state.registry.too_many.0 -= 1;
            let after = Some(state.registry.too_many.1);
            return Ok(RegistryAnswer::Later { why: "too many requests".into(), after });
        }
        let now = state.now;
        let package = lookup.url.rsplit('/').next().unwrap_or_default().to_owned();
        let shown =
            state.registry.listed.iter().filter(|((name, _), (from, _))| *name == package && *from <= now);
        let line = |((_, version), (_, digest)): (&(String, String), &(Timestamp, Digest))| {
            let digest = digest.to_string();
            let checksum = digest.trim_start_matches("sha256:").to_owned();
            format!("{{\"vers\":\"{version}\",\"cksum\":\"{checksum}\"}}\n")
        };
        let body: String = shown.map(line).collect();
        Ok(match body.is_empty() {
            true => RegistryAnswer::Absent,
            false => RegistryAnswer::There(Answer { body: body.into(), digest: None }),
        })
    }
}

/// Keeps files that were packed.
#[derive(Debug, Clone)]
pub struct SimDepot(pub SimWorld);

#[async_trait]
impl Depot for SimDepot {
    async fn kept(&self, key: &Hash) -> Result<Option<Artifacts>, PortError> {
        Ok(self.0.state().registry.kept.get(key).map(artifacts))
    }

    async fn keep(&self, key: &Hash, folder: &Path, patterns: &[String]) -> Result<Artifacts, PortError> {
        let mut state = self.0.state();
        if let Some(kept) = state.registry.kept.get(key) {
            return Ok(artifacts(kept));
        }
        let out = folder.join("out").display().to_string();
        let mut made = state.registry.fresh.get(&out).cloned().unwrap_or_default();
        if patterns.iter().any(|pattern| !pattern.contains('/')) {
            let above = folder.display().to_string();
            let above = state.registry.fresh.get(above.trim_end_matches('/')).cloned();
            made.extend(above.unwrap_or_default());
        }
        state.registry.kept.insert(*key, made.clone());
        Ok(artifacts(&made))
    }

    async fn lay_out(&self, key: &Hash, names: &[String], folder: &Path) -> Result<(), PortError> {
        let mut state = self.0.state();
        let mut files = state.registry.kept.get(key).cloned().unwrap_or_default();
        files.retain(|name, _| names.contains(name));
        state.registry.laid_out.insert(folder.display().to_string(), files);
        Ok(())
    }

    async fn read(&self, key: &Hash, name: &str, _: u64) -> Result<Vec<u8>, PortError> {
        let content = self.0.state().registry.kept.get(key).and_then(|files| files.get(name)).cloned();
        let damaged = || error(FailureClass::Permanent, "read what was packed", "there is no such file");
        content.map(String::into_bytes).ok_or_else(damaged)
    }

    async fn write(&self, folder: &Path, texts: &BTreeMap<String, String>) -> Result<(), PortError> {
        let mut state = self.0.state();
        let files = state.registry.laid_out.entry(folder.display().to_string()).or_default();
        files.extend(texts.clone());
        Ok(())
    }

    async fn clear(&self, folder: &Path) -> Result<(), PortError> {
        // What a command left there is gone.
        let mut state = self.0.state();
        state.registry.fresh.retain(|path, _| !Path::new(path).starts_with(folder));
        state.registry.laid_out.retain(|path, _| !Path::new(path).starts_with(folder));
        Ok(())
    }

    async fn keys(&self) -> Result<Vec<Hash>, PortError> {
        Ok(self.0.state().registry.kept.keys().copied().collect())
    }

    async fn forget(&self, key: &Hash) -> Result<(), PortError> {
        self.0.state().registry.kept.remove(key);
        Ok(())
    }
}
