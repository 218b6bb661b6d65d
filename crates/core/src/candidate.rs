//! Candidates: the exact content of a release, facet by facet.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{CandidateNumber, ComponentName, NameError, ObjectId};
use crate::journal::Hash;
use crate::model::FacetName;

/// One side of a candidate's content.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Facet {
    /// The commit.
    Source,
    /// The tag.
    Tag,
    /// The digest of a component's artifact.
    Digest(ComponentName),
    /// The release notes.
    Notes,
    /// The schema changes.
    Schema,
    /// The procedure.
    Procedure,
}

impl Facet {
    /// The name that rules use for it.
    pub fn name(&self) -> FacetName {
        match self {
            Self::Source => FacetName::Source,
            Self::Tag => FacetName::Tag,
            Self::Digest(_) => FacetName::Digest,
            Self::Notes => FacetName::Notes,
            Self::Schema => FacetName::Schema,
            Self::Procedure => FacetName::Procedure,
        }
    }
}

impl fmt::Display for Facet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source => f.write_str("source"),
            Self::Tag => f.write_str("tag"),
            Self::Digest(component) => write!(f, "digest/{component}"),
            Self::Notes => f.write_str("notes"),
            Self::Schema => f.write_str("schema"),
            Self::Procedure => f.write_str("procedure"),
        }
    }
}

/// A text that names no facet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FacetError {
    /// There is no such facet.
    #[error("there is no facet of that name")]
    Unknown,
    /// The component's name is none.
    #[error(transparent)]
    Component(#[from] NameError),
}

impl FromStr for Facet {
    type Err = FacetError;
    fn from_str(text: &str) -> Result<Self, FacetError> {
        Ok(match text {
            "source" => Self::Source,
            "tag" => Self::Tag,
            "notes" => Self::Notes,
            "schema" => Self::Schema,
            "procedure" => Self::Procedure,
            _ => {
                let component = text.strip_prefix("digest/").ok_or(FacetError::Unknown)?;
                Self::Digest(component.parse()?)
            }
        })
    }
}
impl TryFrom<String> for Facet {
    type Error = FacetError;
    fn try_from(text: String) -> Result<Self, FacetError> {
        text.parse()
    }
}
impl From<Facet> for String {
    fn from(facet: Facet) -> String {
        facet.to_string()
    }
}

/// The content of one facet: what is compared, and what people are shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FacetValue {
    /// What is compared.
    pub hash: Hash,
    /// What people are shown: a commit, a tag's name, a digest.
    pub shown: String,
}

impl FacetValue {
    /// A value that is shown as itself.
    pub fn of(text: impl Into<String>) -> Self {
        let shown = text.into();
        Self { hash: Hash::of(&shown), shown }
    }
}

/// What a candidate is, facet by facet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(pub BTreeMap<Facet, Hash>);

impl Fingerprint {
    /// The hash that stands for all of it.
    pub fn hash(&self) -> Hash {
        let parts: Vec<(String, &Hash)> =
            self.0.iter().map(|(facet, hash)| (facet.to_string(), hash)).collect();
        Hash::of_parts(parts.iter().flat_map(|(facet, hash)| [facet.as_bytes(), hash.0.as_slice()]))
    }

    /// The facets that are not the same in both, in order.
    pub fn differing(&self, other: &Self) -> Vec<Facet> {
        let facets: BTreeSet<&Facet> = self.0.keys().chain(other.0.keys()).collect();
        facets.into_iter().filter(|facet| self.0.get(facet) != other.0.get(facet)).cloned().collect()
    }
}

/// A tag that was made for a candidate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct MadeTag {
    /// Its name.
    pub name: String,
    /// The tag object.
    pub object: ObjectId,
    /// Whether the remote has it, as far as that is known.
    #[serde(default)]
    pub pushed: Pushed,
}

impl MadeTag {
    /// Whether it was pushed, or may have been: then its name is never used again.
    pub fn may_be_out(&self) -> bool {
        self.pushed != Pushed::Never
    }
}

/// What is known of the push of a tag.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pushed {
    /// No push of it ever began, or the remote refused each one: nobody but Tollgate's clone has it.
    #[default]
    Never,
    /// The first push of it is under way, or nobody was told what came of it.
    Begun,
    /// A push of it broke off, or was taken up by somebody else: the remote may have it, or get it yet.
    InDoubt,
    /// The remote has it.
    Done,
}

/// Exact content for a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Candidate {
    /// Which of the release's candidates.
    pub number: CandidateNumber,
    /// Since when.
    pub opened_at: Timestamp,
    /// Its version: that of the release, unless an earlier candidate used it up.
    pub version: String,
    /// The name of the tag that it has, or will have.
    pub tag_name: String,
    /// Why there is another one, where it is not the first.
    #[serde(default)]
    pub why: Option<String>,
    /// The commit it was cut from.
    pub base: ObjectId,
    /// The newest commit made for it; the base before any.
    pub commit: ObjectId,
    /// Edited files that are in no commit yet: the tree that holds them.
    pub tree: Option<ObjectId>,
    /// The branch its commits go to, where it has one of its own.
    pub branch: Option<String>,
    /// Whether commits were brought in that its base does not have.
    #[serde(default)]
    pub enriched: bool,
    /// The mail addresses of those who wrote commits that were picked by a step of the run.
    #[serde(default)]
    pub picked_from: BTreeSet<String>,
    /// Its tag, once made.
    pub tag: Option<MadeTag>,
    /// Its release notes, once written.
    pub notes: Option<String>,
    /// The digests of the images that were published for it.
    #[serde(default)]
    pub digests: BTreeMap<ComponentName, String>,
    /// The facets that have to be set before it is sealed.
    pub declared: BTreeSet<Facet>,
    /// The facets that are set.
    pub facets: BTreeMap<Facet, FacetValue>,
    /// The hash of its fingerprint, once sealed.
    pub sealed: Option<Hash>,
}

impl Candidate {
    /// What it is now, facet by facet.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint(self.facets.iter().map(|(facet, value)| (facet.clone(), value.hash)).collect())
    }

    /// The part of the fingerprint that some facets make up.
    pub fn covered(&self, facets: &[FacetName]) -> Fingerprint {
        let all = self.fingerprint().0;
        Fingerprint(all.into_iter().filter(|(facet, _)| facets.contains(&facet.name())).collect())
    }

    /// What its files are now: the edited tree, or the commit.
    pub fn content(&self) -> &ObjectId {
        self.tree.as_ref().unwrap_or(&self.commit)
    }

    /// The declared facets that are not set yet.
    pub fn unset(&self) -> Vec<Facet> {
        self.declared.iter().filter(|facet| !self.facets.contains_key(facet)).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_changes_with_every_facet() {
        let mut one = Fingerprint::default();
        one.0.insert(Facet::Source, Hash::of("a"));
        let mut two = one.clone();
        two.0.insert(Facet::Digest(ComponentName::new("web").unwrap()), Hash::of("d1"));
        assert_ne!(one.hash(), two.hash());
        assert_eq!(one.differing(&two), [Facet::Digest(ComponentName::new("web").unwrap())]);
        let mut three = two.clone();
        three.0.insert(Facet::Digest(ComponentName::new("web").unwrap()), Hash::of("d2"));
        assert_ne!(three.hash(), two.hash());
        assert_eq!("digest/web".parse::<Facet>().map(|f| f.to_string()), Ok("digest/web".into()));
        assert!("digest/".parse::<Facet>().is_err());
    }
}
