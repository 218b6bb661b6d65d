//! How a failure of git is to be met.
//!
//! git has one exit status for nearly everything, so its words decide, in the C locale. What they do not tell is
//! taken as passing when a remote is involved and as lasting otherwise: repeating a look or a push is harmless.

use tollgate_engine::ports::{FailureClass, PortError};

use super::text;

/// Longest text of an error, in characters.
const TEXT_CHARS: usize = 800;

/// How far a call reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Only this machine.
    Local,
    /// A remote takes part.
    Remote,
    /// A signing program takes part.
    Signing,
}

/// A failure that lasts until somebody changes something.
pub(super) fn permanent(what: impl Into<String>, why: impl Into<String>, hint: Option<&str>) -> PortError {
    error(FailureClass::Permanent, what, why, hint)
}

/// A failure that may pass.
pub(super) fn transient(what: impl Into<String>, why: impl Into<String>, hint: Option<&str>) -> PortError {
    error(FailureClass::Transient, what, why, hint)
}

fn error(
    class: FailureClass,
    what: impl Into<String>,
    why: impl Into<String>,
    hint: Option<&str>,
) -> PortError {
    let clean = |text: String| text::cut(&text::plain(&text::without_credentials(&text)), TEXT_CHARS);
    let (what, why) = (clean(what.into()), clean(why.into()));
    PortError { class, what, why, hint: hint.map(str::to_owned), retry_at: None }
}

/// A failure of the operating system, on the way to git or around it.
pub(super) fn io(what: &str, error: &std::io::Error) -> PortError {
    use std::io::ErrorKind as Kind;
    let passing = matches!(
        error.kind(),
        Kind::Interrupted | Kind::WouldBlock | Kind::TimedOut | Kind::OutOfMemory | Kind::ResourceBusy
    );
    if passing { transient(what, error.to_string(), None) } else { permanent(what, error.to_string(), None) }
}

/// One row of what git and its helpers say, and what it means. All words must be there, in lower case.
struct Sign {
    words: &'static [&'static str],
    class: FailureClass,
    hint: Option<&'static str>,
}

const CREDENTIALS: Option<&str> = Some(
    "check that git can reach this remote without asking: `git ls-remote` with its address, as the same user",
);
const ADDRESS: Option<&str> =
    Some("check the address of the remote, and that this user may see the repository");
const IDENTITY: Option<&str> = Some(
    "set the name and address commits are made with: `git config --global user.name …` and `git config --global user.email …`",
);
const OWNER: Option<&str> = Some("the folder belongs to another user: see `git help config`, safe.directory");
const MISSING: Option<&str> = Some(
    "the repository is not whole: a partial clone lacks what this needs, or it is damaged; `git fetch --refetch --filter=blob:none` brings all commits and trees",
);
/// What helps when signing fails.
pub(super) const SIGNING: Option<&str> = Some(
    "check user.signingkey and gpg.format, and that the key signs without asking: an unlocked gpg-agent or ssh-agent, or a key without passphrase",
);

const fn lasting(words: &'static [&'static str], hint: Option<&'static str>) -> Sign {
    Sign { words, class: FailureClass::Permanent, hint }
}

const fn passing(words: &'static [&'static str]) -> Sign {
    Sign { words, class: FailureClass::Transient, hint: None }
}

/// The first row that fits counts.
const SIGNS: &[Sign] = &[
    Sign { words: &["returned error: 429"], class: FailureClass::RateLimited, hint: None },
    Sign { words: &["too many requests"], class: FailureClass::RateLimited, hint: None },
    Sign { words: &["rate limit"], class: FailureClass::RateLimited, hint: None },
    lasting(
        &["host key verification failed"],
        Some("add the host's key to ~/.ssh/known_hosts after checking it"),
    ),
    lasting(&["permission denied ("], CREDENTIALS),
    lasting(&["too many authentication failures"], CREDENTIALS),
    lasting(&["authentication failed"], CREDENTIALS),
    lasting(&["could not read username"], CREDENTIALS),
    lasting(&["could not read password"], CREDENTIALS),
    lasting(&["terminal prompts disabled"], CREDENTIALS),
    lasting(&["returned error: 401"], CREDENTIALS),
    lasting(&["returned error: 403"], CREDENTIALS),
    lasting(&["returned error: 404"], ADDRESS),
    lasting(&["repository", "not found"], ADDRESS),
    lasting(&["does not appear to be a git repository"], ADDRESS),
    lasting(&["does not exist"], ADDRESS),
    lasting(&["certificate"], Some("the remote's TLS certificate is not trusted by this machine")),
    lasting(&["transport '", "not allowed"], None),
    lasting(&["unable to find remote helper"], ADDRESS),
    lasting(&["dubious ownership"], OWNER),
    lasting(&["tell me who you are"], IDENTITY),
    lasting(&["empty ident name"], IDENTITY),
    lasting(&["no email was given"], IDENTITY),
    lasting(&["no name was given"], IDENTITY),
    lasting(&["mismatched algorithms"], None),
    lasting(&["unable to read tree"], MISSING),
    lasting(&["could not read", "failed to traverse"], MISSING),
    lasting(&["could not read", "revision walk setup failed"], MISSING),
    lasting(&["unable to parse commit"], MISSING),
    lasting(
        &["fsck error"],
        Some(
            "the remote has objects that git takes for damaged or dangerous; see `git help config`, fetch.fsck.skipList",
        ),
    ),
    passing(&["could not resolve host"]),
    passing(&["connection refused"]),
    passing(&["connection timed out"]),
    passing(&["connection reset"]),
    passing(&["hung up unexpectedly"]),
    passing(&["early eof"]),
    passing(&["unable to create", ".lock", "file exists"]),
    passing(&["cannot allocate memory"]),
    passing(&["no space left on device"]),
];

/// The error for a call that ended with a failure.
pub(super) fn of_call(what: &str, reach: Reach, status: Option<i32>, stderr: &str) -> PortError {
    let lower = stderr.to_lowercase();
    let sign = SIGNS.iter().find(|sign| sign.words.iter().all(|word| lower.contains(word)));
    let (class, hint) = match (sign, reach) {
        (Some(sign), _) => (sign.class, sign.hint),
        (None, Reach::Remote) => (FailureClass::Transient, None),
        (None, Reach::Local) => (FailureClass::Permanent, None),
        (None, Reach::Signing) => (FailureClass::Permanent, SIGNING),
    };
    let mut why = text::explanation(stderr);
    if why.is_empty() {
        why = match status {
            Some(status) => format!("git ended with status {status} and said nothing"),
            None => "git was ended by a signal".to_owned(),
        };
    }
    error(class, what, why, hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_decide() {
        use FailureClass::{Permanent, RateLimited, Transient};
        let cases = [
            (
                "ssh: connect to host h port 22: Connection refused\nfatal: Could not read from remote repository.",
                Transient,
            ),
            (
                "git@h: Permission denied (publickey).\nfatal: Could not read from remote repository.",
                Permanent,
            ),
            ("Host key verification failed.\nfatal: Could not read from remote repository.", Permanent),
            ("fatal: unable to access 'https://h/x/': Could not resolve host: h", Transient),
            ("fatal: unable to access 'https://h/x/': The requested URL returned error: 503", Transient),
            ("fatal: unable to access 'https://h/x/': The requested URL returned error: 403", Permanent),
            ("fatal: unable to access 'https://h/x/': The requested URL returned error: 429", RateLimited),
            ("remote: Not Found\nfatal: repository 'https://h/x/' not found", Permanent),
            ("fatal: '/nowhere' does not appear to be a git repository", Permanent),
            ("fatal: could not read Username for 'https://h': terminal prompts disabled", Permanent),
            ("fatal: the remote end hung up unexpectedly", Transient),
            ("something new", Transient),
        ];
        for (stderr, class) in cases {
            assert_eq!(of_call("look", Reach::Remote, Some(128), stderr).class, class, "{stderr}");
        }
        assert_eq!(of_call("look", Reach::Local, Some(128), "something new").class, Permanent);
        assert!(of_call("sign", Reach::Signing, Some(128), "gpg failed").hint.is_some());
        assert_eq!(of_call("x", Reach::Local, Some(3), "").why, "git ended with status 3 and said nothing");
    }
}
