//! Trees, commits, tags and laid-out files.

use tollgate_engine::ports::{CommitRequest, Diff, FileEdit, Repository, Sign, Source as _};

use crate::{World, at, commit_request, id, permanent, tag_request};

#[tokio::test]
async fn an_edit_and_a_commit_can_be_repeated() {
    let world = World::new();
    world.refresh().await;
    let main = world.main().await;
    let refs = world.clone().refs();
    let edits = [
        FileEdit::write("VERSION", "2\n"),
        FileEdit::write("docs/new/notes.md", b"\xff\0\r\n"),
        FileEdit::write("empty", ""),
    ];
    let tree = world.git.edit_tree(&world.repository, &main, &edits).await.unwrap();
    assert_eq!(world.git.edit_tree(&world.repository, &main, &edits).await.unwrap(), tree);
    assert_eq!(world.git.edit_tree(&world.repository, &tree, &edits).await.unwrap(), tree);
    let changed = world.git.changed_paths(&world.repository, &main, &tree).await.unwrap();
    assert_eq!(changed, ["VERSION", "docs/new/notes.md", "empty"]);
    let read = world.git.read_file(&world.repository, &tree, "docs/new/notes.md").await.unwrap();
    assert_eq!(read.as_deref(), Some(&b"\xff\0\r\n"[..]));
    assert_eq!(world.git.read_file(&world.repository, &tree, "empty").await.unwrap(), Some(Vec::new()));

    let request = commit_request(tree.clone(), &main);
    let commit = world.git.commit(&world.repository, &request).await.unwrap();
    assert_eq!(world.git.commit(&world.repository, &request).await.unwrap(), commit);
    let (commits, _) = world.git.history(&world.repository, Some(&main), &commit, 5).await.unwrap();
    assert_eq!(commits.len(), 1);
    assert_eq!(commits[0].message, "Release 2\n\n# not a comment\n");
    assert_eq!(commits[0].authored_at, at());
    let text = world.clone().git(&["cat-file", "commit", &commit.0]);
    assert!(text.contains("committer Ada Tester <ada@example.org> 1800000000 +0000"), "{text}");
    assert_eq!(world.clone().refs(), refs, "no branch has moved");
    let same = world.git.edit_tree(&world.repository, &main, &[]).await.unwrap();
    assert!(world.git.changed_paths(&world.repository, &main, &same).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_differs_is_told_line_by_line() {
    let world = World::new();
    world.refresh().await;
    let main = world.main().await;
    // The user's git may show differences in other ways: that is not looked at.
    world.clone().git(&["config", "diff.noprefix", "true"]);
    world.clone().git(&["config", "color.ui", "always"]);
    let edits = [
        FileEdit::write("VERSION", "2\n"),
        FileEdit::write("logo", b"\0\x01"),
        FileEdit::write("odd name", "one\nand no end"),
    ];
    let tree = world.git.edit_tree(&world.repository, &main, &edits).await.unwrap();
    let diff = world.git.diff(&world.repository, &main, &tree).await.unwrap();
    let files: Vec<_> =
        diff.files.iter().map(|file| (file.path.as_str(), file.added, file.removed)).collect();
    assert_eq!(files, [("VERSION", 1, 1), ("logo", 0, 0), ("odd name", 2, 0)]);
    assert!(diff.text.contains("--- a/VERSION\n+++ b/VERSION\n@@ -1 +1 @@\n"), "{}", diff.text);
    assert!(diff.text.contains("Binary files /dev/null and b/logo differ"), "{}", diff.text);
    assert!(diff.text.contains("+and no end\n\\ No newline at end of file\n"), "{}", diff.text);
    assert_eq!(world.git.diff(&world.repository, &tree, &tree).await.unwrap(), Diff::default());
}

#[tokio::test]
async fn files_are_removed_once() {
    let world = World::new();
    world.refresh().await;
    let main = world.main().await;
    let added = [FileEdit::write("changes/one.md", "1"), FileEdit::write("changes/two.md", "2")];
    let full = world.git.edit_tree(&world.repository, &main, &added).await.unwrap();
    let edits = [FileEdit::remove("changes/one.md"), FileEdit::write("VERSION", "2\n")];
    let tree = world.git.edit_tree(&world.repository, &full, &edits).await.unwrap();
    assert_eq!(world.git.edit_tree(&world.repository, &tree, &edits).await.unwrap(), tree, "asked twice");
    let changed = world.git.changed_paths(&world.repository, &main, &tree).await.unwrap();
    assert_eq!(changed, ["VERSION", "changes/two.md"]);
    assert_eq!(world.git.read_file(&world.repository, &tree, "changes/one.md").await.unwrap(), None);

    // With its last file, a folder goes as well.
    let all = [FileEdit::remove("changes/one.md"), FileEdit::remove("changes/two.md")];
    let empty = world.git.edit_tree(&world.repository, &full, &all).await.unwrap();
    assert!(world.git.changed_paths(&world.repository, &main, &empty).await.unwrap().is_empty());
    assert!(!world.clone().git(&["ls-tree", &empty.0]).contains("changes"));

    let folder = world.git.edit_tree(&world.repository, &full, &[FileEdit::remove("changes")]).await;
    assert!(permanent(folder).why.contains("is a folder"));
}

#[tokio::test]
async fn modes_stay_and_links_are_refused() {
    let world = World::new();
    let user = world.checkout();
    user.commit("run.sh", "#!/bin/sh\n", "a script");
    user.git(&["update-index", "--chmod=+x", "run.sh"]);
    std::os::unix::fs::symlink("VERSION", user.folder.join("link")).unwrap();
    std::os::unix::fs::symlink("src", user.folder.join("folder")).unwrap();
    user.git(&["add", "link", "folder"]);
    user.git(&["commit", "--quiet", "-m", "modes"]);
    user.git(&["push", "--quiet", "origin", "main"]);
    world.refresh().await;
    let main = world.main().await;
    let tree = world.edit(&main, "run.sh", "#!/bin/sh\necho\n").await.unwrap();
    assert!(world.clone().git(&["ls-tree", &tree.0, "run.sh"]).starts_with("100755 "));
    for (path, word) in [
        ("link", "symbolic link"),
        ("link/x", "symbolic link"),
        ("folder/lib.rs", "symbolic link"),
        ("src", "is a folder"),
        ("VERSION/x", "is a file"),
        ("../x", "plain path"),
        (".git/config", "plain path"),
        ("/etc/passwd", "slashes"),
    ] {
        let error = permanent(world.edit(&main, path, "x").await);
        assert!(error.why.contains(word), "{path}: {error:?}");
    }
    let error = permanent(world.git.read_file(&world.repository, &main, "link").await);
    assert!(error.why.contains("symbolic link"), "{error:?}");
}

#[tokio::test]
async fn a_commit_needs_somebody() {
    let world = World::with(|home| home.forget_who());
    let user = world.checkout();
    for (key, value) in [("user.name", "Grace Local"), ("user.email", "grace@example.org")] {
        user.git(&["config", key, value]);
    }
    user.commit("a", "1", "one");
    user.git(&["push", "--quiet", "origin", "main"]);
    world.refresh().await;
    let main = world.main().await;
    let tree = world.edit(&main, "a", "2").await.unwrap();
    let nobody = Repository { checkout: None, ..world.repository.clone() };
    let error = permanent(world.git.commit(&nobody, &commit_request(tree.clone(), &main)).await);
    assert!(error.hint.as_deref().is_some_and(|hint| hint.contains("user.email")), "{error:?}");
    let error = permanent(world.git.tag(&nobody, &tag_request("v1", &main, Sign::Never)).await);
    assert!(error.hint.as_deref().is_some_and(|hint| hint.contains("user.email")), "{error:?}");
    // The checkout's own configuration knows who.
    let commit = world.git.commit(&world.repository, &commit_request(tree, &main)).await.unwrap();
    let (commits, _) = world.git.history(&world.repository, Some(&main), &commit, 1).await.unwrap();
    assert_eq!(commits[0].author_email, "grace@example.org");
}

#[tokio::test]
async fn wrong_commits_are_refused() {
    let world = World::new();
    world.refresh().await;
    let main = world.main().await;
    let tree = world.edit(&main, "a", "x").await.unwrap();
    let good = commit_request(tree, &main);
    let wrong = [
        CommitRequest { message: " \n".to_owned(), ..good.clone() },
        CommitRequest { message: "a\0b".to_owned(), ..good.clone() },
        CommitRequest { tree: id("HEAD^{tree}"), ..good.clone() },
        CommitRequest { tree: id(&"1".repeat(40)), ..good.clone() },
        CommitRequest { parents: vec![id("-x")], ..good.clone() },
        CommitRequest { at: jiff::Timestamp::from_second(-1).unwrap(), ..good.clone() },
    ];
    for request in wrong {
        permanent(world.git.commit(&world.repository, &request).await);
    }
}

#[tokio::test]
async fn a_tag_is_made_once() {
    let world = World::new();
    world.refresh().await;
    let main = world.main().await;
    let request = tag_request("v2", &main, Sign::AsConfigured);
    let made = world.git.tag(&world.repository, &request).await.unwrap();
    assert!(made.annotated && made.commit == main);
    assert_eq!(world.git.tag(&world.repository, &request).await.unwrap(), made);
    assert_eq!(world.git.find_tag(&world.repository, "v2").await.unwrap(), Some(made.clone()));
    let text = world.clone().git(&["cat-file", "tag", "v2"]);
    assert!(text.ends_with("Release 2\n\n# Added\n\n- things"), "{text}");
    assert!(text.contains("tagger Ada Tester <ada@example.org> 1800000000 +0000"), "{text}");
    assert_eq!(world.git.signature(&world.repository, "v2").await.unwrap(), None);
    assert!(!world.git.verify_tag(&world.repository, "v2").await.unwrap());

    let (commits, _) = world.git.history(&world.repository, None, &main, 5).await.unwrap();
    let other = tag_request("v2", &commits[1].id, Sign::AsConfigured);
    let error = permanent(world.git.tag(&world.repository, &other).await);
    assert!(error.why.contains(&main.0), "{error:?}");
    assert_eq!(world.git.find_tag(&world.repository, "v2").await.unwrap(), Some(made.clone()));
    // A tag object as target would lead to the same commit and make a tag of a tag.
    permanent(world.git.tag(&world.repository, &tag_request("v3", &made.object, Sign::Never)).await);
    permanent(world.git.tag(&world.repository, &tag_request("v3", &id(&"1".repeat(40)), Sign::Never)).await);
    // The same in a second clone is the same object.
    let second = Repository { clone: world.path("state/second.git"), ..world.repository.clone() };
    world.git.refresh(&second).await.unwrap();
    assert_eq!(world.git.tag(&second, &request).await.unwrap(), made);
}

#[tokio::test]
async fn a_tag_is_dropped_only_as_what_it_was() {
    let world = World::new();
    let git = &world.git;
    // Where there is no clone there is nothing to drop.
    git.drop_tags(&world.repository, &[("v2".into(), id(&"1".repeat(40)))]).await.unwrap();
    world.refresh().await;
    let main = world.main().await;
    let made = git.tag(&world.repository, &tag_request("v2", &main, Sign::Never)).await.unwrap();
    let there = async || git.find_tag(&world.repository, "v2").await.unwrap().is_some();
    let wrong = [("v2".to_owned(), main.clone()), ("v3".to_owned(), made.object.clone())];
    git.drop_tags(&world.repository, &wrong).await.unwrap();
    assert!(there().await);
    git.drop_tags(&world.repository, &[("v2".into(), made.object.clone())]).await.unwrap();
    assert!(!there().await);
    // It can be made again, of something else.
    let (commits, _) = git.history(&world.repository, None, &main, 5).await.unwrap();
    git.tag(&world.repository, &tag_request("v2", &commits[1].id, Sign::Never)).await.unwrap();
}

#[tokio::test]
async fn names_like_options_are_refused() {
    let world = World::new();
    world.refresh().await;
    let main = world.main().await;
    for name in ["-x", "--upload-pack=touch x", "a..b", "a@{1}", "a.lock", "a\nb", "", "a b", "HEAD", "v1/"] {
        let error = permanent(world.git.tag(&world.repository, &tag_request(name, &main, Sign::Never)).await);
        assert!(error.what.contains("tag name"), "{error:?}");
        permanent(world.git.find_tag(&world.repository, name).await);
        permanent(world.git.resolve(&world.repository, &format!("refs/heads/{name}")).await);
    }
    permanent(world.git.resolve(&world.repository, "main").await);
    permanent(world.git.resolve(&world.repository, "HEAD~1").await);
}

#[tokio::test]
async fn files_are_laid_out_as_they_are() {
    let world = World::new();
    world.home.configure("filter.lfs.smudge", "touch filter-was-here; exit 1");
    world.home.configure("filter.lfs.clean", "cat");
    world.home.configure("filter.lfs.required", "true");
    world.home.configure("core.autocrlf", "true");
    let user = world.checkout();
    user.git(&["config", "core.autocrlf", "false"]);
    std::fs::write(user.folder.join(".gitattributes"), "*.bin filter=lfs\n").unwrap();
    std::fs::write(user.folder.join("run.sh"), "#!/bin/sh\n").unwrap();
    std::os::unix::fs::symlink("/etc", user.folder.join("link")).unwrap();
    user.commit("big.bin", "version https://git-lfs.github.com/spec/v1\n", "files");
    user.git(&["update-index", "--chmod=+x", "run.sh"]);
    user.git(&["commit", "--quiet", "-m", "executable"]);
    user.git(&["push", "--quiet", "origin", "main"]);
    world.refresh().await;
    let main = world.main().await;

    let out = world.path("out");
    std::fs::create_dir_all(out.join("old/deep")).unwrap();
    std::fs::write(out.join("old/deep/file"), "x").unwrap();
    std::os::unix::fs::symlink(&user.folder, out.join("away")).unwrap();
    for _ in 0..2 {
        world.git.lay_out(&world.repository, &main, &out).await.unwrap();
        std::fs::write(out.join("more"), "from a command").unwrap();
    }
    world.git.lay_out(&world.repository, &main, &out).await.unwrap();
    let mut names: Vec<_> =
        std::fs::read_dir(&out).unwrap().flatten().map(|e| e.file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, [".gitattributes", "VERSION", "big.bin", "link", "run.sh", "src"]);
    assert!(user.folder.join("VERSION").exists());
    assert_eq!(std::fs::read_to_string(out.join("VERSION")).unwrap(), "1\n");
    assert!(std::fs::read_to_string(out.join("big.bin")).unwrap().starts_with("version https"));
    let mode = std::os::unix::fs::PermissionsExt::mode(&out.join("run.sh").metadata().unwrap().permissions());
    assert_eq!(mode & 0o111, 0o111);
    assert_eq!(std::fs::read_link(out.join("link")).unwrap(), std::path::Path::new("/etc"));
}

#[tokio::test]
async fn folders_of_others_are_not_emptied() {
    let world = World::new();
    world.refresh().await;
    let main = world.main().await;
    std::os::unix::fs::symlink(world.path("home"), world.path("linked")).unwrap();
    for folder in
        ["checkout", "checkout/src", ".", "state", "state/clone.git", "state/clone.git/objects", "linked"]
    {
        permanent(world.git.lay_out(&world.repository, &main, &world.path(folder)).await);
    }
    for folder in ["/", "relative", "/tmp/.."] {
        permanent(world.git.lay_out(&world.repository, &main, std::path::Path::new(folder)).await);
    }
    assert!(world.path("checkout/VERSION").exists() && world.path("state/clone.git/HEAD").exists());
    permanent(world.git.lay_out(&world.repository, &id(&"1".repeat(40)), &world.path("out")).await);
}
