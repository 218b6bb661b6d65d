//! The user's working copy is read, and never touched.

use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use tollgate_engine::ports::{PushOutcome, RefUpdate, Sign, Source as _};

use crate::{World, permanent, tag_request};

#[tokio::test]
async fn a_working_copy_is_described() {
    let world = World::new();
    let user = world.checkout();
    let look = async |path: &str| world.git.checkout(&world.path(path)).await;
    let seen = look("checkout/src/lib.rs").await.unwrap();
    assert_eq!(seen.root.canonicalize().unwrap(), user.folder.canonicalize().unwrap());
    assert_eq!(seen.branch.as_deref(), Some("main"));
    assert_eq!(seen.head.unwrap().0, user.head());
    assert_eq!(seen.remote_url.as_deref(), Some(world.repository.url.as_str()));
    assert!(seen.dirty.is_empty() && !seen.shallow);

    std::fs::write(user.folder.join("VERSION"), "changed").unwrap();
    std::fs::write(user.folder.join("new \u{1b}[31m file"), "x").unwrap();
    std::fs::write(user.folder.join("staged"), "x").unwrap();
    user.git(&["add", "staged"]);
    std::fs::remove_file(user.folder.join("src/lib.rs")).unwrap();
    let mut dirty = look("checkout").await.unwrap().dirty;
    dirty.sort();
    assert_eq!(dirty, ["VERSION", "new [31m file", "src/lib.rs", "staged"]);
    for n in 0..200 {
        std::fs::write(user.folder.join(format!("many {n}")), "x").unwrap();
    }
    assert_eq!(look("checkout").await.unwrap().dirty.len(), 100);
}

#[tokio::test]
async fn heads_of_all_kinds() {
    let world = World::new();
    let user = world.checkout();
    user.git(&["checkout", "--quiet", "--detach"]);
    let seen = world.git.checkout(&user.folder).await.unwrap();
    assert!(seen.branch.is_none() && seen.head.is_some());

    let unborn = world.home.init(world.path("unborn"));
    let seen = world.git.checkout(&unborn.folder).await.unwrap();
    assert_eq!((seen.branch.as_deref(), seen.head, seen.remote_url), (Some("main"), None, None));

    let url = format!("file://{}", world.repository.url);
    world.home.git(&world.path("."), &["clone", "--quiet", "--depth=1", &url, "shallow"]);
    assert!(world.git.checkout(&world.path("shallow")).await.unwrap().shallow);

    user.git(&["checkout", "--quiet", "main"]);
    user.git(&["worktree", "add", "--quiet", "-b", "other", "../linked"]);
    assert_eq!(world.git.checkout(&world.path("linked")).await.unwrap().branch.as_deref(), Some("other"));

    user.git(&["remote", "rename", "origin", "upstream"]);
    user.git(&["remote", "set-url", "upstream", "../remote.git"]);
    let url = world.git.checkout(&user.folder).await.unwrap().remote_url.unwrap();
    assert!(url.starts_with('/') && url.ends_with("/remote.git"), "{url}");
    user.git(&["remote", "add", "another", "/x"]);
    assert_eq!(world.git.checkout(&user.folder).await.unwrap().remote_url, None);
}

#[tokio::test]
async fn what_is_no_working_copy_is_refused() {
    let world = World::new();
    let error = permanent(world.git.checkout(&world.path("home")).await);
    assert!(error.hint.is_some(), "{error:?}");
    permanent(world.git.checkout(&world.path("remote.git")).await);
    permanent(world.git.checkout(&world.path("checkout/.git")).await);
    permanent(world.git.checkout(&world.path("nowhere")).await);
    permanent(world.git.checkout(std::path::Path::new("relative")).await);
}

#[tokio::test]
async fn submodules_do_no_harm() {
    let world = World::new();
    let user = world.checkout();
    let url = &world.repository.url;
    user.git(&["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", url, "sub"]);
    user.commit("x", "x", "with a submodule");
    user.git(&["push", "--quiet", "origin", "main"]);
    std::fs::write(user.folder.join("sub/VERSION"), "changed").unwrap();
    let seen = world.git.checkout(&user.folder).await.unwrap();
    assert_eq!(seen.dirty, ["sub"]);

    world.refresh().await;
    let main = world.main().await;
    let out = world.path("out");
    world.git.lay_out(&world.repository, &main, &out).await.unwrap();
    assert!(out.join("sub").is_dir() && out.join("x").is_file());
    let error = permanent(world.git.read_file(&world.repository, &main, "sub").await);
    assert!(error.why.contains("submodule"), "{error:?}");
    let error = permanent(world.edit(&main, "sub/VERSION", "2").await);
    assert!(error.why.contains("submodule") && error.hint.is_some(), "{error:?}");
    // What is in it is told of it, and not as missing; and in the working copy, where it can be read, not as ours.
    for path in ["sub/VERSION", "sub/deep/VERSION"] {
        let error = permanent(world.git.read_file(&world.repository, &main, path).await);
        assert!(error.why.contains("`sub` is a submodule") && error.hint.is_some(), "{error:?}");
        let error = permanent(world.git.working_file(&seen, path).await);
        assert!(error.why.contains("`sub` is a repository of its own") && error.hint.is_some(), "{error:?}");
    }
}

/// Everything in a folder with what would show that it was written to.
fn fingerprint(folder: &std::path::Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let facts = entry.path().symlink_metadata().unwrap();
            let (path, size) = (entry.path().display().to_string(), facts.len());
            found.push(format!("{path} {size} {} {} {}", facts.ino(), facts.mtime(), facts.mtime_nsec()));
            if facts.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    found.sort();
    found
}

#[tokio::test]
async fn the_checkout_is_never_written_to() {
    let world = World::new();
    let user = world.checkout();
    user.hook("post-index-change", "#!/bin/sh\ntouch hook-was-here\n");
    user.hook("pre-push", "#!/bin/sh\ntouch hook-was-here\n");
    user.hook("reference-transaction", "#!/bin/sh\ntouch hook-was-here\n");
    // Entries whose times do not fit tempt git to write a fresh index.
    std::fs::write(user.folder.join("VERSION"), "1\n").unwrap();
    std::fs::write(user.folder.join("untracked"), "x").unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    let before = fingerprint(&user.folder);
    assert_eq!(world.git.checkout(&user.folder).await.unwrap().dirty, ["untracked"]);
    world.refresh().await;
    let main = world.main().await;
    let commit = world.commit(&main, "VERSION", "2\n").await;
    let tag =
        world.git.tag(&world.repository, &tag_request("v2", &commit, Sign::AsConfigured)).await.unwrap();
    world.git.lay_out(&world.repository, &commit, &world.path("out")).await.unwrap();
    let refs = [
        RefUpdate { name: "refs/heads/main".to_owned(), object: commit },
        RefUpdate { name: "refs/tags/v2".to_owned(), object: tag.object },
    ];
    assert_eq!(world.git.push(&world.repository, &refs).await.unwrap(), PushOutcome::Done);
    world.git.history(&world.repository, None, &main, 5).await.unwrap();
    assert_eq!(fingerprint(&user.folder), before);
}

#[tokio::test]
async fn a_checkout_that_is_gone_is_an_error() {
    let world = World::new();
    std::fs::remove_dir_all(world.path("checkout")).unwrap();
    let error = permanent(world.git.refresh(&world.repository).await);
    assert!(error.hint.is_some(), "{error:?}");
}
