//! Signatures of tags and commits: who may have made them, and what was found.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::ObjectId;

/// The largest file of signers, in bytes: it stands in events, with room for the rest of them.
pub const SIGNERS_MAX_BYTES: usize = 16 * 1024;
/// The most commits whose signatures one step looks at.
pub const COMMITS_MAX: usize = 500;

/// Whose signatures count, as a file lists them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Signers {
    /// The file they were read from, for people.
    pub file: String,
    /// Lines of an allowed-signers file of ssh.
    pub ssh: Vec<String>,
    /// Fingerprints of OpenPGP primary keys and X.509 certificates: 40 or 64 hexadecimal digits, in capitals.
    pub keys: Vec<String>,
}

/// Why a file of signers is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignersError {
    /// Nobody stands in it.
    #[error("nobody stands in it")]
    Empty,
    /// It is larger than [`SIGNERS_MAX_BYTES`].
    #[error("it is larger than {} KiB", SIGNERS_MAX_BYTES / 1024)]
    TooLarge,
    /// A line is neither a fingerprint nor an ssh key with a name.
    #[error("line {0} is neither a whole fingerprint nor `NAME KEYTYPE KEY` of an ssh key")]
    Line(usize),
}

impl Signers {
    /// Reads a file: lines of ssh's allowed-signers form, and lines that start with the whole fingerprint of an OpenPGP
    /// primary key or an X.509 certificate. Empty lines and those that start with `#` say nothing.
    pub fn parse(file: &str, text: &str) -> Result<Self, SignersError> {
        if text.len() > SIGNERS_MAX_BYTES {
            return Err(SignersError::TooLarge);
        }
        let mut signers = Self { file: file.to_owned(), ssh: Vec::new(), keys: Vec::new() };
        for (n, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let first = line.split_whitespace().next().unwrap_or_default();
            if is_fingerprint(first) {
                signers.keys.push(first.to_ascii_uppercase());
            } else if is_ssh_signer(line) {
                signers.ssh.push(line.to_owned());
            } else {
                return Err(SignersError::Line(n + 1));
            }
        }
        if signers.ssh.is_empty() && signers.keys.is_empty() {
            return Err(SignersError::Empty);
        }
        Ok(signers)
    }

    /// Whether a key of this fingerprint may sign.
    pub fn allows(&self, fingerprint: &str) -> bool {
        self.keys.iter().any(|key| key.eq_ignore_ascii_case(fingerprint))
    }
}

/// Only whole fingerprints: a short one can be made to fit another key.
fn is_fingerprint(word: &str) -> bool {
    matches!(word.len(), 40 | 64) && word.chars().all(|c| c.is_ascii_hexdigit())
}

/// `NAMES [OPTIONS] KEYTYPE KEY [COMMENT]`
fn is_ssh_signer(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    let is_type =
        |word: &&str| ["ssh-", "ecdsa-", "sk-ssh-", "sk-ecdsa-"].iter().any(|start| word.starts_with(start));
    let Some(at) = words.iter().position(is_type) else { return false };
    let base64 = |c: char| c.is_ascii_alphanumeric() || "+/=".contains(c);
    let key = words.get(at + 1);
    at >= 1 && key.is_some_and(|key| key.len() >= 16 && key.chars().all(base64)) && !line.contains('\0')
}

/// What was found out about one signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Made by somebody who may, with this key.
    Good(String),
    /// The tag is a lightweight one, which cannot carry a signature.
    Lightweight,
    /// There is no signature.
    Unsigned,
    /// The object says something else than what is released.
    Other(String),
    /// The key is not known on this machine, so that nothing can be said.
    UnknownKey(String),
    /// It is sound, and this key is not among those that may sign.
    NotAllowed(String),
    /// The key or the signature has expired.
    Expired(String),
    /// The key was revoked.
    Revoked(String),
    /// It does not fit what it stands on, or cannot be read.
    Bad,
}

impl Verdict {
    /// Whether the signature counts.
    pub fn is_good(&self) -> bool {
        matches!(self, Self::Good(_))
    }

    /// What somebody can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Good(_) => "nothing has to be done",
            Self::Lightweight | Self::Unsigned => {
                "sign it: `sign: true` beside the step that makes it, with a key set up in git"
            }
            Self::Other(_) => "start a new release: this tag is not of what is released",
            Self::UnknownKey(_) => "import the public key on the machine that runs Tollgate, then retry",
            Self::NotAllowed(_) => "sign with a key of the list, or add this one to the list by a commit",
            Self::Expired(_) => "prolong the key and import it anew, or sign with another one",
            Self::Revoked(_) => "sign with another key: nothing of a revoked one counts",
            Self::Bad => {
                "find out who changed it; start a new release from a commit that is known to be good"
            }
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Good(key) => write!(f, "signed by {key}"),
            Self::Lightweight => f.write_str("a lightweight tag, which carries no signature"),
            Self::Unsigned => f.write_str("not signed"),
            Self::Other(why) => f.write_str(why),
            Self::UnknownKey(key) => write!(f, "signed by a key that is not known here ({key})"),
            Self::NotAllowed(key) => write!(f, "signed by {key}, which is not among those that may sign"),
            Self::Expired(key) => write!(f, "the key or its signature has expired ({key})"),
            Self::Revoked(key) => write!(f, "signed by a key that was revoked ({key})"),
            Self::Bad => f.write_str("its signature does not fit, or cannot be read"),
        }
    }
}

/// Signatures that are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Signatures {
    /// That of a tag.
    pub tag: Option<SignedObject>,
    /// Those of the commits after the first one, or of all, up to the second one.
    pub commits: Option<(Option<ObjectId>, ObjectId)>,
}

/// The most names of keys that are kept of signatures that count.
const KEYS_KEPT: usize = 5;
/// The most signatures that do not count of which each is kept.
const WRONG_KEPT: usize = 10;

/// What was found out about several signatures.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Judged {
    /// How many signatures count.
    pub good: u32,
    /// By whose keys, each once, at most five of them.
    pub by: Vec<String>,
    /// Those that do not count, at most ten of them.
    pub wrong: Vec<Wrong>,
    /// How many more do not count.
    pub more: u32,
}

/// A signature that does not count, or is not there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Wrong {
    /// On what.
    pub object: SignedObject,
    /// Why not.
    pub verdict: Verdict,
}

impl Judged {
    /// Takes one more verdict in.
    pub fn take_in(&mut self, object: SignedObject, verdict: Verdict) {
        match verdict {
            Verdict::Good(key) => {
                self.good = self.good.saturating_add(1);
                if self.by.len() < KEYS_KEPT && !self.by.contains(&key) {
                    self.by.push(key);
                }
            }
            verdict if self.wrong.len() < WRONG_KEPT => self.wrong.push(Wrong { object, verdict }),
            _ => self.more = self.more.saturating_add(1),
        }
    }

    /// Whether all of them count.
    pub fn is_good(&self) -> bool {
        self.wrong.is_empty()
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { object, verdict } = self;
        match verdict {
            Verdict::Expired(_) | Verdict::Bad | Verdict::Other(_) => write!(f, "{object}: {verdict}"),
            _ => write!(f, "{object} is {verdict}"),
        }
    }
}

/// What is looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignedObject {
    /// A tag: its name, its object, and the commit it has to stand on.
    Tag {
        /// Its name, which has to stand in it, too: a signed tag does not serve under another name.
        name: String,
        /// Its object.
        object: ObjectId,
        /// The commit.
        target: ObjectId,
    },
    /// A commit.
    Commit(ObjectId),
}

impl fmt::Display for SignedObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag { name, object, .. } => write!(f, "tag {name} ({})", object.short()),
            Self::Commit(commit) => write!(f, "commit {}", commit.short()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_signers_are_read() {
        let key = "AAAAC3NzaC1lZDI1NTE5AAAAIJ";
        let fine = format!(
            "# who may sign\n\nada@example.org,*@x.org namespaces=\"git\" ssh-ed25519 {key} laptop\n{} Ada\n{}\n",
            "ab".repeat(20),
            "0F".repeat(32)
        );
        let signers = Signers::parse("signers", &fine).unwrap();
        assert_eq!((signers.ssh.len(), signers.keys.len()), (1, 2));
        assert!(signers.allows(&"AB".repeat(20)) && !signers.allows("ABABABAB") && !signers.allows(""));
        let bad = [
            ("", SignersError::Empty),
            ("# nobody\n", SignersError::Empty),
            ("\nABCDEF0123456789\n", SignersError::Line(2)),
            ("ada@example.org\n", SignersError::Line(1)),
            ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ\n", SignersError::Line(1)),
            ("ada ssh-ed25519 not!a!key!at!all!!\n", SignersError::Line(1)),
            ("ada ssh-ed25519\n", SignersError::Line(1)),
        ];
        for (text, want) in bad {
            assert_eq!(Signers::parse("signers", text), Err(want), "{text:?}");
        }
        let large = "#".repeat(SIGNERS_MAX_BYTES + 1);
        assert_eq!(Signers::parse("signers", &large), Err(SignersError::TooLarge));
    }
}
