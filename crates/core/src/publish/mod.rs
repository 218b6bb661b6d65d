//! Publishing a version in a registry: what was packed, what is there, and what the one means for the other.
//!
//! A version of a package is published once and never taken back. So the files are packed first and kept with their
//! digests; then the registry is looked at; only where the version is not there the tool of the registry is run; and it
//! is not done before the registry lists exactly the files that were packed.

pub(crate) mod debian;
mod image;
mod read;
mod registry;
mod tools;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::ids::{EffectId, ObjectId};
use crate::journal::Hash;
use crate::model::Target;

pub use image::{Image, ImageError};
pub use read::Answer;
pub use registry::{Credentials, Lookup, Scheme};
pub(crate) use tools::below_source;
pub use tools::{FILES_VARIABLE, Packing, SHARED_VARIABLES, Uploading};

/// The most files of one publication: an event tells them all.
pub const FILES_MAX: usize = 100;

/// One publication, complete: whoever carries it out has nothing left to decide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Publish {
    /// What, and where.
    pub target: Target<String>,
    /// The version.
    pub version: String,
    /// The commit or tree it is made of.
    pub content: ObjectId,
    /// The variables that commands get.
    pub variables: BTreeMap<String, String>,
    /// The name of the secret that the registry wants.
    pub token: Option<String>,
    /// How long packing and uploading may take, each.
    pub timeout: SignedDuration,
    /// The moment that tools are given as the time of what they build.
    pub built_at: Timestamp,
}

impl Publish {
    /// What stands for this publication, whatever run or try it belongs to: the same content is packed once.
    pub fn key(&self) -> Hash {
        let target = serde_json::to_vec(&self.target).unwrap_or_default();
        Hash::of_parts([target.as_slice(), self.version.as_bytes(), self.content.0.as_bytes()])
    }
}

/// The two commands of a publication: the one that packs, and the one that uploads.
pub fn commands_of(effect: EffectId) -> [EffectId; 2] {
    ["pack", "upload"].map(|part| {
        let hash = Hash::of_parts([effect.0.as_bytes().as_slice(), part.as_bytes()]);
        EffectId(crate::view::named_uuid(&hash))
    })
}

/// A digest as registries tell it: the algorithm and hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(String);

/// A text that is no digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a digest is `sha256:` with 64, or `sha512:` with 128 hexadecimal digits")]
pub struct DigestError;

impl Digest {
    /// Of SHA-256.
    pub fn sha256(hash: &Hash) -> Self {
        Self(format!("sha256:{hash}"))
    }

    /// Its digits, without the algorithm.
    pub fn digits(&self) -> &str {
        self.0.split_once(':').map_or(self.0.as_str(), |(_, digits)| digits)
    }

    /// Its first digits, for people.
    pub fn short(&self) -> &str {
        self.0.get(..19).unwrap_or(&self.0)
    }
}

impl FromStr for Digest {
    type Err = DigestError;
    fn from_str(text: &str) -> Result<Self, DigestError> {
        let text = text.to_ascii_lowercase();
        let (algorithm, digits) = text.split_once(':').ok_or(DigestError)?;
        let right = matches!((algorithm, digits.len()), ("sha256", 64) | ("sha512", 128));
        if right && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(Self(text));
        }
        Err(DigestError)
    }
}
impl TryFrom<String> for Digest {
    type Error = DigestError;
    fn try_from(text: String) -> Result<Self, DigestError> {
        text.parse()
    }
}
impl From<Digest> for String {
    fn from(digest: Digest) -> String {
        digest.0
    }
}
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A file that was packed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Artifact {
    /// Its SHA-256.
    pub sha256: Digest,
    /// Its SHA-512.
    pub sha512: Digest,
    /// Its size, in bytes.
    pub bytes: u64,
}

impl Artifact {
    /// Whether a digest is one of this file.
    pub fn is(&self, digest: &Digest) -> bool {
        *digest == self.sha256 || *digest == self.sha512
    }
}

/// Files that were packed, by name.
pub type Artifacts = BTreeMap<String, Artifact>;

/// The files of one version that a registry lists; one whose digest it does not tell has none.
pub type Listed = BTreeMap<String, Option<Digest>>;

/// How a version stands in a registry, seen from what was packed here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Nothing of it is there.
    Absent,
    /// These files are missing; the others are there as they were packed.
    Partly(Vec<String>),
    /// It is there, exactly as it was packed.
    There,
    /// Something else is there under this version.
    Other(String),
}

/// Compares what a registry lists for a version with what was packed here. Files beside ours are let be, as long as one of
/// ours is there: wheels for other systems may come from elsewhere. A version with files and none of ours is somebody else's.
pub fn standing(ours: &Artifacts, listed: &Listed) -> Standing {
    let mut missing = Vec::new();
    for (name, artifact) in ours {
        match listed.get(name) {
            None => missing.push(name.clone()),
            Some(Some(digest)) if artifact.is(digest) => {}
            Some(Some(digest)) => {
                let why = format!(
                    "`{name}` is there as {}, and was packed here as {}",
                    digest.short(),
                    artifact.sha256.short()
                );
                return Standing::Other(why);
            }
            Some(None) => {
                return Standing::Other(format!(
                    "`{name}` is there, and the registry does not tell its digest"
                ));
            }
        }
    }
    if missing.is_empty() {
        return Standing::There;
    }
    if missing.len() < ours.len() {
        return Standing::Partly(missing);
    }
    match listed.keys().next() {
        None => Standing::Absent,
        Some(other) => Standing::Other(format!("`{other}` is there, which was not made here")),
    }
}

/// The files of a publication among those that were kept: tools may need others beside them.
pub fn published(target: &Target<String>, kept: &Artifacts) -> Artifacts {
    let suffixes: &[&str] = match target {
        Target::Crates(_) => &[".crate"],
        Target::Pypi(_) => &[".whl", ".tar.gz", ".zip"],
        Target::Npm(_) => &[".tgz"],
        Target::Debian(_) => &[".deb"],
        Target::Oci(_) => &[tools::MANIFEST],
    };
    let ends = |name: &str| suffixes.iter().any(|suffix| name.ends_with(suffix));
    kept.iter().filter(|(name, _)| ends(name)).map(|(name, file)| (name.clone(), file.clone())).collect()
}

/// Whether what was packed is what is to be published: its names say the package and the version. `Err` says what is wrong.
pub fn fits(publish: &Publish, ours: &Artifacts) -> Result<(), String> {
    let version = &publish.version;
    let names: Vec<&str> = ours.keys().map(String::as_str).collect();
    if names.is_empty() {
        return Err("nothing was packed that could be published".into());
    }
    if names.len() > FILES_MAX {
        return Err(format!("{} files were packed; {FILES_MAX} is the most", names.len()));
    }
    let only = |expected: String| match names.as_slice() {
        [one] if **one == expected => Ok(()),
        _ => Err(format!("{} was packed, not `{expected}`", crate::plan::list(&names))),
    };
    match &publish.target {
        Target::Crates(crates) => only(format!("{}-{version}.crate", crates.package)),
        Target::Npm(npm) => {
            let plain = npm.package.trim_start_matches('@').replace('/', "-");
            only(format!("{plain}-{version}.tgz"))
        }
        Target::Pypi(pypi) => {
            let odd = names.iter().find(|name| !read::is_distribution(name, &pypi.package, version));
            odd.map_or(Ok(()), |odd| {
                Err(format!("`{odd}` was built, which is not {} {version}", pypi.package))
            })
        }
        Target::Debian(target) => {
            let of_version = |found: &str| debian::is_of_release(found, version, &target.codename);
            let odd = names
                .iter()
                .find(|name| read::debian_name(name).is_none_or(|(_, found, _)| !of_version(found)));
            if let Some(odd) = odd {
                return Err(format!("`{odd}` was built, which is not of version {version}"));
            }
            let is_there =
                |name: &&str| read::debian_name(name).is_some_and(|(name, _, _)| name == target.package);
            match names.iter().any(is_there) {
                true => Ok(()),
                false => Err(format!(
                    "{} was built, and no package `{}`",
                    crate::plan::list(&names),
                    target.package
                )),
            }
        }
        Target::Oci(_) => Ok(()),
    }
}

impl Target<String> {
    /// What it is called, for people: `app` or `registry.example.org/app`.
    pub fn name(&self) -> String {
        match self {
            Self::Crates(crates) => crates.package.clone(),
            Self::Pypi(pypi) => pypi.package.clone(),
            Self::Npm(npm) => npm.package.clone(),
            Self::Debian(debian) => debian.package.clone(),
            Self::Oci(oci) => oci.to.clone(),
        }
    }

    /// The registry, for people.
    pub fn registry(&self) -> String {
        let host = |url: &str| {
            let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
            rest.split('/').next().unwrap_or(rest).to_owned()
        };
        match self {
            Self::Crates(crates) => match &crates.registry {
                None => "crates.io".into(),
                Some(_) => host(&crates.index),
            },
            Self::Pypi(pypi) => host(&pypi.index),
            Self::Npm(npm) => host(&npm.registry),
            Self::Debian(debian) => {
                let place = debian.url.as_deref().map_or_else(|| debian.repository.clone(), host);
                format!("{place} ({})", debian.codename)
            }
            Self::Oci(oci) => oci.to.split('/').next().unwrap_or_default().to_owned(),
        }
    }

    /// What it is, in one word.
    pub fn what(&self) -> &'static str {
        match self {
            Self::Crates(_) => "crate",
            Self::Pypi(_) => "Python package",
            Self::Npm(_) => "npm package",
            Self::Debian(_) => "Debian package",
            Self::Oci(_) => "image",
        }
    }
}
