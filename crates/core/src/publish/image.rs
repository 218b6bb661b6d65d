//! Names of container images.

use std::fmt;
use std::str::FromStr;

use super::Digest;

/// An image in a registry: host, name, and a tag or a digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The registry's host, with its port if it has one.
    pub host: String,
    /// The name within the registry.
    pub name: String,
    /// The tag or the digest.
    pub reference: Reference,
}

/// Which content of an image is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// What this tag stands for at the moment.
    Tag(String),
    /// Exactly this.
    Digest(Digest),
}

/// A text that does not name an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// The registry is missing.
    #[error("the registry has to be named: `registry.example.org/app:1.9.0`")]
    NoHost,
    /// There is neither a tag nor a digest.
    #[error("a tag is missing: `registry.example.org/app:1.9.0`")]
    NoTag,
    /// Some part has characters that it cannot have.
    #[error("`{0}` cannot be a part of the name of an image")]
    Part(String),
}

impl Image {
    /// Whether the registry is on this machine, which is asked without TLS.
    pub fn is_local(&self) -> bool {
        let host = self.host.rsplit_once(':').map_or(self.host.as_str(), |(host, _)| host);
        host == "localhost" || host.starts_with("127.") || host == "[::1]"
    }

    /// The registry and the name, without tag or digest.
    pub fn repository(&self) -> String {
        format!("{}/{}", self.host, self.name)
    }

    /// The address of its manifest.
    pub fn manifest_url(&self) -> String {
        let scheme = if self.is_local() { "http" } else { "https" };
        // What everybody calls docker.io answers elsewhere.
        let host = if self.host == "docker.io" { "registry-1.docker.io" } else { &self.host };
        let reference = match &self.reference {
            Reference::Tag(tag) => tag.clone(),
            Reference::Digest(digest) => digest.to_string(),
        };
        format!("{scheme}://{host}/v2/{}/manifests/{reference}", self.name)
    }
}

impl FromStr for Image {
    type Err = ImageError;
    fn from_str(text: &str) -> Result<Self, ImageError> {
        let part = |part: &str| ImageError::Part(part.chars().filter(|c| !c.is_control()).take(60).collect());
        let (host, rest) = text.split_once('/').ok_or(ImageError::NoHost)?;
        if host != "localhost" && !host.contains(['.', ':']) {
            return Err(ImageError::NoHost);
        }
        let plain_host = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
        if host.starts_with(['-', '.', ':']) || !host.chars().all(plain_host) || host.len() > 255 {
            return Err(part(host));
        }
        let (name, reference) = match rest.split_once('@') {
            // A tag beside a digest says nothing more.
            Some((name, digest)) => {
                let digest = digest.parse().map_err(|_| part(digest))?;
                (name.split_once(':').map_or(name, |(name, _)| name), Reference::Digest(digest))
            }
            None => {
                let (name, tag) = rest.rsplit_once(':').ok_or(ImageError::NoTag)?;
                let fine = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
                if tag.is_empty() || tag.len() > 128 || tag.starts_with(['.', '-']) || !tag.chars().all(fine)
                {
                    return Err(part(tag));
                }
                (name, Reference::Tag(tag.to_owned()))
            }
        };
        let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_.-".contains(c);
        let odd =
            |piece: &&str| piece.is_empty() || piece.starts_with(['-', '.', '_']) || !piece.chars().all(fine);
        if let Some(odd) = name.split('/').find(odd) {
            return Err(part(odd));
        }
        if name.len() > 255 {
            return Err(part(name));
        }
        Ok(Self { host: host.to_owned(), name: name.to_owned(), reference })
    }
}

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reference {
            Reference::Tag(tag) => write!(f, "{}/{}:{tag}", self.host, self.name),
            Reference::Digest(digest) => write!(f, "{}/{}@{digest}", self.host, self.name),
        }
    }
}
