//! Reading history where it is, and finding the last release in it.

use std::cmp::Reverse;
use std::sync::Arc;

use tollgate_connect::git::Git;
use tollgate_core::version::{Version, VersionFormat};
use tollgate_engine::looking::Asked;
use tollgate_engine::ports::{
    CommitFields, CommitRef, FoundRepository, HistoryOrder, HistoryQuery, PathFilter, Source as _,
};
use tollgate_testkit::git::{GitHome, Repo};
use tollgate_testkit::graph::Graph;
use tollgate_testkit::world::SimWorld;

use crate::{World, at, id, permanent};

/// An engine's world with real git.
pub(crate) fn looking(home: &GitHome) -> tollgate_engine::World {
    let git = Git::new(home.environment());
    tollgate_engine::World { source: Arc::new(git), ..SimWorld::new(1, at()).ports() }
}

pub(crate) async fn found(world: &World, repo: &Repo<'_>) -> FoundRepository {
    world.git.find_repository(&repo.folder).await.unwrap().unwrap()
}

async fn read(world: &World, found: &FoundRepository, query: &HistoryQuery) -> Vec<String> {
    let mut subjects = Vec::new();
    let mut sink = |commit: CommitRef<'_>| {
        subjects.push(commit.message.lines().next().unwrap_or_default().to_owned());
        std::ops::ControlFlow::Continue(())
    };
    world.git.commits(&found.repository, query, &mut sink).await.unwrap();
    subjects
}

/// The nearest release by its definition: every tag is counted against the head.
fn by_counting(
    graph: &Graph,
    format: &VersionFormat,
    wanted: impl Fn(&Version) -> bool,
) -> Option<(Version, String)> {
    let all = graph.ancestors(graph.head());
    let tags = graph.tags.iter().filter(|(_, commit)| all.contains(commit));
    let tags = tags.filter_map(|(name, commit)| Some((format.parse_tag(name)?, name, *commit)));
    let nearest = tags.filter(|(version, ..)| wanted(version)).min_by_key(|(version, _, commit)| {
        (all.difference(&graph.ancestors(*commit)).count(), Reverse(version.clone()))
    });
    nearest.map(|(version, name, _)| (version, name.clone()))
}

#[tokio::test]
async fn the_last_release_is_that_of_counting() {
    let world = World::empty();
    let format = VersionFormat::new("X.Y.Z[-PRE.N]").unwrap();
    let engine = looking(&world.home);
    let (mut some, mut none, mut pres) = (0, 0, 0);
    for seed in 0..64 {
        let graph = Graph::random(seed, 30);
        let repo = world.home.init_bare(world.path(&format!("random-{seed}")));
        repo.feed(&["fast-import", "--quiet", "--date-format=raw"], graph.fast_import().as_bytes());
        if seed % 3 == 0 {
            repo.git(&["commit-graph", "write", "--reachable"]);
        }
        if seed % 4 == 0 {
            repo.git(&["pack-refs", "--all"]);
        }
        let found = found(&world, &repo).await;
        let head = found.head.unwrap();
        let survey = engine.versions(&found.repository, &head, &Asked::by(format.clone())).await.unwrap();
        let want = by_counting(&graph, &format, |version| version.pre_release().is_none());
        let tag = survey.previous.as_ref().map(|previous| previous.tag.clone());
        assert_eq!(tag, want.as_ref().map(|(_, name)| name.clone()), "seed {seed}: {graph:?}");
        let higher = |version: &Version| want.as_ref().is_none_or(|(last, _)| version > last);
        let pre = by_counting(&graph, &format, |version| version.pre_release().is_some() && higher(version));
        assert_eq!(survey.pre, pre.map(|(version, _)| version), "seed {seed}: {graph:?}");
        pres += usize::from(survey.pre.is_some());
        let range = match &want {
            Some((_, name)) => format!("refs/tags/{name}..main"),
            None => "main".to_owned(),
        };
        let order = repo.git(&["log", "--date-order", "--format=%s", &range]);
        let changes: Vec<&str> = survey.changes.iter().map(|change| change.subject.as_str()).collect();
        assert_eq!(changes, order.lines().collect::<Vec<_>>(), "seed {seed}: {graph:?}");
        let odd = graph.tags.iter().filter(|(name, _)| name.starts_with("nightly")).count();
        assert_eq!((survey.tags.len(), survey.odd.len()), (graph.tags.len(), odd), "seed {seed}");
        match want {
            Some(_) => some += 1,
            None => none += 1,
        }
    }
    assert!(some > 30 && none > 2 && pres > 8, "{some} {none} {pres}");
}

#[tokio::test]
async fn only_commits_of_some_paths_are_read() {
    let world = World::empty();
    let user = world.checkout();
    for (path, message) in [
        ("web/a.js", "web"),
        ("api/a.rs", "api"),
        ("web/docs/x.md", "web docs"),
        (":(glob)odd", "odd"),
        ("--all", "option"),
    ] {
        user.commit(path, message, message);
    }
    // A side branch that comes to nothing says something all the same.
    user.git(&["checkout", "--quiet", "-b", "side"]);
    user.commit("web/a.js", "other", "web there");
    user.commit("web/a.js", "web", "web back");
    user.git(&["checkout", "--quiet", "main"]);
    user.commit("api/a.rs", "other", "api again");
    user.git(&["merge", "--quiet", "--no-edit", "side"]);
    let found = found(&world, &user).await;
    let head = found.head.clone().unwrap();
    let ask = async |paths: &[&str]| {
        let paths: Vec<PathFilter> = paths.iter().map(|path| PathFilter::read(path)).collect();
        read(&world, &found, &HistoryQuery::upto(&head).within(&paths)).await
    };
    assert_eq!(ask(&["web"]).await, ["web back", "web there", "web docs", "web"]);
    assert_eq!(ask(&["web", "!web/docs"]).await, ["web back", "web there", "web"]);
    assert_eq!(ask(&["**/*.md"]).await, ["web docs"]);
    assert_eq!(ask(&["!web", "!api"]).await, ["option", "odd"]);
    assert_eq!(ask(&["--all"]).await, ["option"]);
    assert_eq!(ask(&[":(glob)odd"]).await, ["odd"]);
    assert_eq!(ask(&["nothing"]).await, [""; 0]);
    let query = HistoryQuery::upto(&head).within(&[PathFilter::read("../web")]);
    let mut sink = |_: CommitRef<'_>| std::ops::ControlFlow::Continue(());
    permanent(world.git.commits(&found.repository, &query, &mut sink).await);
}

#[tokio::test]
async fn a_repository_is_found_wherever_it_is() {
    let world = World::new();
    let user = world.checkout();
    let head = Some(id(&user.head()));
    let deep = user.folder.join("src");
    std::os::unix::fs::symlink(&deep, world.path("link")).unwrap();
    for folder in [&user.folder, &deep, &world.path("link")] {
        let found = world.git.find_repository(folder).await.unwrap().unwrap();
        assert_eq!(found.repository.checkout, Some(user.folder.canonicalize().unwrap()));
        assert_eq!((&found.head, found.shallow, found.partial), (&head, false, false));
    }
    let url = world.git.remote_url(&found(&world, &user).await.repository).await.unwrap();
    assert_eq!(url, Some(world.path("remote.git").canonicalize().unwrap().display().to_string()));

    user.git(&["checkout", "--quiet", "--detach", "v1"]);
    assert_eq!(found(&world, &user).await.head, Some(id(&user.git(&["rev-parse", "v1^{}"]))));
    let linked = world.home.repo(world.path("linked"));
    user.git(&["worktree", "add", "--quiet", &linked.folder.display().to_string(), "main"]);
    let seen = found(&world, &linked).await;
    assert_eq!((&seen.head, world.git.tags(&seen.repository).await.unwrap().len()), (&head, 1));
    let seen = found(&world, &world.remote()).await;
    assert_eq!((&seen.head, &seen.repository.checkout), (&head, &None));
    assert_eq!(read(&world, &seen, &HistoryQuery::upto(&seen.head.clone().unwrap())).await, ["two", "one"]);

    let empty = world.home.init(world.path("empty"));
    let seen = found(&world, &empty).await;
    assert_eq!(seen.head, None);
    assert!(world.git.tags(&seen.repository).await.unwrap().is_empty());
    assert_eq!(world.git.remote_url(&seen.repository).await.unwrap(), None);
    let nowhere = world.path("nowhere");
    std::fs::create_dir(&nowhere).unwrap();
    assert_eq!(world.git.find_repository(&nowhere).await.unwrap(), None);
    permanent(world.git.find_repository(&world.path("not there")).await);
    std::fs::write(empty.folder.join(".git/refs/heads/main"), "1".repeat(40) + "\n").unwrap();
    let error = permanent(world.git.find_repository(&empty.folder).await);
    assert!(error.why.contains("no commit"), "{error:?}");
}

#[tokio::test]
async fn clones_that_are_not_whole_are_told() {
    let world = World::new();
    let remote = world.remote();
    remote.git(&["config", "uploadpack.allowFilter", "true"]);
    let url = format!("file://{}", remote.folder.display());
    let clone = |name: &str, option: &str| {
        let folder = world.path(name);
        remote.git(&["clone", "--quiet", option, &url, &folder.display().to_string()]);
        world.home.repo(folder)
    };
    let shallow = found(&world, &clone("shallow", "--depth=1")).await;
    let head = shallow.head.clone().unwrap();
    assert!(shallow.shallow);
    let (commits, _) = world.git.history(&shallow.repository, None, &head, 9).await.unwrap();
    assert_eq!((commits.len(), commits[0].parents.len()), (1, 0));

    for option in ["--filter=blob:none", "--filter=tree:0"] {
        let name = option.replace(['-', '=', ':'], "");
        let repo = clone(&name, option);
        let partial = found(&world, &repo).await;
        assert!(partial.partial && !partial.shallow, "{option}");
        // Nothing can be fetched any more, and nothing has to be.
        std::fs::rename(&remote.folder, world.path("away")).unwrap();
        assert_eq!(read(&world, &partial, &HistoryQuery::upto(&head)).await, ["two", "one"]);
        assert_eq!(world.git.tags(&partial.repository).await.unwrap().len(), 1);
        let query = HistoryQuery::upto(&head).within(&[PathFilter::read("src")]);
        let mut count = 0;
        let mut sink = |_: CommitRef<'_>| {
            count += 1;
            std::ops::ControlFlow::Continue(())
        };
        let read = world.git.commits(&partial.repository, &query, &mut sink).await;
        match option {
            "--filter=blob:none" => assert_eq!((read, count), (Ok(()), 1)),
            _ => {
                let error = permanent(read);
                assert!(error.hint.as_ref().is_some_and(|hint| hint.contains("partial")), "{error:?}");
            }
        }
        std::fs::rename(world.path("away"), &remote.folder).unwrap();
    }

    // A commit is missing in the middle.
    let torn = clone("torn", "--no-hardlinks");
    torn.commit("c", "3", "three");
    torn.commit("d", "4", "four");
    let three = torn.git(&["rev-parse", "HEAD^"]);
    std::fs::remove_file(torn.folder.join(".git/objects").join(&three[..2]).join(&three[2..])).unwrap();
    let torn = found(&world, &torn).await;
    let error = permanent(world.git.history(&torn.repository, None, &torn.head.clone().unwrap(), 9).await);
    assert!(error.hint.is_some(), "{error:?}");
}

#[tokio::test]
async fn what_stands_in_for_other_commits_does_not_count() {
    let world = World::new();
    let user = world.checkout();
    user.git(&["replace", "--graft", "HEAD"]);
    assert_eq!(user.git(&["rev-list", "--count", "HEAD"]), "1");
    std::fs::create_dir_all(user.folder.join(".git/info")).unwrap();
    std::fs::write(user.folder.join(".git/info/grafts"), format!("{}\n", user.head())).unwrap();
    let found = found(&world, &user).await;
    let query = HistoryQuery::upto(&found.head.clone().unwrap());
    assert_eq!(read(&world, &found, &query).await, ["two", "one"]);
}

#[tokio::test]
async fn messages_are_cut_while_they_come() {
    let world = World::new();
    let user = world.checkout();
    let tree = user.git(&["rev-parse", "HEAD^{tree}"]);
    let text = format!(
        "tree {tree}\nparent {}\nauthor {} <a@b> 1 +0000\ncommitter c <c@d> 2 +0000\n\nfeat: big\n\n{}",
        user.head(),
        "n".repeat(5_000),
        "long\n".repeat(400_000)
    );
    let commit = user.object("commit", text.as_bytes());
    let found = found(&world, &user).await;
    let (mut sizes, mut dates) = (Vec::new(), Vec::new());
    let mut query = HistoryQuery { order: HistoryOrder::AsWalked, ..HistoryQuery::upto(&id(&commit)) };
    for fields in [CommitFields::All, CommitFields::WithoutMessage] {
        query.fields = fields;
        let mut sink = |commit: CommitRef<'_>| {
            sizes.push((commit.author_name.len(), commit.message.len()));
            dates.push(commit.committed_at.as_second() - commit.authored_at.as_second());
            std::ops::ControlFlow::Continue(())
        };
        world.git.commits(&found.repository, &query, &mut sink).await.unwrap();
    }
    assert_eq!(sizes, [(1024, 96 << 10), (10, 4), (10, 4), (1024, 0), (10, 0), (10, 0)]);
    assert_eq!(dates, [1, 0, 0, 1, 0, 0]);
}

#[tokio::test]
async fn another_users_repository_is_refused_by_git() {
    let mut world = World::new();
    // As git does it in its own tests: everything belongs to somebody else.
    world.home.set("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1");
    let git = Git::new(world.home.environment());
    let folder = world.path("checkout");
    match git.find_repository(&folder).await {
        // The variable is not passed on to git, on purpose.
        Ok(found) => assert!(found.is_some()),
        Err(error) => panic!("{error:?}"),
    }
    let program = world.program("git", "GIT_TEST_ASSUME_DIFFERENT_OWNER=1 exec git \"$@\"\n");
    let error = permanent(git.with_program(program).find_repository(&folder).await);
    assert!(error.hint.as_ref().is_some_and(|hint| hint.contains("safe.directory")), "{error:?}");
}
