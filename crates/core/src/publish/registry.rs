//! Where a version is looked for, and with which right.

use serde::{Deserialize, Serialize};

use super::{Artifacts, Image, ImageError, Publish, read, tools};
use crate::model::{Access, Target};

/// A question to a registry: one request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Lookup {
    /// Its address: http, https, or an absolute path behind `file://`.
    pub url: String,
    /// Whether only the head of the answer is wanted.
    pub head: bool,
    /// The kinds of answer that are understood.
    pub accept: String,
    /// What to show where the registry wants to know who asks.
    pub credentials: Option<Credentials>,
}

/// What to show a registry that wants to know who asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Credentials {
    /// The name of the secret.
    pub secret: String,
    /// How it is shown.
    pub scheme: Scheme,
    /// Whether it is shown without being asked for.
    pub always: bool,
}

/// How a secret is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// As it is.
    Plain,
    /// As a bearer token.
    Bearer,
    /// As the password of this user, also to the place that the registry names for it.
    Basic(String),
}

const SIMPLE: &str =
    "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1";
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
                         application/vnd.docker.distribution.manifest.list.v2+json, \
                         application/vnd.docker.distribution.manifest.v2+json";

impl Publish {
    /// Where the version is looked for. All of them are asked. Without files, as before they are packed, what is certain to be
    /// among them is looked for.
    pub fn lookups(&self, ours: &Artifacts) -> Result<Vec<Lookup>, ImageError> {
        let lookup = |url: String, accept: &str, scheme: Scheme| Lookup {
            url,
            head: false,
            accept: accept.to_owned(),
            credentials: self.token.clone().map(|secret| Credentials { secret, scheme, always: false }),
        };
        Ok(match &self.target {
            Target::Crates(crates) => {
                let url = format!("{}/{}", crates.index.trim_end_matches('/'), index_path(&crates.package));
                vec![lookup(url, "*/*", Scheme::Plain)]
            }
            Target::Pypi(pypi) => {
                let url =
                    format!("{}/{}/", pypi.index.trim_end_matches('/'), read::normal(&pypi.package, '-'));
                vec![lookup(url, SIMPLE, Scheme::Basic(pypi.user.clone()))]
            }
            Target::Npm(npm) => {
                let url =
                    format!("{}/{}", npm.registry.trim_end_matches('/'), npm.package.replace('/', "%2f"));
                let mut asked = lookup(url, "application/vnd.npm.install-v1+json", Scheme::Bearer);
                // To a stranger the registry says that there is no such package.
                if let Some(credentials) = asked.credentials.as_mut() {
                    credentials.always = npm.access == Some(Access::Restricted);
                }
                vec![asked]
            }
            Target::Debian(debian) => {
                let base = match &debian.url {
                    Some(url) => url.trim_end_matches('/').to_owned(),
                    None => format!("file://{}", debian.repository.trim_end_matches('/')),
                };
                let mut lists: Vec<&str> =
                    ours.keys().filter_map(|name| read::debian_name(name)).map(|(_, _, of)| of).collect();
                if ours.is_empty() {
                    // Before it is packed: what fits all, and what most machines are.
                    lists.push(&debian.architecture);
                }
                lists.iter_mut().filter(|of| **of == "all").for_each(|of| *of = &debian.architecture);
                lists.sort_unstable();
                lists.dedup();
                let url = |of: &str| {
                    format!("{base}/dists/{}/{}/binary-{of}/Packages", debian.codename, debian.component)
                };
                lists
                    .into_iter()
                    .map(|of| Lookup { credentials: None, ..lookup(url(of), "*/*", Scheme::Plain) })
                    .collect()
            }
            Target::Oci(oci) => {
                let image: Image = oci.to.parse()?;
                let scheme = Scheme::Basic(oci.user.clone().unwrap_or_else(|| tools::REGISTRY_USER.into()));
                vec![Lookup { head: true, ..lookup(image.manifest_url(), MANIFESTS, scheme) }]
            }
        })
    }
}

/// Where a crate stands in a sparse index.
fn index_path(package: &str) -> String {
    let name = package.to_ascii_lowercase();
    match name.len() {
        1 => format!("1/{name}"),
        2 => format!("2/{name}"),
        3 => format!("3/{}/{name}", &name[..1]),
        _ => format!("{}/{}/{name}", name.get(..2).unwrap_or_default(), name.get(2..4).unwrap_or_default()),
    }
}
