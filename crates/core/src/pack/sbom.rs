//! A list of what a release is made of, as a tool of the team wrote it: whether it is one, and speaks of this release.
//!
//! Only what is looked at is read of it; the rest is passed over.

use std::collections::HashSet;
use std::fmt;

use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{Pack, SBOM_VARIABLE};
use crate::commits::{Lines, plain_text};
use crate::model::{SbomFormat, SbomSpec};

/// The largest list.
pub const SBOM_MAX_BYTES: u64 = 64 * 1024 * 1024;
/// The most parts that a list can say it describes: one of them is the release.
const DESCRIBED_MAX: usize = 1_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cyclonedx {
    bom_format: Option<String>,
    spec_version: Option<String>,
    metadata: Option<Metadata>,
    #[serde(default)]
    components: Vec<IgnoredAny>,
}

#[derive(Deserialize)]
struct Metadata {
    component: Option<Described>,
}

/// What a list says that it describes.
#[derive(Debug, Default, Deserialize)]
struct Described {
    #[serde(default)]
    group: Option<String>,
    name: Option<String>,
    version: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spdx {
    spdx_version: Option<String>,
    #[serde(default, deserialize_with = "named")]
    document_describes: Ids,
    #[serde(default)]
    packages: Vec<Package>,
    #[serde(default, deserialize_with = "related")]
    relationships: Ids,
}

#[derive(Deserialize)]
struct Package {
    #[serde(rename = "SPDXID")]
    id: Option<String>,
    name: Option<String>,
    #[serde(rename = "versionInfo")]
    version: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Relationship {
    spdx_element_id: Option<String>,
    relationship_type: Option<String>,
    related_spdx_element: Option<String>,
}

impl Relationship {
    /// The part that the list is said to describe.
    fn described(self) -> Option<String> {
        let (one, other) = (self.spdx_element_id?, self.related_spdx_element?);
        match self.relationship_type?.as_str() {
            "DESCRIBES" if one == DOCUMENT => Some(other),
            "DESCRIBED_BY" if other == DOCUMENT => Some(one),
            _ => None,
        }
    }
}

/// The ids of the parts that a list describes. Nothing else is kept of the lists that they stand in, which can be long.
#[derive(Debug, Default)]
struct Ids {
    ids: HashSet<String>,
    too_many: bool,
}

impl Ids {
    fn take(&mut self, id: String) {
        self.too_many |= self.ids.len() == DESCRIBED_MAX && !self.ids.contains(&id);
        if !self.too_many {
            self.ids.insert(id);
        }
    }
}

/// Reads a list of items, and takes the ids from those that have one.
struct Each<T>(fn(T) -> Option<String>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Each<T> {
    type Value = Ids;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Ids, A::Error> {
        let mut ids = Ids::default();
        while let Some(item) = items.next_element()? {
            if let Some(id) = self.0(item) {
                ids.take(id);
            }
        }
        Ok(ids)
    }
}

fn named<'de, D: Deserializer<'de>>(list: D) -> Result<Ids, D::Error> {
    list.deserialize_seq(Each(Some::<String>))
}

fn related<'de, D: Deserializer<'de>>(list: D) -> Result<Ids, D::Error> {
    list.deserialize_seq(Each(Relationship::described))
}

/// The id of the list itself.
const DOCUMENT: &str = "SPDXRef-DOCUMENT";

impl Pack {
    /// Looks whether an SBOM is one of the format that was declared, and describes this release. Gives how many parts it
    /// lists; `Err` says what is wrong.
    ///
    /// # Errors
    ///
    /// When it is not JSON of that format, or says that it describes something else.
    pub fn sbom_parts(&self, sbom: &SbomSpec, bytes: &[u8]) -> Result<u32, String> {
        let (described, parts) = match sbom.format {
            SbomFormat::Cyclonedx => cyclonedx(bytes)?,
            SbomFormat::Spdx => spdx(bytes)?,
        };
        let name = sbom.name.as_deref().unwrap_or(self.service.as_str());
        let is_it = |one: &&Described| one.is_called(name);
        let Some(found) = described.iter().find(is_it) else {
            let shown: Vec<String> = described.iter().filter_map(Described::shown).take(5).collect();
            return Err(match shown.as_slice() {
                [] => "the SBOM does not say what it describes".into(),
                shown => format!("the SBOM describes {}, not `{name}`", crate::plan::list(shown)),
            });
        };
        match found.version.as_deref() {
            Some(version) if version == self.version => {}
            Some(other) => {
                return Err(format!("the SBOM describes {name} {}, not {}", short(other), self.version));
            }
            None => return Err(format!("the SBOM does not say which version of {name} it describes")),
        }
        Ok(u32::try_from(parts).unwrap_or(u32::MAX))
    }
}

impl Described {
    fn is_called(&self, name: &str) -> bool {
        let with_group =
            |own: &str| self.group.as_ref().is_some_and(|group| format!("{group}/{own}") == name);
        self.name.as_deref().is_some_and(|own| own == name || with_group(own))
    }

    fn shown(&self) -> Option<String> {
        self.name.as_deref().map(short)
    }
}

fn cyclonedx(bytes: &[u8]) -> Result<(Vec<Described>, usize), String> {
    let list: Cyclonedx = json(bytes)?;
    if list.bom_format.as_deref() != Some("CycloneDX") || list.spec_version.is_none() {
        return Err("the SBOM is no CycloneDX: it has no `bomFormat` and `specVersion` of it".into());
    }
    let described = list.metadata.and_then(|metadata| metadata.component);
    Ok((described.into_iter().collect(), list.components.len()))
}

fn spdx(bytes: &[u8]) -> Result<(Vec<Described>, usize), String> {
    let list: Spdx = json(bytes)?;
    if list.spdx_version.as_deref().is_none_or(|version| !version.starts_with("SPDX-2.")) {
        return Err("the SBOM is no SPDX 2: it has no `spdxVersion` of it".into());
    }
    let mut ids = list.document_describes;
    let related = list.relationships;
    ids.too_many |= related.too_many;
    related.ids.into_iter().for_each(|id| ids.take(id));
    if ids.too_many {
        return Err(format!("the SBOM says of more than {DESCRIBED_MAX} parts that it describes them"));
    }
    let all = list.packages.len();
    let is_described = |package: &Package| package.id.as_ref().is_some_and(|id| ids.ids.contains(id));
    let described = list.packages.into_iter().filter(is_described);
    let described: Vec<Described> = described
        .map(|package| Described { group: None, name: package.name, version: package.version })
        .collect();
    let parts = all - described.len();
    Ok((described, parts))
}

fn json<T: for<'a> Deserialize<'a>>(bytes: &[u8]) -> Result<T, String> {
    serde_json::from_slice(bytes).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => {
            format!("the SBOM is not of the declared format: {}", short(&error.to_string()))
        }
        _ => {
            format!("what the command wrote to `${SBOM_VARIABLE}` is not JSON: {}", short(&error.to_string()))
        }
    })
}

/// A word of a file, as people are shown it.
fn short(text: &str) -> String {
    plain_text(text, Lines::Join).chars().take(100).collect()
}
