//! The version in `composer.json`, and the hash over it in `composer.lock`.

use std::collections::BTreeMap;

use md5::{Digest as _, Md5};

use super::known::{Finder, beside};
use super::tree::{Doc, Kind, Node};
use super::{ReadError, RepoPath, Spelling, Spot, Write};

/// The keys that Composer's hash is about.
const KEYS: [&str; 11] = [
    "name",
    "version",
    "require",
    "require-dev",
    "conflict",
    "replace",
    "provide",
    "minimum-stability",
    "prefer-stable",
    "repositories",
    "extra",
];

/// What the hash in `composer.lock` is made of, each value as it goes into it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Relevant(BTreeMap<String, String>);

pub(super) fn find(finder: &mut Finder<'_>, path: &RepoPath) -> Option<()> {
    let doc = finder.must_doc(path)?;
    let Some(version) = finder.take(doc.at(&["version"]))? else {
        let what = "`version` (Composer takes it from git's tags then)".to_owned();
        finder.error(ReadError::NoVersion { path: path.clone(), what });
        return None;
    };
    let (place, found) = finder.take(doc.version_place(version, "version"))?;
    finder.spots.push(Spot { path: path.clone(), place, found, write: Write::Version(Spelling::Composer) });
    let lock = finder.doc(&beside(path, "composer.lock")?)??;
    let hash = finder.take(lock.at(&["content-hash"]))??;
    let (place, found) = finder.take(lock.text_place(hash, "content-hash"))?;
    let relevant = Relevant::read(&doc, finder.must(path)?);
    // A hash that is out of step already, or made in a way that is not known here, is left as it is: Composer says so itself.
    if relevant.hash() == found {
        finder.spots.push(Spot {
            path: lock.path.clone(),
            place,
            found,
            write: Write::ComposerHash(relevant),
        });
    }
    Some(())
}

impl Relevant {
    fn read(doc: &Doc, bytes: &[u8]) -> Self {
        let value = |node: &Node| {
            let mut text = String::new();
            written(&mut text, node, bytes);
            text
        };
        let kept = KEYS.iter().filter_map(|key| Some(((*key).to_owned(), value(doc.root.get(key)?))));
        let mut kept: BTreeMap<String, String> = kept.collect();
        if let Some(platform) = doc.root.get("config").and_then(|config| config.get("platform")) {
            kept.insert("config".to_owned(), format!("{{\"platform\":{}}}", value(platform)));
        }
        Self(kept)
    }

    fn hash(&self) -> String {
        let entry = |(key, value): (&String, &String)| format!("\"{key}\":{value}");
        let entries: Vec<String> = self.0.iter().map(entry).collect();
        let digest = Md5::digest(format!("{{{}}}", entries.join(",")));
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The hash when the version is this one.
    pub(super) fn hash_with(&self, version: &str) -> String {
        let mut changed = self.clone();
        changed.0.insert("version".to_owned(), format!("\"{version}\""));
        changed.hash()
    }
}

/// A value as PHP writes it by default.
fn written(text: &mut String, node: &Node, bytes: &[u8]) {
    match &node.kind {
        Kind::Text(value) => string(text, &value.value),
        Kind::List(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                written(text, item, bytes);
            }
            text.push(']');
        }
        // PHP reads it as an empty list.
        Kind::Map(entries) if entries.is_empty() => text.push_str("[]"),
        Kind::Map(entries) => {
            text.push('{');
            for (index, (key, value)) in entries.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                string(text, key);
                text.push(':');
                written(text, value, bytes);
            }
            text.push('}');
        }
        Kind::True => text.push_str("true"),
        Kind::Other => text.push_str(&String::from_utf8_lossy(&bytes[node.at.clone()])),
    }
}

/// A string with slashes and everything outside of ASCII escaped.
fn string(text: &mut String, value: &str) {
    text.push('"');
    for unit in value.encode_utf16() {
        match u8::try_from(unit) {
            Ok(b @ (b'"' | b'\\' | b'/')) => text.extend(['\\', char::from(b)]),
            Ok(b'\n') => text.push_str("\\n"),
            Ok(b'\r') => text.push_str("\\r"),
            Ok(b'\t') => text.push_str("\\t"),
            Ok(8) => text.push_str("\\b"),
            Ok(12) => text.push_str("\\f"),
            Ok(b @ 0x20..=0x7f) => text.push(char::from(b)),
            _ => text.push_str(&format!("\\u{unit:04x}")),
        }
    }
    text.push('"');
}
