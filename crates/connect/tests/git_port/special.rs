//! Repositories of special kinds, seen through Tollgate's own clone: cut short, with large files elsewhere, with others inside.

use tollgate_engine::ports::{FileEdit, PushOutcome, RefUpdate, Repository, Sign, Source as _};

use crate::{World, tag_request};

/// What Git LFS commits instead of a large file.
const POINTER: &str = "version https://git-lfs.github.com/spec/v1\n\
    oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n";

#[tokio::test]
async fn pointers_of_large_files_stay_as_they_are() {
    let mut world = World::new();
    // A filter that would be called by whoever checks files out: here it would leave a trace, and spoil the content.
    let trace = world.path("trace");
    let filter = world.program("filter", &format!("touch {}\necho spoilt\n", trace.display()));
    world.home.set("GIT_LFS_SKIP_SMUDGE", "0");
    let user = world.checkout();
    user.commit(".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n", "chore: large files");
    user.commit("data/model.bin", POINTER, "feat: a model");
    user.git(&["push", "--quiet", "origin", "main"]);
    for part in ["smudge", "clean"] {
        world.home.configure(&format!("filter.lfs.{part}"), &filter.display().to_string());
    }
    world.home.configure("filter.lfs.required", "true");
    world.refresh().await;
    let main = world.main().await;
    let commit = world.commit(&main, "VERSION", "2\n").await;
    let show = |path: &str| world.clone().git(&["show", &format!("{commit}:{path}")]);
    assert_eq!((show("VERSION").as_str(), show("data/model.bin")), ("2", POINTER.trim_end().to_owned()));
    let folder = world.path("files");
    world.git.lay_out(&world.repository, &commit, &folder).await.unwrap();
    assert_eq!(std::fs::read_to_string(folder.join("data/model.bin")).unwrap(), POINTER);
    assert!(!trace.exists(), "no program of the user's runs because a tree asks for it");
}

#[tokio::test]
async fn a_pointer_of_a_large_file_is_not_read_as_that_file() {
    let world = World::new();
    let user = world.checkout();
    let long = format!("{POINTER}{}", "x".repeat(1024));
    user.commit("VERSION", POINTER, "chore: a large version");
    user.commit("long", &long, "docs: about pointers");
    user.commit("about", &format!("On {POINTER}"), "docs: about pointers");
    user.git(&["push", "--quiet", "origin", "main"]);
    world.refresh().await;
    let main = world.main().await;
    let checkout = world.git.checkout(&user.folder).await.unwrap();
    for read in [
        world.git.read_file(&world.repository, &main, "VERSION").await,
        world.git.working_file(&checkout, "VERSION").await,
    ] {
        let error = crate::permanent(read);
        assert!(error.why.contains("LFS") && error.hint.is_some(), "{error:?}");
    }
    for (path, content) in [("long", long), ("about", format!("On {POINTER}"))] {
        let read = world.git.read_file(&world.repository, &main, path).await.unwrap();
        assert_eq!(read, Some(content.into_bytes()), "{path}");
    }
    // git-lfs puts the file itself there.
    std::fs::write(user.folder.join("VERSION"), "1.0.0\n").unwrap();
    let read = world.git.working_file(&checkout, "VERSION").await.unwrap();
    assert_eq!(read.as_deref(), Some(&b"1.0.0\n"[..]));
}

#[tokio::test]
async fn what_is_inside_a_repository_stays_where_it_points_to() {
    let world = World::new();
    let user = world.checkout();
    let inner = world.home.init(world.path("inner"));
    inner.commit("x", "1", "inner");
    let url = inner.folder.display().to_string();
    user.git(&["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", &url, "vendor/inner"]);
    user.commit("VERSION", "1.5\n", "feat: something of others");
    user.git(&["push", "--quiet", "origin", "main"]);
    // It cannot be reached any more, and need not be.
    std::fs::remove_dir_all(&inner.folder).unwrap();
    world.refresh().await;
    let main = world.main().await;
    let edits = [FileEdit::write("VERSION", "2\n"), FileEdit::write("vendor/note", "beside it\n")];
    let tree = world.git.edit_tree(&world.repository, &main, &edits).await.unwrap();
    let commit = world.git.commit(&world.repository, &crate::commit_request(tree, &main)).await.unwrap();
    let link = |revision: &str| world.clone().git(&["ls-tree", revision, "vendor/inner"]);
    assert!(link(&commit.0).starts_with("160000 commit"), "{}", link(&commit.0));
    assert_eq!(link(&commit.0), link(&main.0));
    world.git.lay_out(&world.repository, &commit, &world.path("files")).await.unwrap();
    assert_eq!(std::fs::read_to_string(world.path("files/vendor/note")).unwrap(), "beside it\n");
}

#[tokio::test]
async fn a_shallow_or_partial_working_copy_does_not_shorten_what_is_released() {
    for option in ["--depth=1", "--filter=blob:none", "--filter=tree:0"] {
        let world = World::new();
        let remote = world.remote();
        remote.git(&["config", "uploadpack.allowFilter", "true"]);
        let url = format!("file://{}", remote.folder.display());
        let folder = world.path("short");
        remote.git(&["clone", "--quiet", option, "--no-tags", &url, &folder.display().to_string()]);
        // The release is made from it as it is: the clone of our own has all that the remote has.
        let repository = Repository { url, checkout: Some(folder.clone()), ..world.repository.clone() };
        world.git.refresh(&repository).await.unwrap();
        let main = world.main().await;
        let (commits, more) = world.git.history(&repository, None, &main, 9).await.unwrap();
        assert_eq!((commits.len(), more), (2, false), "{option}");
        assert_eq!(world.git.tags(&repository).await.unwrap().len(), 1, "{option}");
        let commit = world.commit(&main, "VERSION", "2\n").await;
        let tag = world.git.tag(&repository, &tag_request("v2", &commit, Sign::Never)).await.unwrap();
        let refs = [
            RefUpdate { name: "refs/heads/main".to_owned(), object: commit },
            RefUpdate { name: "refs/tags/v2".to_owned(), object: tag.object },
        ];
        assert_eq!(world.git.push(&repository, &refs).await.unwrap(), PushOutcome::Done, "{option}");
        // Nothing of it was changed, nor fetched into it.
        let short = world.home.repo(folder);
        assert_eq!(short.git(&["tag"]), "", "{option}");
        let told = world.git.checkout(&short.folder).await.unwrap();
        assert_eq!(told.shallow, option == "--depth=1");
    }
}

#[tokio::test]
async fn a_remote_that_is_cut_short_itself_is_refused() {
    let world = World::new();
    let remote = world.remote();
    let url = format!("file://{}", remote.folder.display());
    let folder = world.path("short.git");
    remote.git(&["clone", "--quiet", "--bare", "--depth=1", &url, &folder.display().to_string()]);
    let repository = Repository {
        url: format!("file://{}", folder.display()),
        clone: world.path("state/short.git"),
        checkout: None,
    };
    let error = crate::permanent(world.git.refresh(&repository).await);
    assert!(error.why.contains("shallow"), "{error:?}");
    assert!(error.hint.as_ref().is_some_and(|hint| hint.contains("--unshallow")), "{error:?}");
    assert!(!repository.clone.exists(), "no clone that is cut short is left behind");
}
