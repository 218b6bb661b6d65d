//! What a step has to do with respins: another candidate of the same release.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::FacetName;

/// Whether a step is done again when its release gets another candidate.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Again {
    /// How often it is done.
    #[serde(default)]
    pub per: Per,
    /// What may be another one in the next candidate without its being done again; nothing if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keeps: Vec<Keeps>,
}

impl Again {
    /// Whether nothing is said: it is done for each candidate.
    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

/// How often a step is done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Per {
    /// Once for each candidate.
    #[default]
    Candidate,
    /// Once for the release, however many candidates it has.
    Release,
}

/// Something that can be another one without what was found before being worth less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keeps {
    /// A facet.
    Facet(FacetName),
    /// The files that hold the version, and the changelog.
    VersionFiles,
}

impl fmt::Display for Keeps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Facet(FacetName::Source) => "source",
            Self::Facet(FacetName::Tag) => "tag",
            Self::Facet(FacetName::Digest) => "digest",
            Self::Facet(FacetName::Notes) => "notes",
            Self::Facet(FacetName::Schema) => "schema",
            Self::Facet(FacetName::Procedure) => "procedure",
            Self::VersionFiles => "version.files",
        })
    }
}
