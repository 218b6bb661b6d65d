//! Repositories made to do harm, or just badly.

use tollgate_engine::ports::Source as _;

use crate::{World, id};

#[tokio::test]
async fn hostile_commits_are_read_as_text() {
    let world = World::new();
    let user = world.checkout();
    let tree = user.git(&["rev-parse", "HEAD^{tree}"]);
    let mut parent = user.head();
    let big = "x".repeat(100_000);
    let wide = "ä".repeat(60_000);
    let cases: Vec<(Vec<u8>, &[u8], String)> = vec![
        (b"name \xff\xfe".to_vec(), b"1 +0000", "escape \u{1b}[2J and \u{7} bell\n".to_owned()),
        (b"--option".to_vec(), b"1 +0000", "commit 0000\nAuthor: somebody else\n\n\u{1e}\u{1f}".to_owned()),
        (b"n".to_vec(), b"99999999999999999999 +9999", big),
        (b"n".to_vec(), b"never", wide),
        (b"".to_vec(), b"1 +0000", String::new()),
    ];
    for (name, date, message) in &cases {
        let mut text = format!("tree {tree}\nparent {parent}\nauthor ").into_bytes();
        text.extend_from_slice(name);
        text.extend_from_slice(b" <a@b> ");
        text.extend_from_slice(date);
        text.extend_from_slice(format!("\ncommitter c <c@d> 1 +0000\n\n{message}").as_bytes());
        if message.is_empty() {
            text.extend_from_slice(b"invalid \xc3\x28 utf-8, and a \0 that ends it");
        }
        parent = user.object("commit", &text);
    }
    user.git(&["update-ref", "refs/heads/main", &parent]);
    world.refresh().await;
    // A fetch would refuse the worst of them; somebody's older git may not have.
    world.clone().git(&[
        "-c",
        "fetch.fsckObjects=false",
        "fetch",
        "--quiet",
        &world.path("checkout").display().to_string(),
        "main",
    ]);
    let (commits, more) = world.git.history(&world.repository, None, &id(&parent), 50).await.unwrap();
    assert_eq!((commits.len(), more), (7, false));
    assert_eq!(commits[4].author_name, "name \u{fffd}\u{fffd}");
    assert!(commits[4].message.starts_with("escape \u{1b}[2J"), "texts are cleaned where they are shown");
    assert_eq!(commits[3].author_name, "--option");
    assert!(commits[3].message.ends_with("\u{1e}\u{1f}"));
    assert_eq!(commits[2].message.len(), 96 << 10);
    assert_eq!(commits[1].message.len(), 96 << 10);
    assert!(commits[1].message.chars().all(|c| c == 'ä'));
    assert!(commits[0].message.starts_with("invalid \u{fffd}("), "{:?}", commits[0].message);
    for (commit, parent) in commits.iter().zip(&commits[1..]) {
        assert_eq!(commit.parents, std::slice::from_ref(&parent.id));
    }
}

#[tokio::test]
async fn hostile_names_do_nothing() {
    let world = World::new();
    let remote = world.remote();
    for name in
        ["refs/heads/-x", "refs/heads/--upload-pack=touch${IFS}pwned", "refs/tags/--force", "refs/tags/-d"]
    {
        remote.git(&["update-ref", name, "main"]);
    }
    // Bytes that are no text.
    let packed = remote.folder.join("packed-refs");
    let mut text = b"# pack-refs with: peeled fully-peeled sorted \n".to_vec();
    text.extend_from_slice(remote.git(&["rev-parse", "main"]).as_bytes());
    text.extend_from_slice(b" refs/tags/bad-\xff\n");
    std::fs::write(packed, text).unwrap();
    world.refresh().await;
    world.refresh().await;
    let tags = world.git.tags(&world.repository).await.unwrap();
    let names: Vec<&str> = tags.iter().map(|tag| tag.name.as_str()).collect();
    assert_eq!(names, ["--force", "-d", "bad-\u{fffd}", "v1"]);
    remote.git(&["update-ref", "-d", "refs/heads/-x"]);
    world.refresh().await;
    assert!(!world.clone().refs().contains("origin/-x"));
    let seen = world.git.remote_refs(&world.repository, &["refs/heads/-".to_owned()]).await.unwrap();
    assert_eq!(seen.len(), 1);
}

#[tokio::test]
async fn hostile_trees_and_addresses() {
    let world = World::new();
    let user = world.checkout();
    // A tree that would write into .git, as only hand-made ones can.
    let blob = user.object("blob", b"x");
    let raw: Vec<u8> = (0..20).map(|n| u8::from_str_radix(&blob[2 * n..2 * n + 2], 16).unwrap()).collect();
    let tree = user.object("tree", &[b"100644 .git\0".as_slice(), &raw].concat());
    let commit = user.git(&["commit-tree", "-m", "x", &tree]);
    user.git(&["push", "--quiet", "origin", &format!("{commit}:refs/heads/evil")]);
    let error = crate::permanent(world.git.refresh(&world.repository).await);
    assert!(error.why.contains("fsck"), "{error:?}");
    assert!(!world.repository.clone.exists());

    for url in ["ext::sh -c touch% pwned", "--upload-pack=x", "relative", "a\nb", "-oProxyCommand=x:y"] {
        let repository =
            tollgate_engine::ports::Repository { url: url.to_owned(), ..world.repository.clone() };
        crate::permanent(world.git.refresh(&repository).await);
    }
    let url = "ssh://-oProxyCommand=touch/x".to_owned();
    let repository = tollgate_engine::ports::Repository { url, ..world.repository.clone() };
    assert!(world.git.refresh(&repository).await.is_err());
}
