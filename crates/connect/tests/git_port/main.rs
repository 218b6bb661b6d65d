//! The port to git, on real repositories.

mod beside;
mod checkout;
mod clone;
mod history;
mod hostile;
mod http;
mod merge;
mod pick;
mod placed;
mod push;
mod remotes;
mod rivals;
mod sign;
mod special;
mod ssh;
mod verify;
mod version_files;
mod write;

use std::path::PathBuf;

use jiff::Timestamp;
use tempfile::TempDir;
use tollgate_connect::git::Git;
use tollgate_engine::ports::{
    CommitRequest, FailureClass, FileEdit, ObjectId, PortError, Repository, Sign, Source as _, TagRequest,
};
use tollgate_testkit::git::{GitHome, Repo};

/// A home, a remote with a branch, somebody's checkout of it, and Tollgate.
struct World {
    folder: TempDir,
    home: GitHome,
    git: Git,
    repository: Repository,
}

impl World {
    /// Two commits and a tag `v1` on the first.
    fn new() -> World {
        let world = World::empty();
        let user = world.checkout();
        user.commit("VERSION", "1\n", "one");
        user.git(&["tag", "-a", "-m", "first", "v1"]);
        user.commit("src/lib.rs", "// two\n", "two");
        user.git(&["push", "--quiet", "origin", "main", "v1"]);
        world
    }

    /// An empty remote.
    fn empty() -> World {
        World::with(|_| {})
    }

    fn with(prepare: impl FnOnce(&mut GitHome)) -> World {
        let folder = tempfile::Builder::new().prefix("tg").tempdir().unwrap();
        for name in ["home", "state"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let mut home = GitHome::new(folder.path().join("home"));
        prepare(&mut home);
        let remote = home.init_bare(folder.path().join("remote.git"));
        remote.clone_to(folder.path().join("checkout"));
        let git = Git::new(home.environment());
        let repository = Repository {
            url: folder.path().join("remote.git").display().to_string(),
            clone: folder.path().join("state/clone.git"),
            checkout: Some(folder.path().join("checkout")),
        };
        World { folder, home, git, repository }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn remote(&self) -> Repo<'_> {
        self.home.repo(self.path("remote.git"))
    }

    fn checkout(&self) -> Repo<'_> {
        self.home.repo(self.path("checkout"))
    }

    fn clone(&self) -> Repo<'_> {
        self.home.repo(self.repository.clone.clone())
    }

    /// A shell script that can be started.
    fn program(&self, name: &str, script: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.path(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    async fn refresh(&self) {
        self.git.refresh(&self.repository).await.unwrap();
    }

    async fn main(&self) -> ObjectId {
        self.git.resolve(&self.repository, "refs/heads/main").await.unwrap().unwrap()
    }

    async fn edit(&self, base: &ObjectId, path: &str, content: &str) -> Result<ObjectId, PortError> {
        let edit = FileEdit::write(path, content);
        self.git.edit_tree(&self.repository, base, &[edit]).await
    }

    /// A commit on top of another with one file changed.
    async fn commit(&self, parent: &ObjectId, path: &str, content: &str) -> ObjectId {
        let tree = self.edit(parent, path, content).await.unwrap();
        let request = commit_request(tree, parent);
        self.git.commit(&self.repository, &request).await.unwrap()
    }
}

fn commit_request(tree: ObjectId, parent: &ObjectId) -> CommitRequest {
    CommitRequest {
        tree,
        parents: vec![parent.clone()],
        message: "Release 2\n\n# not a comment\n".to_owned(),
        at: at(),
        sign: Sign::Never,
    }
}

fn tag_request(name: &str, target: &ObjectId, sign: Sign) -> TagRequest {
    let message = "Release 2\n\n# Added\n\n- things".to_owned();
    TagRequest { name: name.to_owned(), target: target.clone(), message, at: at(), sign }
}

fn at() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

fn id(text: &str) -> ObjectId {
    ObjectId(text.to_owned())
}

/// The error of a call, which has to be of a class and plain.
#[track_caller]
fn failure<T: std::fmt::Debug>(result: Result<T, PortError>, class: FailureClass) -> PortError {
    let error = result.expect_err("a failure");
    assert_eq!(error.class, class, "{error:?}");
    let text = format!("{error} {}", error.hint.as_deref().unwrap_or_default());
    assert!(!text.chars().any(char::is_control), "{text:?}");
    assert!(text.len() < 2000, "{text:?}");
    error
}

#[track_caller]
fn permanent<T: std::fmt::Debug>(result: Result<T, PortError>) -> PortError {
    failure(result, FailureClass::Permanent)
}
