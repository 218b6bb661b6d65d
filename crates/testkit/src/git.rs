//! Real git repositories in temporary folders, untouched by the configuration of whoever runs the tests.
//!
//! Everything panics on failure: a test that cannot set its scene has failed.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

/// Seconds since 1970 of the first commit that is made; each one is a minute after the one before.
pub const FIRST_COMMIT_AT: u64 = 1_700_000_000;

/// A home folder with a git configuration of its own.
#[derive(Debug)]
pub struct GitHome {
    folder: PathBuf,
    extra: Vec<(OsString, OsString)>,
    commits: AtomicU64,
}

impl GitHome {
    /// Makes a home in a folder that is there, with a name and a mail address.
    pub fn new(folder: impl Into<PathBuf>) -> GitHome {
        let home = GitHome { folder: folder.into(), extra: Vec::new(), commits: AtomicU64::new(0) };
        home.configure("user.name", "Ada Tester");
        home.configure("user.email", "ada@example.org");
        home
    }

    /// Removes the name and the mail address.
    pub fn forget_who(&self) {
        self.git(&self.folder, &["config", "--global", "--remove-section", "user"]);
    }

    /// Adds a variable to the environment.
    pub fn set(&mut self, name: &str, value: impl Into<OsString>) {
        self.extra.push((name.into(), value.into()));
    }

    /// Sets a value in the global configuration.
    pub fn configure(&self, key: &str, value: &str) {
        self.git(&self.folder, &["config", "--global", key, value]);
    }

    /// The environment of somebody who lives here.
    pub fn environment(&self) -> Vec<(OsString, OsString)> {
        let mut environment = vec![
            ("PATH".into(), std::env::var_os("PATH").unwrap_or_default()),
            ("HOME".into(), self.folder.clone().into()),
            ("GIT_CONFIG_NOSYSTEM".into(), "1".into()),
        ];
        environment.extend(self.extra.iter().cloned());
        environment
    }

    /// Runs git and gives back what it printed, without the last newline.
    pub fn git(&self, folder: &Path, arguments: &[&str]) -> String {
        let output = self.try_git(folder, arguments);
        assert!(
            output.status.success(),
            "git {arguments:?} in {}: {}",
            folder.display(),
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).trim_end_matches('\n').to_owned()
    }

    /// Runs git, whatever comes of it.
    pub fn try_git(&self, folder: &Path, arguments: &[&str]) -> Output {
        let mut command = self.command(folder);
        command.args(arguments).stdin(Stdio::null());
        command.output().unwrap_or_else(|error| panic!("git {arguments:?}: {error}"))
    }

    fn command(&self, folder: &Path) -> Command {
        let at = FIRST_COMMIT_AT + 60 * self.commits.load(Ordering::Relaxed);
        let date = format!("@{at} +0000");
        let mut command = Command::new("git");
        command
            .current_dir(folder)
            .env_clear()
            .envs(self.environment())
            .env("LC_ALL", "C")
            .env("GIT_AUTHOR_DATE", &date)
            .env("GIT_COMMITTER_DATE", &date);
        command
    }

    /// Makes a repository with a working copy, on `main`.
    pub fn init(&self, folder: impl Into<PathBuf>) -> Repo<'_> {
        self.init_with(folder, &[])
    }

    /// Makes a bare repository.
    pub fn init_bare(&self, folder: impl Into<PathBuf>) -> Repo<'_> {
        self.init_with(folder, &["--bare"])
    }

    /// Makes a repository with options of `git init`.
    pub fn init_with(&self, folder: impl Into<PathBuf>, options: &[&str]) -> Repo<'_> {
        let repo = self.repo(folder);
        std::fs::create_dir_all(&repo.folder).expect("a folder for the repository");
        repo.git(&[&["init", "--quiet", "--initial-branch=main"], options].concat());
        repo
    }

    /// A repository that is there.
    pub fn repo(&self, folder: impl Into<PathBuf>) -> Repo<'_> {
        Repo { home: self, folder: folder.into() }
    }
}

/// A repository on disk.
#[derive(Debug, Clone)]
pub struct Repo<'a> {
    home: &'a GitHome,
    /// Its folder.
    pub folder: PathBuf,
}

impl Repo<'_> {
    /// Runs git in it.
    pub fn git(&self, arguments: &[&str]) -> String {
        self.home.git(&self.folder, arguments)
    }

    /// Writes a file and commits everything; the commit's id.
    pub fn commit(&self, path: &str, content: &str, message: &str) -> String {
        let file = self.folder.join(path);
        if let Some(parent) = file.parent() {
            std::fs::create_dir_all(parent).expect("a folder for the file");
        }
        std::fs::write(&file, content).expect("a file");
        self.home.commits.fetch_add(1, Ordering::Relaxed);
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "-m", message]);
        self.head()
    }

    /// What the head points to.
    pub fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"])
    }

    /// Writes an object of any content; its id.
    pub fn object(&self, kind: &str, content: &[u8]) -> String {
        self.feed(&["hash-object", "-t", kind, "-w", "--stdin", "--literally"], content)
    }

    /// Moves an object into a pack of its own.
    pub fn pack(&self, object: &str) {
        self.feed(&["pack-objects", "--quiet", "objects/pack/pack"], object.as_bytes());
        self.git(&["prune-packed"]);
    }

    /// Runs git with an input.
    pub fn feed(&self, arguments: &[&str], input: &[u8]) -> String {
        use std::io::Write as _;
        let mut command = self.home.command(&self.folder);
        let mut child =
            command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("git");
        child.stdin.take().expect("its input").write_all(input).expect("writing to it");
        let output = child.wait_with_output().expect("its end");
        assert!(output.status.success(), "git {arguments:?} failed");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// A clone of it with a working copy.
    pub fn clone_to(&self, folder: impl Into<PathBuf>) -> Self {
        let folder = folder.into();
        let (from, to) = (self.folder.to_string_lossy(), folder.to_string_lossy());
        self.git(&["clone", "--quiet", &from, &to]);
        Self { home: self.home, folder }
    }

    /// Every ref with what it points to, one a line.
    pub fn refs(&self) -> String {
        self.git(&["for-each-ref", "--format=%(objectname) %(refname)"])
    }

    /// Puts an executable hook in.
    pub fn hook(&self, name: &str, script: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let hooks = self.folder.join(self.git(&["rev-parse", "--git-dir"])).join("hooks");
        std::fs::create_dir_all(&hooks).expect("a folder for hooks");
        let hook = hooks.join(name);
        std::fs::write(&hook, script).expect("a hook");
        std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).expect("an executable hook");
    }
}
