//! Checksums in the form that `sha256sum -c` and `sha512sum -c` take.

use std::collections::BTreeMap;

use crate::model::Algorithm;
use crate::publish::{Artifact, Artifacts};

/// The checksums of files, sorted by name: a line each, digits, two spaces, the name. An image is no file and is left out.
pub fn checksums(algorithm: Algorithm, files: &Artifacts, published: &Artifacts) -> String {
    let all: BTreeMap<&String, &Artifact> = published.iter().chain(files).collect();
    let line = |(name, file): (&String, &Artifact)| {
        let digest = match algorithm {
            Algorithm::Sha256 => &file.sha256,
            Algorithm::Sha512 => &file.sha512,
        };
        format!("{}  {name}\n", digest.digits())
    };
    all.into_iter().filter(|(name, _)| is_file(name)).map(line).collect()
}

/// Everything that was packed or published, images included: as the checksums of SHA-256, with a line for each image as well.
/// The same digests make the same list.
pub(super) fn subjects(files: &Artifacts, published: &Artifacts) -> String {
    let all: BTreeMap<&String, &Artifact> = published.iter().chain(files).collect();
    all.into_iter().map(|(name, file)| format!("{}  {name}\n", file.sha256.digits())).collect()
}

/// Whether a name is one of a file: those of images have a registry before them.
pub(super) fn is_file(name: &str) -> bool {
    !name.contains('/')
}
