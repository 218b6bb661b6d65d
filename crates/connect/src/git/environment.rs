//! What a call of git finds around itself.
//!
//! The user's set-up keeps working: home folder, agents, global configuration, credential helpers. What would make git
//! act elsewhere (`GIT_DIR` and its like), ask somebody, start an editor or speak another language is left out or fixed.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use tollgate_engine::ports::{PortError, Repository};

use super::Git;
use super::fault::permanent;
use super::run::Call;

/// Variables of git's own that are passed on: who, how to connect, where the configuration is. All others are dropped.
const KEPT: &[&str] = &[
    "GIT_ALLOW_PROTOCOL",
    "GIT_ASKPASS",
    "GIT_AUTHOR_EMAIL",
    "GIT_AUTHOR_NAME",
    "GIT_COMMITTER_EMAIL",
    "GIT_COMMITTER_NAME",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_NOSYSTEM",
    "GIT_CONFIG_SYSTEM",
    "GIT_EXEC_PATH",
    "GIT_PROXY_COMMAND",
    "GIT_PROXY_SSL_CAINFO",
    "GIT_PROXY_SSL_CERT",
    "GIT_PROXY_SSL_KEY",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_SSH_VARIANT",
    "GIT_SSL_CAINFO",
    "GIT_SSL_CAPATH",
    "GIT_SSL_CERT",
    "GIT_SSL_KEY",
    "GIT_SSL_NO_VERIFY",
    "GIT_SSL_VERSION",
];

/// Variables of others that would let a helper ask on the screen, or change what git prints.
const DROPPED: &[&str] = &[
    "SSH_ASKPASS",
    "SSH_ASKPASS_REQUIRE",
    "PAGER",
    "LANGUAGE",
    "LANG",
    "EDITOR",
    "VISUAL",
    "POSIXLY_CORRECT",
];

/// What is the same for every call.
const FIXED: &[(&str, &str)] = &[
    ("LC_ALL", "C"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_OPTIONAL_LOCKS", "0"),
    ("GIT_EDITOR", "false"),
    ("GIT_SEQUENCE_EDITOR", "false"),
    ("GIT_PAGER", "cat"),
    ("GIT_NO_REPLACE_OBJECTS", "1"),
    ("GIT_GRAFT_FILE", "/dev/null"),
    ("GIT_LITERAL_PATHSPECS", "1"),
    ("GIT_ADVICE", "0"),
];

/// Configuration in front of every command; nothing in a file is stronger.
pub(super) const CONFIGURED: &[&str] = &[
    "core.quotePath=false",
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "protocol.ext.allow=never",
    "user.useConfigOnly=true",
    "i18n.commitEncoding=UTF-8",
    "i18n.logOutputEncoding=UTF-8",
    "log.showSignature=false",
    "color.ui=false",
    "submodule.recurse=false",
    "init.defaultBranch=main",
];

/// The environment that is passed on, and configuration that came with it as variables.
#[derive(Clone, Default)]
pub(super) struct Environment {
    variables: BTreeMap<OsString, OsString>,
    configuration: Vec<(OsString, OsString)>,
}

impl Environment {
    /// Chooses from an environment what git shall see of it.
    pub(super) fn new(all: impl IntoIterator<Item = (OsString, OsString)>) -> Environment {
        let all: BTreeMap<OsString, OsString> = all.into_iter().collect();
        let configuration = counted_configuration(&all);
        let mut variables = all;
        variables.retain(|name, _| {
            let name = name.to_string_lossy();
            let foreign_to_git = !name.starts_with("GIT_") && !name.starts_with("LC_");
            KEPT.contains(&&*name) || foreign_to_git && !DROPPED.contains(&&*name)
        });
        for (name, value) in FIXED {
            variables.insert(name.into(), value.into());
        }
        Environment { variables, configuration }
    }

    /// The variables of one call: these, and the configuration of the user's checkout and of the call.
    pub(super) fn variables(&self, user: Option<&UserSetup>) -> BTreeMap<OsString, OsString> {
        let mut variables = self.variables.clone();
        let mut entries: Vec<(&OsStr, &OsStr)> = Vec::new();
        if let Some(user) = user {
            // What came with the environment was meant to be stronger than any file: it stays last.
            entries.extend(user.entries.iter().map(|(key, value)| (key.as_os_str(), value.as_os_str())));
            if !user.connects_in_own_way && !self.has("GIT_SSH_COMMAND") && !self.has("GIT_SSH") {
                variables
                    .insert("GIT_SSH_COMMAND".into(), "ssh -o BatchMode=yes -o ConnectTimeout=30".into());
            }
        }
        entries.extend(self.configuration.iter().map(|(key, value)| (key.as_os_str(), value.as_os_str())));
        variables.insert("GIT_CONFIG_COUNT".into(), entries.len().to_string().into());
        for (n, (key, value)) in entries.into_iter().enumerate() {
            variables.insert(format!("GIT_CONFIG_KEY_{n}").into(), key.to_owned());
            variables.insert(format!("GIT_CONFIG_VALUE_{n}").into(), value.to_owned());
        }
        variables
    }

    /// Where a program is on the `PATH`; its bare name where it is not, or may depend on the folder that it is started in.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = self.variables.get(OsStr::new("PATH")).map(OsString::as_os_str).unwrap_or_default();
        for folder in std::env::split_paths(path) {
            if !folder.is_absolute() {
                break;
            }
            let program = folder.join(name);
            let runs = |found: std::fs::Metadata| found.is_file() && found.permissions().mode() & 0o111 != 0;
            if program.metadata().is_ok_and(runs) {
                return program;
            }
        }
        name.into()
    }

    fn has(&self, name: &str) -> bool {
        self.variables.get(OsStr::new(name)).is_some_and(|value| !value.is_empty())
    }
}

/// `GIT_CONFIG_COUNT` and its pairs; wrong ones are left out.
fn counted_configuration(all: &BTreeMap<OsString, OsString>) -> Vec<(OsString, OsString)> {
    let count = all.get(OsStr::new("GIT_CONFIG_COUNT")).and_then(|text| text.to_str()?.parse::<usize>().ok());
    (0..count.unwrap_or(0).min(1000))
        .filter_map(|n| {
            let key = all.get(OsStr::new(&format!("GIT_CONFIG_KEY_{n}")))?;
            let value = all.get(OsStr::new(&format!("GIT_CONFIG_VALUE_{n}")))?;
            Some((key.clone(), value.clone()))
        })
        .collect()
}

/// What of the user's configuration applies to Tollgate's clone, because the user's checkout has it.
#[derive(Clone, Default)]
pub(super) struct UserSetup {
    entries: Vec<(OsString, OsString)>,
    connects_in_own_way: bool,
}

impl UserSetup {
    /// Adds configuration for this call only. It goes by the environment, where no list of processes shows it.
    pub(super) fn add(&mut self, key: impl Into<OsString>, value: impl Into<OsString>) {
        self.entries.push((key.into(), value.into()));
    }

    /// Reads what applies: from the checkout, if there is one, otherwise from the user's and the system's files.
    pub(super) async fn read(git: &Git, repository: &Repository) -> Result<UserSetup, PortError> {
        let what = match &repository.checkout {
            Some(folder) => format!("read the git configuration of {}", folder.display()),
            None => "read the git configuration".to_owned(),
        };
        let mut call = Call::new(git, &what).args(["config", "--list", "-z", "--show-scope", "--includes"]);
        if let Some(folder) = &repository.checkout {
            if !folder.is_dir() {
                let hint = "a release uses the name, key and connection set up there; put the checkout back";
                return Err(permanent(what, "the folder is gone", Some(hint)));
            }
            call = call.folder(folder);
        }
        let listing = call.stdout().await?;
        Ok(UserSetup::parse(&listing, repository.checkout.is_some()))
    }

    fn parse(listing: &[u8], checkout: bool) -> UserSetup {
        let mut setup = UserSetup::default();
        let mut fields = listing.split(|byte| *byte == 0);
        while let (Some(scope), Some(entry)) = (fields.next(), fields.next()) {
            let (key, value) = match entry.iter().position(|byte| *byte == b'\n') {
                Some(at) => (&entry[..at], &entry[at + 1..]),
                // `[section] key` without a value means true.
                None => (entry, b"true".as_slice()),
            };
            let name = String::from_utf8_lossy(key);
            if name == "core.sshcommand" {
                setup.connects_in_own_way = true;
            }
            let own = matches!(scope, b"local" | b"worktree");
            // Single values are copied from every file, since an `includeIf` may choose by the checkout's folder. Lists
            // would be doubled, as git reads the global file again.
            if checkout && (own && is_list(&name) || (own || scope == b"global") && is_single(&name)) {
                setup.add(OsStr::from_bytes(key), OsStr::from_bytes(value));
            }
        }
        setup
    }
}

fn is_single(key: &str) -> bool {
    matches!(
        key,
        "user.name"
            | "user.email"
            | "user.signingkey"
            | "gpg.format"
            | "gpg.program"
            | "gpg.openpgp.program"
            | "gpg.x509.program"
            | "gpg.mintrustlevel"
            | "tag.gpgsign"
            | "commit.gpgsign"
            | "core.sshcommand"
            | "ssh.variant"
    ) || key.starts_with("gpg.ssh.")
}

fn is_list(key: &str) -> bool {
    let rewrites =
        key.starts_with("url.") && (key.ends_with(".insteadof") || key.ends_with(".pushinsteadof"));
    rewrites || key.starts_with("credential.")
}

/// A remote as a call names it: by [`Remote::NAME`], configured for that call only.
pub(super) struct Remote {
    /// The user's configuration with the remote's address in it.
    pub(super) user: UserSetup,
    /// The address for people.
    pub(super) shown: String,
    /// Words that must not appear anywhere.
    pub(super) secrets: Vec<String>,
    /// Variables for the helper that answers git's question for a password.
    pub(super) answers: Vec<(&'static str, String)>,
}

/// Answers git's question for the password with what the address contained.
const HELPER: &str = r#"!f() { test "$1" = get && printf 'username=%s\npassword=%s\n' "$TOLLGATE_GIT_USER" "$TOLLGATE_GIT_PASSWORD"; }; f"#;

impl Remote {
    /// The name of the remote in every call.
    pub(super) const NAME: &'static str = "tollgate-remote";

    /// Makes the configuration for reaching a repository.
    pub(super) async fn of(git: &Git, repository: &Repository) -> Result<Remote, PortError> {
        check_url(&repository.url)?;
        let mut user = UserSetup::read(git, repository).await?;
        let (url, secret) = without_password(&repository.url);
        let (mut secrets, mut answers) = (Vec::new(), Vec::new());
        if let Some(Secret { place, user: name, password }) = secret {
            // git would put the address with the password into the argument list of its helper program.
            match password {
                None => user.add(format!("credential.{place}.username"), name),
                Some(password) => {
                    user.add(format!("credential.{place}.helper"), "");
                    user.add(format!("credential.{place}.helper"), HELPER);
                    answers.push(("TOLLGATE_GIT_USER", name));
                    answers.push(("TOLLGATE_GIT_PASSWORD", password.clone()));
                    secrets.push(password);
                }
            }
        }
        user.add(format!("remote.{}.url", Self::NAME), url);
        Ok(Remote { user, shown: super::text::without_credentials(&repository.url), secrets, answers })
    }
}

/// Who and what to say to a place over http.
struct Secret {
    place: String,
    user: String,
    password: Option<String>,
}

/// Takes user and password out of an http address.
fn without_password(url: &str) -> (String, Option<Secret>) {
    let Some((scheme, rest)) = url.split_once("://").filter(|(s, _)| matches!(*s, "http" | "https")) else {
        return (url.to_owned(), None);
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let Some((who, host)) = authority.rsplit_once('@') else {
        return (url.to_owned(), None);
    };
    let (user, password) = match who.split_once(':') {
        Some((user, password)) => (user, Some(decoded(password))),
        None => (who, None),
    };
    let place = format!("{scheme}://{host}");
    (format!("{place}{path}"), Some(Secret { place, user: decoded(user), password }))
}

/// Undoes percent-encoding.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digits = bytes.get(at + 1..at + 3).and_then(|pair| std::str::from_utf8(pair).ok());
        match digits.filter(|_| bytes[at] == b'%').and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// An address git may be given: no option, no remote helper, nothing that depends on the current folder.
pub(super) fn check_url(url: &str) -> Result<(), PortError> {
    let refuse = |why: &str| {
        let hint = "use a URL, an address like git@host:path, or an absolute path";
        Err(permanent(format!("use the remote {url}"), why, Some(hint)))
    };
    if url.is_empty() {
        return refuse("the address is empty");
    }
    if url.starts_with('-') {
        return refuse("the address starts with a hyphen, like an option");
    }
    if url.chars().any(char::is_control) {
        return refuse("the address contains a control character");
    }
    let scheme = url.split_once("://").map(|(scheme, _)| scheme);
    if let Some(scheme) = scheme.filter(|s| !s.contains('/')) {
        return match scheme {
            "http" | "https" | "ssh" | "git" | "git+ssh" | "ssh+git" | "file" => Ok(()),
            _ => refuse("the address has an unknown scheme"),
        };
    }
    let before_slash = url.split('/').next().unwrap_or_default();
    if before_slash.contains("::") && !before_slash.contains('[') {
        return refuse("the address would start a helper program");
    }
    if Path::new(url).is_absolute() || before_slash.contains(':') {
        return Ok(());
    }
    refuse("the address is neither a URL nor an absolute path")
}

/// A folder's name from what git printed.
pub(super) fn path_from(bytes: &[u8]) -> std::path::PathBuf {
    OsString::from_vec(bytes.to_vec()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &str)]) -> Environment {
        Environment::new(pairs.iter().map(|(k, v)| (k.into(), v.into())))
    }

    fn get<'a>(variables: &'a BTreeMap<OsString, OsString>, name: &str) -> Option<&'a str> {
        variables.get(OsStr::new(name)).and_then(|value| value.to_str())
    }

    #[test]
    fn the_environment_is_chosen() {
        let environment = of(&[
            ("HOME", "/h"),
            ("GIT_DIR", "/elsewhere"),
            ("GIT_INDEX_FILE", "/elsewhere/index"),
            ("GIT_TRACE", "1"),
            ("GIT_AUTHOR_NAME", "A"),
            ("LC_MESSAGES", "de_DE.UTF-8"),
            ("SSH_ASKPASS", "/bin/x"),
            ("GIT_CONFIG_COUNT", "2"),
            ("GIT_CONFIG_KEY_0", "a.b"),
            ("GIT_CONFIG_VALUE_0", "env"),
            ("GIT_CONFIG_KEY_1", "no.value"),
        ]);
        let mut user = UserSetup::default();
        user.add("a.b", "checkout");
        let variables = environment.variables(Some(&user));
        assert_eq!(get(&variables, "HOME"), Some("/h"));
        assert_eq!(get(&variables, "GIT_AUTHOR_NAME"), Some("A"));
        for gone in
            ["GIT_DIR", "GIT_INDEX_FILE", "GIT_TRACE", "LC_MESSAGES", "SSH_ASKPASS", "GIT_CONFIG_KEY_2"]
        {
            assert_eq!(get(&variables, gone), None, "{gone}");
        }
        assert_eq!(get(&variables, "GIT_CONFIG_COUNT"), Some("2"));
        assert_eq!(get(&variables, "GIT_CONFIG_VALUE_0"), Some("checkout"));
        assert_eq!(get(&variables, "GIT_CONFIG_VALUE_1"), Some("env"));
        assert!(get(&variables, "GIT_SSH_COMMAND").is_some_and(|ssh| ssh.contains("BatchMode=yes")));
        assert_eq!(get(&environment.variables(None), "GIT_SSH_COMMAND"), None);
        let own = of(&[("GIT_SSH_COMMAND", "my-ssh")]).variables(Some(&UserSetup::default()));
        assert_eq!(get(&own, "GIT_SSH_COMMAND"), Some("my-ssh"));
    }

    #[test]
    fn of_the_checkout_only_an_allow_list_counts() {
        let listing =
            b"global\0user.name\nG\0local\0user.name\nL\0local\0core.hookspath\n/x\0local\0tag.gpgsign\0\
            global\0credential.helper\nstore\0local\0credential.helper\ncache\0local\0alias.x\n!rm\0\
            local\0url.ssh://h/.insteadof\nhttps://h/\0system\0user.email\ns\0local\0filter.x.smudge\nevil\0";
        let setup = UserSetup::parse(listing, true);
        let shown: Vec<String> =
            setup.entries.iter().map(|(k, v)| format!("{}={}", k.display(), v.display())).collect();
        assert_eq!(
            shown,
            [
                "user.name=G",
                "user.name=L",
                "tag.gpgsign=true",
                "credential.helper=cache",
                "url.ssh://h/.insteadof=https://h/"
            ]
        );
        assert!(!setup.connects_in_own_way);
        assert!(UserSetup::parse(b"global\0core.sshcommand\nx\0", false).connects_in_own_way);
        assert!(UserSetup::parse(listing, false).entries.is_empty());
    }

    #[test]
    fn addresses_are_checked() {
        for good in [
            "https://host/x.git",
            "ssh://git@host:22/x",
            "git@host:x/y.git",
            "/srv/x.git",
            "file:///srv/x",
            "[::1]:x",
            "git@[::1]:x",
        ] {
            assert!(check_url(good).is_ok(), "{good}");
        }
        for bad in ["", "-x", "--upload-pack=x", "ext::sh -c x", "x/y", "a\nb:c", "fd::3", "ext://x", "../x"]
        {
            assert!(check_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn passwords_leave_the_address() {
        let (url, secret) = without_password("https://me:p%40ss@host:8/x.git");
        let secret = secret.unwrap();
        assert_eq!((url.as_str(), secret.place.as_str()), ("https://host:8/x.git", "https://host:8"));
        assert_eq!((secret.user.as_str(), secret.password.as_deref()), ("me", Some("p@ss")));
        assert_eq!(decoded("%4"), "%4");
        assert_eq!(decoded("a%zzb"), "a%zzb");
        for same in ["https://host/x", "git@host:x", "ssh://git@host/x", "/x:y@z"] {
            assert_eq!(without_password(same).0, same);
        }
    }
}
