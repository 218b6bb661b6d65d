//! Finding the repository that contains a folder, to read its history where it is.

use std::path::Path;

use tollgate_engine::ports::{FoundRepository, ObjectId, PortError, Repository};

use super::Git;
use super::environment::path_from;
use super::fault::{self, Reach, permanent};
use super::names;
use super::run::{Call, Output};

/// The repository around a folder; `None` when there is none.
pub(super) async fn find(git: &Git, folder: &Path) -> Result<Option<FoundRepository>, PortError> {
    let what = format!("look for a repository at {}", folder.display());
    if !folder.is_absolute() {
        return Err(permanent(what, "the path is not absolute", None));
    }
    // Where it really is, since git counts from there how deep the folder lies.
    let folder = &folder.canonicalize().map_err(|error| fault::io(&what, &error))?;
    // What is asked last fails where there is no commit yet; the answers before it have been printed by then.
    let asked = Call::new(git, &what)
        .folder(folder)
        .args(["rev-parse", "--is-shallow-repository", "--is-bare-repository", "--absolute-git-dir"])
        .args(["--git-path", "objects", "--show-prefix", "HEAD^{commit}"])
        .output()
        .await?;
    let mut lines = asked.stdout.split(|byte| *byte == b'\n');
    let (Some(shallow @ (b"true" | b"false")), Some(bare), Some(clone), Some(objects)) =
        (lines.next(), lines.next(), lines.next(), lines.next())
    else {
        return nothing(&asked, &what);
    };
    let (clone, objects) = (path_from(clone), folder.join(path_from(objects)));
    let inside = lines.next().map(path_from).unwrap_or_default();
    let head = lines.next().and_then(|line| std::str::from_utf8(line).ok());
    let head = match head.filter(|head| names::is_object(head)) {
        Some(head) => Some(ObjectId(head.to_owned())),
        None => {
            unborn(git, &clone, &what).await?;
            None
        }
    };
    let root = folder.ancestors().nth(inside.components().count()).unwrap_or(folder);
    let checkout = (bare == b"false").then(|| root.to_path_buf());
    Ok(Some(FoundRepository {
        repository: Repository { url: String::new(), clone, checkout },
        head,
        shallow: shallow == b"true",
        partial: has_promises(&objects),
    }))
}

fn nothing(asked: &Output, what: &str) -> Result<Option<FoundRepository>, PortError> {
    let said = asked.stderr.to_lowercase();
    if said.contains("not a git repository") && asked.status != Some(0) {
        return Ok(None);
    }
    Err(asked.fault(what, Reach::Local))
}

/// That there is no commit is one thing; that the one that should be there is missing is another.
async fn unborn(git: &Git, clone: &Path, what: &str) -> Result<(), PortError> {
    let head =
        Call::new(git, what).git_dir(clone).args(["rev-parse", "--verify", "--quiet", "HEAD"]).output();
    let head = head.await?;
    if head.status != Some(0) {
        return Ok(());
    }
    let id = String::from_utf8_lossy(&head.stdout).trim().to_owned();
    let hint = "the repository is damaged: see `git fsck`, or clone it anew";
    Err(permanent(what, format!("HEAD is {id}, which is no commit that is there"), Some(hint)))
}

/// Whether somebody else keeps objects for this repository: their packs are marked so.
fn has_promises(objects: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(objects.join("pack")) else { return false };
    entries
        .flatten()
        .any(|entry| Path::new(&entry.file_name()).extension().is_some_and(|end| end == "promisor"))
}
