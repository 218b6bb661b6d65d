//! What a `pack` step keeps of a release, and what is told of it.

use serde::{Deserialize, Serialize};

use crate::ids::{ComponentName, StepId};

/// Files that are packed once, and what is made of their digests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PackSpec {
    /// The command that makes the files; without it, they stand in the commit.
    pub build: Option<String>,
    /// Which files, as patterns; `../` is the folder above the source.
    pub files: Vec<String>,
    /// The `publish` steps whose files are told of as well.
    pub published: Vec<StepId>,
    /// The files with checksums, one for each of these.
    pub checksums: Vec<Algorithm>,
    /// How the list of what it is made of comes about.
    pub sbom: Option<SbomSpec>,
    /// What stands in the statement of how it was built.
    pub provenance: Option<ProvenanceSpec>,
    /// The component whose files they are: their digest becomes a part of the candidate.
    pub component: Option<ComponentName>,
}

/// How checksums are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

impl Algorithm {
    /// The file that holds the checksums.
    pub fn file(self) -> &'static str {
        match self {
            Self::Sha256 => "SHA256SUMS",
            Self::Sha512 => "SHA512SUMS",
        }
    }
}

/// A list of what a release is made of, by a tool of the team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SbomSpec {
    /// The command that writes it, in the folder in which the files were built.
    pub command: String,
    /// Its format.
    pub format: SbomFormat,
    /// What it has to say that it describes; without it, the service.
    pub name: Option<String>,
}

/// The formats of such lists, both as JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SbomFormat {
    /// SPDX 2.
    Spdx,
    /// CycloneDX.
    Cyclonedx,
}

impl SbomFormat {
    /// What its files end with.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Spdx => "spdx.json",
            Self::Cyclonedx => "cdx.json",
        }
    }

    /// What people call it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Spdx => "SPDX",
            Self::Cyclonedx => "CycloneDX",
        }
    }
}

/// A statement of how a release was built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ProvenanceSpec {
    /// The address that stands for the machine and those who look after it: only the team can say what that is.
    pub builder: String,
}
