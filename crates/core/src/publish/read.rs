//! What registries answer, read. All of it is text from outside: what is not understood is a mistake, never a version.

use serde_json::Value;

use super::debian::is_of_release;
use super::{Artifacts, Digest, Listed, Publish};
use crate::model::Target;

/// What a registry answered to one question.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// The content, where it was asked for.
    pub body: Vec<u8>,
    /// The digest in the head of the answer, as registries of images send it.
    pub digest: Option<String>,
}

impl Publish {
    /// The files of this version in the answers to [`Publish::lookups`]; `None` where there was nothing. `Err` says what
    /// is wrong with an answer.
    pub fn listed(&self, ours: &Artifacts, answers: &[Option<Answer>]) -> Result<Listed, String> {
        let mut listed = Listed::new();
        for answer in answers.iter().flatten() {
            listed.extend(match &self.target {
                Target::Crates(crates) => in_index(&answer.body, &crates.package, &self.version)?,
                Target::Pypi(pypi) => in_simple_index(&answer.body, &pypi.package, &self.version)?,
                Target::Npm(_) => in_packument(&answer.body, &self.version, ours)?,
                Target::Debian(debian) => {
                    let is_one = |package: &str, version: &str, file: &str| match ours.is_empty() {
                        true => {
                            package == debian.package
                                && is_of_release(version, &self.version, &debian.codename)
                        }
                        false => ours.contains_key(file),
                    };
                    in_packages(&answer.body, is_one)?
                }
                Target::Oci(_) => of_manifest(answer)?,
            });
        }
        Ok(listed)
    }
}

/// A crate's file in a sparse index: a line of JSON for every version. Yanked ones are there.
fn in_index(body: &[u8], package: &str, version: &str) -> Result<Listed, String> {
    let text = std::str::from_utf8(body).map_err(|_| "the index is not text")?;
    // Two versions that differ in what stands behind the plus are one to a registry.
    let release = |version: &str| version.split('+').next().unwrap_or_default().to_owned();
    let mut listed = Listed::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let line: Value = serde_json::from_str(line).map_err(|_| "a line of the index is not JSON")?;
        let (Some(found), Some(checksum)) = (line["vers"].as_str(), line["cksum"].as_str()) else {
            return Err("a line of the index is without version or checksum".into());
        };
        if release(found) == release(version) {
            let digest = format!("sha256:{checksum}").parse().ok();
            listed.insert(format!("{package}-{found}.crate"), digest);
        }
    }
    Ok(listed)
}

/// The packument of npm.
fn in_packument(body: &[u8], version: &str, ours: &Artifacts) -> Result<Listed, String> {
    let packument: Value = serde_json::from_slice(body).map_err(|_| "the answer is not JSON")?;
    let versions = packument["versions"].as_object().ok_or("the answer has no `versions`")?;
    let Some(found) = versions.get(version) else { return Ok(Listed::new()) };
    let name = ours.keys().next().cloned().unwrap_or_else(|| format!("{version}.tgz"));
    Ok(Listed::from([(name, found["dist"]["integrity"].as_str().and_then(strongest))]))
}

/// The digest in a text of sub-resource integrity, such as `sha512-…`.
fn strongest(integrity: &str) -> Option<Digest> {
    integrity.split_ascii_whitespace().find_map(|one| {
        let (algorithm, rest) = one.split_once('-')?;
        let encoded = rest.split('?').next()?;
        format!("{algorithm}:{}", hexadecimal(&base64(encoded)?)).parse().ok()
    })
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of a text in base64. Sixty-four letters and padding: too little for a crate of its own.
fn base64(text: &str) -> Option<Vec<u8>> {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let mut bytes = Vec::new();
    let (mut held, mut bits) = (0_u32, 0);
    for byte in text.trim_end_matches('=').bytes() {
        held = held << 6 | u32::from(value(byte)?);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits & 0xff) as u8);
        }
    }
    Some(bytes)
}

/// A simple index of Python packages, as JSON or as a page with links.
fn in_simple_index(body: &[u8], package: &str, version: &str) -> Result<Listed, String> {
    let text = std::str::from_utf8(body).map_err(|_| "the index is not text")?;
    let files: Vec<(String, Option<Digest>)> = match text.trim_start().starts_with('{') {
        true => files_in_json(text)?,
        false => files_in_page(text)?,
    };
    Ok(files.into_iter().filter(|(name, _)| is_distribution(name, package, version)).collect())
}

fn files_in_json(text: &str) -> Result<Vec<(String, Option<Digest>)>, String> {
    let index: Value = serde_json::from_str(text).map_err(|_| "the answer is not JSON")?;
    let files = index["files"].as_array().ok_or("the answer has no `files`")?;
    let file = |file: &Value| {
        let name = file["filename"].as_str()?.to_owned();
        let digest = file["hashes"]["sha256"].as_str();
        Some((name, digest.and_then(|digits| format!("sha256:{digits}").parse().ok())))
    };
    Ok(files.iter().filter_map(file).collect())
}

/// The links of a page: `<a href="…/name.whl#sha256=…">`.
fn files_in_page(text: &str) -> Result<Vec<(String, Option<Digest>)>, String> {
    let lower = text.to_ascii_lowercase();
    if !lower.contains("<html") && !lower.contains("<a") {
        return Err("the answer is neither JSON nor a page".into());
    }
    let mut files = Vec::new();
    for (at, _) in lower.match_indices("href=") {
        let rest = &text[at + 5..];
        let Some(quote) = rest.chars().next().filter(|c| matches!(c, '"' | '\'')) else { continue };
        let Some((link, _)) = rest[1..].split_once(quote) else { continue };
        let (path, fragment) = link.split_once('#').unwrap_or((link, ""));
        let name = path.split('?').next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
        let digest =
            fragment.strip_prefix("sha256=").and_then(|digits| format!("sha256:{digits}").parse().ok());
        files.push((name.replace("%2B", "+").replace("%2b", "+"), digest));
    }
    Ok(files)
}

/// The list of packages of a distribution: stanzas of fields. Those count of which `is_one` holds: package, version and file.
fn in_packages(body: &[u8], is_one: impl Fn(&str, &str, &str) -> bool) -> Result<Listed, String> {
    let text = std::str::from_utf8(body).map_err(|_| "the list of packages is not text")?;
    if !text.trim().is_empty() && !text.lines().any(|line| line.starts_with("Package:")) {
        return Err("the answer is no list of packages".into());
    }
    let mut listed = Listed::new();
    for stanza in text.split("\n\n") {
        let field = |name: &str| {
            let line = stanza.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.map(str::trim)
        };
        let name = field("Filename").and_then(|path| path.rsplit('/').next());
        let (package, version) = (field("Package").unwrap_or_default(), field("Version").unwrap_or_default());
        if let Some(name) = name.filter(|name| is_one(package, version, name)) {
            let digest = field("SHA256").and_then(|digits| format!("sha256:{digits}").parse().ok());
            listed.insert(name.to_owned(), digest);
        }
    }
    Ok(listed)
}

fn of_manifest(answer: &Answer) -> Result<Listed, String> {
    let digest = answer.digest.as_deref().ok_or("the registry does not tell the digest of the image")?;
    let digest = digest.trim().parse().map_err(|_| "the registry tells a digest that is none")?;
    Ok(Listed::from([(super::tools::MANIFEST.to_owned(), Some(digest))]))
}

/// A name as Python compares it: small letters, and one separator for any.
pub(super) fn normal(name: &str, separator: char) -> String {
    let pieces = name.split(['-', '_', '.']).filter(|piece| !piece.is_empty());
    pieces.map(str::to_ascii_lowercase).collect::<Vec<_>>().join(&separator.to_string())
}

/// Whether a file is a distribution of this version of a Python project.
pub(super) fn is_distribution(file: &str, package: &str, version: &str) -> bool {
    let wheel = file.strip_suffix(".whl");
    let source = || file.strip_suffix(".tar.gz").or_else(|| file.strip_suffix(".zip"));
    let found = match wheel {
        Some(wheel) => {
            let mut parts = wheel.split('-');
            parts.next().zip(parts.next())
        }
        None => source().and_then(|source| source.rsplit_once('-')),
    };
    found.is_some_and(|(name, found)| {
        normal(name, '-') == normal(package, '-') && pieces(found) == pieces(version)
    })
}

/// The numbers and words of a version, as build tools for Python write them: `1.9.0-rc.1` is `1.9.0rc1`.
pub(super) fn pieces(version: &str) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    let mut last = ' ';
    for c in version.trim_start_matches('v').to_ascii_lowercase().chars() {
        if c.is_ascii_alphanumeric() {
            match pieces.last_mut() {
                Some(piece)
                    if last.is_ascii_alphanumeric() && last.is_ascii_digit() == c.is_ascii_digit() =>
                {
                    piece.push(c)
                }
                _ => pieces.push(c.into()),
            }
        }
        last = c;
    }
    for piece in &mut pieces {
        let short = match piece.as_str() {
            "alpha" => "a",
            "beta" => "b",
            "c" | "pre" | "preview" => "rc",
            _ => continue,
        };
        *piece = short.into();
    }
    pieces
}

/// Package, version and architecture in the name of a Debian package's file.
pub(super) fn debian_name(file: &str) -> Option<(&str, &str, &str)> {
    let mut parts = file.strip_suffix(".deb")?.split('_');
    let named = (parts.next()?, parts.next()?, parts.next()?);
    parts.next().is_none().then_some(named)
}
