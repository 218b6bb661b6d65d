//! The clone: made, kept up to date, read.

use std::time::Duration;

use tollgate_connect::git::{Git, GitLimits};
use tollgate_engine::ports::{FailureClass, ObjectId, Repository, Source as _};

use crate::{World, failure, id, permanent};

#[tokio::test]
async fn a_clone_is_made_and_refreshed() {
    let world = World::new();
    world.refresh().await;
    let user = world.checkout();
    assert_eq!(world.main().await.0, user.head());
    let config = std::fs::read_to_string(world.repository.clone.join("config")).unwrap();
    assert!(!config.contains("url"), "the address is nobody's business there: {config}");

    // Nothing new, something new, a branch that goes and one that comes in its way.
    world.refresh().await;
    let three = user.commit("a", "3", "three");
    user.git(&["push", "--quiet", "origin", "main", "main:topic"]);
    world.refresh().await;
    assert_eq!(world.main().await.0, three);
    user.git(&["push", "--quiet", "origin", ":topic", "main:topic/more"]);
    user.git(&["push", "--quiet", "--force", "origin", "main~1:main"]);
    world.refresh().await;
    assert_eq!(world.main().await.0, user.git(&["rev-parse", "main~1"]));
    let gone = world.git.resolve(&world.repository, "refs/heads/topic").await.unwrap();
    assert_eq!(gone, None);
    assert!(world.git.resolve(&world.repository, "refs/heads/topic/more").await.unwrap().is_some());
    assert!(world.git.resolve(&world.repository, &three).await.unwrap().is_some());
    assert_eq!(world.git.resolve(&world.repository, &"1".repeat(40)).await.unwrap(), None);
}

#[tokio::test]
async fn a_moved_tag_stays_and_ours_are_not_pruned() {
    let world = World::new();
    world.refresh().await;
    let before = world.git.find_tag(&world.repository, "v1").await.unwrap().unwrap();
    assert!(before.annotated);
    world.clone().git(&["tag", "ours", &before.commit.0]);
    let user = world.checkout();
    user.git(&["tag", "--force", "-m", "moved", "v1", "main"]);
    user.git(&["tag", "light", "main"]);
    user.commit("a", "3", "three");
    user.git(&["push", "--quiet", "--force", "origin", "main", "v1", "light"]);
    world.refresh().await;
    world.refresh().await;
    assert_eq!(world.main().await.0, user.head());
    assert_eq!(world.git.find_tag(&world.repository, "v1").await.unwrap().unwrap(), before);
    assert!(world.git.find_tag(&world.repository, "ours").await.unwrap().is_some());
    let light = world.git.find_tag(&world.repository, "light").await.unwrap().unwrap();
    assert!(!light.annotated && light.object == light.commit);
    assert_eq!(world.git.find_tag(&world.repository, "none").await.unwrap(), None);
}

#[tokio::test]
async fn an_empty_remote_is_no_error() {
    let world = World::empty();
    world.refresh().await;
    assert_eq!(world.git.resolve(&world.repository, "refs/heads/main").await.unwrap(), None);
    let prefixes = ["refs/".to_owned()];
    assert!(world.git.remote_refs(&world.repository, &prefixes).await.unwrap().is_empty());
    let one = world.checkout().commit("a", "1", "one");
    world.checkout().git(&["push", "--quiet", "origin", "main"]);
    world.refresh().await;
    let (commits, more) = world.git.history(&world.repository, None, &id(&one), 10).await.unwrap();
    assert_eq!((commits.len(), more), (1, false));
    assert!(world.git.tags(&world.repository).await.unwrap().is_empty());
    assert!(world.git.checkout(&world.path("checkout")).await.unwrap().head.is_some());
}

#[tokio::test]
async fn sha256_repositories_work() {
    let world = World::empty();
    let user = world.home.init_with(world.path("long"), &["--object-format=sha256"]);
    let one = user.commit("a", "1", "one");
    user.git(&["tag", "-m", "x", "v1"]);
    let repository = Repository {
        url: world.path("long").display().to_string(),
        checkout: None,
        ..world.repository.clone()
    };
    world.git.refresh(&repository).await.unwrap();
    let found = world.git.find_tag(&repository, "v1").await.unwrap().unwrap();
    assert_eq!((found.commit.0.as_str(), one.len()), (one.as_str(), 64));
    let tags = world.git.tags(&repository).await.unwrap();
    assert_eq!((tags.len(), tags[0].commit.0.as_str()), (1, one.as_str()));
}

#[tokio::test]
async fn what_a_crash_left_is_removed() {
    let world = World::new();
    let partial = world.path("state/clone.git.partial-old");
    std::fs::create_dir_all(partial.join("objects")).unwrap();
    world.refresh().await;
    let scratch = world.repository.clone.join("tollgate-scratch/old");
    std::fs::create_dir_all(&scratch).unwrap();
    world.refresh().await;
    assert!(!partial.exists() && !scratch.exists());
    let names: Vec<_> =
        std::fs::read_dir(world.path("state")).unwrap().flatten().map(|e| e.file_name()).collect();
    assert_eq!(names.len(), 2, "the clone and its lock: {names:?}");
}

#[tokio::test]
async fn a_failed_clone_leaves_nothing() {
    let world = World::new();
    let url = world.path("nowhere.git").display().to_string();
    let repository = Repository { url, ..world.repository.clone() };
    let error = permanent(world.git.refresh(&repository).await);
    assert!(error.what.contains("nowhere.git") && error.hint.is_some(), "{error:?}");
    assert!(!repository.clone.exists());
    permanent(world.git.resolve(&repository, "refs/heads/main").await);
    std::fs::create_dir_all(&world.repository.clone).unwrap();
    std::fs::write(world.repository.clone.join("other"), "x").unwrap();
    let error = permanent(world.git.refresh(&world.repository).await);
    assert!(error.hint.is_some(), "{error:?}");
}

#[tokio::test]
async fn two_processes_take_turns() {
    let world = World::new();
    let other = Git::new(world.home.environment());
    let (a, b) = tokio::join!(world.git.refresh(&world.repository), other.refresh(&world.repository));
    a.unwrap();
    b.unwrap();
    let main = world.main().await;
    let request = crate::tag_request("v2", &main, tollgate_engine::ports::Sign::Never);
    let (a, b) =
        tokio::join!(world.git.tag(&world.repository, &request), other.tag(&world.repository, &request));
    assert_eq!(a.unwrap(), b.unwrap());

    // One that never gives it back.
    let held = std::fs::File::open(world.path("state/clone.git.lock")).unwrap();
    held.lock().unwrap();
    let limits = GitLimits { transfer: Duration::from_millis(200), ..GitLimits::default() };
    let hasty = Git::new(world.home.environment()).with_limits(limits);
    failure(hasty.refresh(&world.repository).await, FailureClass::Transient);
    drop(held);
    hasty.refresh(&world.repository).await.unwrap_or_else(|error| panic!("{error:?}"));
}

#[tokio::test]
async fn files_and_differences_are_read() {
    let world = World::new();
    world.refresh().await;
    let main = world.main().await;
    let (commits, _) = world.git.history(&world.repository, None, &main, 10).await.unwrap();
    let first = &commits[1].id;
    let changed = world.git.changed_paths(&world.repository, first, &main).await.unwrap();
    assert_eq!(changed, ["src/lib.rs"]);
    let read = async |path: &str| world.git.read_file(&world.repository, &main, path).await;
    assert_eq!(read("VERSION").await.unwrap().as_deref(), Some(&b"1\n"[..]));
    assert_eq!(read("src/lib.rs").await.unwrap().as_deref(), Some(&b"// two\n"[..]));
    for nothing in ["src", "none", "src/none", "VERSION/x", "v*", ":(glob)**"] {
        assert_eq!(read(nothing).await.unwrap(), None, "{nothing}");
    }
    permanent(read("../x").await);
    permanent(world.git.read_file(&world.repository, &id(&"1".repeat(40)), "VERSION").await);
}

#[tokio::test]
async fn history_has_limits() {
    let world = World::new();
    let user = world.checkout();
    for n in 0..5 {
        user.commit("n", &n.to_string(), &format!("commit {n}\n\nwith a body\n"));
    }
    user.git(&["push", "--quiet", "origin", "main"]);
    world.refresh().await;
    let main = world.main().await;
    let tag = world.git.find_tag(&world.repository, "v1").await.unwrap().unwrap().commit;
    for (limit, count, more) in [(10, 6, false), (6, 6, false), (5, 5, true), (0, 0, true)] {
        let read = world.git.history(&world.repository, Some(&tag), &main, limit).await.unwrap();
        assert_eq!((read.0.len(), read.1), (count, more), "{limit}");
    }
    let (commits, _) = world.git.history(&world.repository, None, &main, 100).await.unwrap();
    assert_eq!(commits[0].message, "commit 4\n\nwith a body\n");
    assert_eq!(commits[0].parents, [commits[1].id.clone()]);
    assert_eq!(
        (commits[0].author_name.as_str(), commits[0].author_email.as_str()),
        ("Ada Tester", "ada@example.org")
    );
    assert_eq!(commits.len(), 7);
    let same = world.git.history(&world.repository, Some(&main), &main, 5).await.unwrap();
    assert_eq!(same, (Vec::new(), false));
}

#[tokio::test]
async fn distances_are_gits_own() {
    let world = World::new();
    let user = world.checkout();
    user.git(&["checkout", "--quiet", "-b", "side", "v1"]);
    user.commit("s", "1", "side 1");
    user.git(&["tag", "side-1"]);
    user.commit("s", "2", "side 2");
    user.git(&["checkout", "--quiet", "main"]);
    user.git(&["merge", "--quiet", "--no-edit", "side"]);
    user.git(&["tag", "-m", "x", "merged"]);
    user.git(&["tag", "-m", "a tag of a tag", "nested", "merged"]);
    user.commit("t", "1", "after");
    user.git(&["tag", "blob", "HEAD:t"]);
    user.git(&["checkout", "--quiet", "-b", "away", "v1"]);
    user.commit("u", "1", "not reached");
    user.git(&["tag", "away-1"]);
    user.git(&["push", "--quiet", "--tags", "origin", "main", "side", "away"]);
    world.refresh().await;
    let main = world.main().await;
    let tags = world.git.tags(&world.repository).await.unwrap();
    let names: Vec<&str> = tags.iter().map(|tag| tag.name.as_str()).collect();
    assert_eq!(names, ["away-1", "blob", "merged", "nested", "side-1", "v1"]);
    let commits: Vec<ObjectId> = tags.iter().map(|tag| tag.commit.clone()).collect();
    let distances = world.git.distances(&world.repository, &main, &commits).await.unwrap();
    for (tag, distance) in tags.iter().zip(distances) {
        let reached = !matches!(tag.name.as_str(), "away-1" | "blob");
        let count = || user.git(&["rev-list", "--count", &format!("{}..main", tag.commit)]);
        assert_eq!(distance.map(|count| count.to_string()), reached.then(count), "{}", tag.name);
        let annotated = matches!(tag.name.as_str(), "merged" | "nested" | "v1");
        assert_eq!(tag.object != tag.commit, annotated, "{}", tag.name);
        assert_eq!(user.git(&["rev-parse", &format!("refs/tags/{}^{{}}", tag.name)]), tag.commit.0);
    }
    assert!(world.git.distances(&world.repository, &main, &[]).await.unwrap().is_empty());
    let error = permanent(world.git.find_tag(&world.repository, "blob").await);
    assert!(error.why.contains("blob"), "{error:?}");
    assert_eq!(world.git.resolve(&world.repository, "refs/tags/blob").await.unwrap(), None);
    assert!(world.git.resolve(&world.repository, "refs/tags/nested").await.unwrap().is_some());
}

#[tokio::test]
async fn remote_refs_are_asked_for_by_prefix() {
    let world = World::new();
    world.remote().git(&["update-ref", "refs/pull/1/head", "main"]);
    let ask = async |prefixes: &[&str]| {
        let prefixes: Vec<String> = prefixes.iter().map(|p| (*p).to_owned()).collect();
        let refs = world.git.remote_refs(&world.repository, &prefixes).await.unwrap();
        refs.into_keys().collect::<Vec<_>>()
    };
    assert_eq!(ask(&["refs/tags/"]).await, ["refs/tags/v1", "refs/tags/v1^{}"]);
    assert_eq!(ask(&["refs/heads/main", "refs/pull/"]).await, ["refs/heads/main", "refs/pull/1/head"]);
    assert_eq!(ask(&["HEAD"]).await, ["HEAD"]);
    assert!(ask(&[]).await.is_empty());
}

#[tokio::test]
async fn git_itself_may_be_missing_or_old() {
    let world = World::new();
    let none = Git::new(world.home.environment()).with_program("/nowhere/git");
    let error = permanent(none.refresh(&world.repository).await);
    assert!(error.hint.as_deref().is_some_and(|hint| hint.contains("2.34")), "{error:?}");
    let old = world.program("old-git", "echo git version 2.33.9\n");
    let error =
        permanent(Git::new(world.home.environment()).with_program(&old).refresh(&world.repository).await);
    assert!(error.why.contains("2.33"), "{error:?}");
}

#[tokio::test]
async fn a_call_that_takes_too_long_is_ended() {
    let world = World::new();
    world.refresh().await;
    let pid = world.path("pid");
    let stuck = world.program(
        "stuck-git",
        &format!(
            "case \"$*\" in *' version') echo git version 2.40.0; exit;; esac\nsleep 1000 & echo $! >{}\nwait\n",
            pid.display()
        ),
    );
    let limits = GitLimits { local: Duration::from_millis(500), ..GitLimits::default() };
    let git = Git::new(world.home.environment()).with_program(&stuck).with_limits(limits);
    failure(git.resolve(&world.repository, "refs/heads/main").await, FailureClass::Transient);
    ended(&pid).await;

    // The same when the caller loses interest.
    std::fs::remove_file(&pid).unwrap();
    let git = Git::new(world.home.environment()).with_program(&stuck);
    let call = git.resolve(&world.repository, "refs/heads/main");
    tokio::select! {
        result = call => panic!("{result:?}"),
        () = async { while std::fs::read_to_string(&pid).unwrap_or_default().is_empty() { pause().await } } => {}
    }
    ended(&pid).await;
}

async fn pause() {
    tokio::time::sleep(Duration::from_millis(20)).await;
}

/// Waits until the process of a file is gone. The kernel needs a moment for that.
async fn ended(pid: &std::path::Path) {
    let proc = format!("/proc/{}/stat", std::fs::read_to_string(pid).unwrap().trim());
    for _ in 0..500 {
        let state = std::fs::read_to_string(&proc).unwrap_or_default();
        if state.is_empty() || state.contains(") Z ") {
            return;
        }
        pause().await;
    }
    panic!("the child lives on");
}

#[tokio::test]
async fn addresses_are_rewritten_as_the_user_has_it() {
    let world = World::new();
    let folder = format!("url.{}/.insteadOf", world.folder.path().display());
    let repository = Repository { url: "work:remote.git".to_owned(), ..world.repository.clone() };
    failure(world.git.refresh(&repository).await, FailureClass::Transient);
    world.checkout().git(&["config", &folder, "work:"]);
    world.git.refresh(&repository).await.unwrap();
}

#[tokio::test]
async fn many_packs_are_joined_and_nothing_is_lost() {
    let world = World::new();
    world.refresh().await;
    let clone = world.clone();
    let blobs: Vec<String> = (0..51).map(|n: i32| clone.object("blob", n.to_string().as_bytes())).collect();
    for blob in &blobs {
        clone.pack(blob);
    }
    let packs = || {
        std::fs::read_dir(clone.folder.join("objects/pack"))
            .unwrap()
            .flatten()
            .filter(|e| e.path().extension().is_some_and(|ext| ext == "pack"))
            .count()
    };
    assert!(packs() > 50);
    world.checkout().commit("a", "3", "three");
    world.checkout().git(&["push", "--quiet", "origin", "main"]);
    world.refresh().await;
    assert!(packs() < 10, "{}", packs());
    assert_eq!(world.main().await.0, world.checkout().head());
    for blob in &blobs {
        clone.git(&["cat-file", "-e", blob]);
    }
}
