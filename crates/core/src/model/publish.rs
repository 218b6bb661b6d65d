//! What a `publish` step hands to a registry.

use serde::{Deserialize, Serialize};

use super::Template;
use crate::ids::ComponentName;

/// A package or an image, and where it is published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PublishSpec {
    /// What, and where.
    pub target: Target<Template>,
    /// The name of the secret that the registry wants; without it, the tool uses what it finds on the machine.
    pub token: Option<String>,
}

/// A package or an image in a registry. `T` is the kind of its texts: to be filled in, or filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target<T> {
    /// A crate, by `cargo`.
    Crates(Crates),
    /// Python distributions, by `twine`.
    Pypi(Pypi),
    /// An npm package, by `npm`.
    Npm(Npm<T>),
    /// Debian packages into a repository, by `reprepro`.
    Debian(Debian),
    /// A container image, by `skopeo`.
    Oci(Oci<T>),
}

/// A crate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Crates {
    /// Its name.
    pub package: String,
    /// The path of its manifest, or of its workspace's.
    pub manifest: String,
    /// The registry, as cargo calls it; without it, crates.io.
    pub registry: Option<String>,
    /// The address of the registry's sparse index, without `sparse+`.
    pub index: String,
    /// Whether cargo builds what it packed before it is published.
    pub verify: bool,
}

/// Python distributions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Pypi {
    /// The name of the project.
    pub package: String,
    /// The command that builds them.
    pub build: String,
    /// Which files it leaves, as patterns.
    pub files: Vec<String>,
    /// Where they are uploaded to.
    pub url: String,
    /// Where they are listed: a simple index.
    pub index: String,
    /// The user that the token belongs to.
    pub user: String,
}

/// An npm package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Npm<T> {
    /// Its name, with its scope.
    pub package: String,
    /// The folder with its `package.json`; empty for the top.
    pub folder: String,
    /// A command to run before it is packed.
    pub build: Option<String>,
    /// The distribution tag; without it, `latest`, or `next` for a version before a release.
    pub tag: Option<T>,
    /// The address of the registry.
    pub registry: String,
    /// Who may see it; without it, what npm makes of it.
    pub access: Option<Access>,
}

/// Who may see an npm package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// Everybody.
    Public,
    /// Those who were let in.
    Restricted,
}

/// Debian packages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Debian {
    /// The name of a binary package that has to be among them.
    pub package: String,
    /// The command that builds them.
    pub build: String,
    /// Which files it leaves, as patterns; `../` is the folder above the source.
    pub files: Vec<String>,
    /// The folder of the repository on this machine, as reprepro keeps it.
    pub repository: String,
    /// The address under which `dists` is looked at; without it, the folder.
    pub url: Option<String>,
    /// The distribution, such as `bookworm`.
    pub codename: String,
    /// The part of the distribution.
    pub component: String,
    /// The architecture whose list is looked at for packages that fit all.
    pub architecture: String,
}

/// A container image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Oci<T> {
    /// The image as it was built: registry, name, and a tag or a digest.
    pub from: T,
    /// What it is to be called: registry, name and tag.
    pub to: T,
    /// The component whose image it is: its digest becomes a part of the candidate.
    pub component: Option<ComponentName>,
    /// The user that the token belongs to.
    pub user: Option<String>,
}

impl<T> Target<T> {
    /// The same with other texts.
    pub fn try_map<U, E>(&self, mut map: impl FnMut(&T) -> Result<U, E>) -> Result<Target<U>, E> {
        Ok(match self {
            Self::Crates(crates) => Target::Crates(crates.clone()),
            Self::Pypi(pypi) => Target::Pypi(pypi.clone()),
            Self::Debian(debian) => Target::Debian(debian.clone()),
            Self::Npm(npm) => Target::Npm(Npm {
                package: npm.package.clone(),
                folder: npm.folder.clone(),
                build: npm.build.clone(),
                tag: npm.tag.as_ref().map(&mut map).transpose()?,
                registry: npm.registry.clone(),
                access: npm.access,
            }),
            Self::Oci(oci) => Target::Oci(Oci {
                from: map(&oci.from)?,
                to: map(&oci.to)?,
                component: oci.component.clone(),
                user: oci.user.clone(),
            }),
        })
    }

    /// The component whose image it is.
    pub fn component(&self) -> Option<&ComponentName> {
        match self {
            Self::Oci(oci) => oci.component.as_ref(),
            _ => None,
        }
    }
}
