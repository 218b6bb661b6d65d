//! The files of a commit, laid out for commands to run in.

use std::path::Path;

use tollgate_engine::ports::{ObjectId, PortError, Repository};

use super::Git;
use super::fault::{self, permanent};
use super::lock::Reading;
use super::read::object;
use super::refresh::need_clone;
use super::run::Call;

/// What would make the files other than the commit has them. Filters are off by the clone's own attributes.
const PLAIN: &[&str] = &["core.autocrlf=false", "core.symlinks=true", "core.sparseCheckout=false"];

/// Lays the files of a commit or tree out in a folder.
pub(super) async fn lay_out(
    git: &Git,
    repository: &Repository,
    tree: &ObjectId,
    folder: &Path,
) -> Result<(), PortError> {
    let what = format!("lay the files of {tree} out in {}", folder.display());
    let tree = object(tree)?;
    need_clone(repository, &what)?;
    check_folder(&what, repository, folder)?;
    let turn = Reading::in_clone(git, repository).await?;
    let place = folder.to_owned();
    let emptied = tokio::task::spawn_blocking(move || empty(&place)).await;
    emptied
        .unwrap_or_else(|error| Err(std::io::Error::other(error)))
        .map_err(|error| fault::io(&what, &error))?;
    let scratch = turn.scratch().map_err(|error| fault::io(&what, &error))?;
    let index = scratch.path().join("index");
    let call = || Call::within(git, repository, &what).configured(PLAIN).variable("GIT_INDEX_FILE", &index);
    call().args(["read-tree", tree]).stdout().await?;
    call()
        .variable("GIT_WORK_TREE", folder)
        .folder(folder)
        .args(["checkout-index", "--all", "--force", "--quiet"])
        .stdout()
        .await?;
    Ok(())
}

/// Refuses folders whose contents are surely not ours to remove.
fn check_folder(what: &str, repository: &Repository, folder: &Path) -> Result<(), PortError> {
    let refuse = |why: &str| Err(permanent(what, why, Some("name a folder of its own for it")));
    let strange = folder.components().any(|part| matches!(part, std::path::Component::ParentDir));
    if !folder.is_absolute() || strange || folder.file_name().is_none() {
        return refuse("the path is not that of a folder that could be emptied");
    }
    let Ok(found) = folder.symlink_metadata() else { return Ok(()) };
    if !found.is_dir() {
        return refuse("it is not a folder");
    }
    if folder.join(".git").symlink_metadata().is_ok() {
        return refuse("it is a git working copy");
    }
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let folder = real(folder);
    let clone = real(&repository.clone);
    let checkout = repository.checkout.as_deref().map(real);
    let within = checkout.as_ref().is_some_and(|checkout| folder.starts_with(checkout));
    if clone.starts_with(&folder) || folder.starts_with(&clone) {
        return refuse("the clone is in it, or it is in the clone");
    }
    if within || checkout.is_some_and(|checkout| checkout.starts_with(&folder)) {
        return refuse("the user's checkout is in it, or it is in the checkout");
    }
    Ok(())
}

/// Makes a folder, or removes what is in it. Links are removed, not followed.
fn empty(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            std::fs::remove_dir_all(entry.path())?;
        } else {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
