//! Merges: clean ones, repeated, and what does not go together.

use tollgate_engine::ports::{
    Clash, MergeHow, MergeOutcome, MergeRequest, ObjectId, PushOutcome, RefUpdate, Sign, Source as _,
};

use crate::{World, at, id, permanent};

pub(crate) fn request(ours: &ObjectId, theirs: &ObjectId) -> MergeRequest {
    MergeRequest {
        ours: ours.clone(),
        theirs: theirs.clone(),
        how: MergeHow::NoFf,
        message: "Merge v2 into develop".to_owned(),
        at: at(),
        sign: Sign::Never,
    }
}

async fn merge(world: &World, request: &MergeRequest) -> MergeOutcome {
    world.git.merge(&world.repository, request).await.unwrap()
}

#[track_caller]
fn merged(outcome: MergeOutcome) -> ObjectId {
    match outcome {
        MergeOutcome::Merged(commit) => commit,
        other => panic!("{other:?}"),
    }
}

/// `develop` beside `main`, each with a commit of its own, in different files.
async fn apart() -> (World, ObjectId, ObjectId) {
    let world = World::new();
    let user = world.checkout();
    user.git(&["switch", "--quiet", "-c", "develop"]);
    let develop = user.commit("next.txt", "next\n", "feat: next");
    user.git(&["switch", "--quiet", "main"]);
    let main = user.commit("VERSION", "2\n", "Release 2");
    user.git(&["push", "--quiet", "origin", "main", "develop"]);
    world.refresh().await;
    (world, id(&develop), id(&main))
}

#[tokio::test]
async fn a_clean_merge_is_the_same_each_time() {
    let (world, develop, main) = apart().await;
    let before = world.remote().refs();
    let commit = merged(merge(&world, &request(&develop, &main)).await);
    assert_eq!(merged(merge(&world, &request(&develop, &main)).await), commit);
    let clone = world.clone();
    let shown = clone.git(&["show", "--no-patch", "--format=%P %an %at %ct %s", &commit.0]);
    assert_eq!(shown, format!("{develop} {main} Ada Tester 1800000000 1800000000 Merge v2 into develop"));
    assert_eq!(clone.git(&["show", &format!("{commit}:VERSION")]), "2");
    assert_eq!(clone.git(&["show", &format!("{commit}:next.txt")]), "next");
    // Nothing moved, here or there.
    assert_eq!(world.remote().refs(), before);
    assert_eq!(world.checkout().git(&["status", "--porcelain"]), "");

    // Pushed, it contains what was merged: once more there is nothing to do.
    let update = RefUpdate { name: "refs/heads/develop".to_owned(), object: commit.clone() };
    assert_eq!(world.git.push(&world.repository, &[update]).await.unwrap(), PushOutcome::Done);
    assert_eq!(merge(&world, &request(&commit, &main)).await, MergeOutcome::Contained);
    assert_eq!(merge(&world, &request(&commit, &commit)).await, MergeOutcome::Contained);
}

#[tokio::test]
async fn moving_on_without_a_merge_commit() {
    let (world, develop, main) = apart().await;
    let only = |ours, theirs| MergeRequest { how: MergeHow::FfOnly, ..request(ours, theirs) };
    assert_eq!(merge(&world, &only(&develop, &main)).await, MergeOutcome::NotFastForward);
    let before = id(&world.clone().git(&["rev-parse", &format!("{main}^")]));
    assert_eq!(merge(&world, &only(&before, &main)).await, MergeOutcome::Merged(main.clone()));
    // Where it could be moved on, `no-ff` makes a commit all the same.
    let commit = merged(merge(&world, &request(&before, &main)).await);
    assert_eq!(world.clone().git(&["show", "-s", "--format=%P", &commit.0]), format!("{before} {main}"));
}

#[tokio::test]
async fn a_conflict_names_files_and_people() {
    let world = World::new();
    let user = world.checkout();
    let odd = "odd\nname \x1b[31m.txt";
    user.commit(odd, "0\n", "base");
    user.git(&["switch", "--quiet", "-c", "develop"]);
    user.git(&["config", "user.name", "Bea\x1b[1m"]);
    user.commit("VERSION", "7\n", "feat: other");
    let develop = id(&user.commit(odd, "1\n", "feat: odd"));
    user.git(&["switch", "--quiet", "main"]);
    user.git(&["config", "user.name", "Cid"]);
    user.commit("VERSION", "2\n", "Release 2");
    let main = id(&user.commit(odd, "2\n", "fix: odd"));
    user.git(&["push", "--quiet", "origin", "main", "develop"]);
    world.refresh().await;
    let MergeOutcome::Conflict(files) = merge(&world, &request(&develop, &main)).await else { panic!() };
    let clash =
        |path: &str| Clash { path: path.to_owned(), changed_by: vec!["Bea[1m".to_owned(), "Cid".to_owned()] };
    assert_eq!(files, [clash("VERSION"), clash("odd name [31m.txt")]);
    assert!(!world.repository.clone.join("index").exists());
}

#[tokio::test]
async fn a_file_taken_away_and_a_file_changed_do_not_go_together() {
    let world = World::new();
    let user = world.checkout();
    user.git(&["switch", "--quiet", "-c", "develop"]);
    user.git(&["rm", "--quiet", "VERSION"]);
    let develop = id(&user.commit("x", "x", "refactor: no VERSION"));
    user.git(&["switch", "--quiet", "main"]);
    let main = id(&user.commit("VERSION", "2\n", "Release 2"));
    user.git(&["push", "--quiet", "origin", "main", "develop"]);
    world.refresh().await;
    let MergeOutcome::Conflict(files) = merge(&world, &request(&develop, &main)).await else { panic!() };
    assert_eq!(files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(), ["VERSION"]);
}

#[tokio::test]
async fn attributes_of_the_branch_say_how_files_merge() {
    let world = World::new();
    let user = world.checkout();
    user.commit(".gitattributes", "CHANGES merge=union\n", "attributes");
    user.commit("CHANGES", "0\n", "base");
    user.git(&["switch", "--quiet", "-c", "develop"]);
    let develop = id(&user.commit("CHANGES", "a\n0\n", "a"));
    user.git(&["switch", "--quiet", "main"]);
    let main = id(&user.commit("CHANGES", "b\n0\n", "b"));
    user.git(&["push", "--quiet", "origin", "main", "develop"]);
    world.refresh().await;
    if merge_reads_attributes(&world) {
        let commit = merged(merge(&world, &request(&develop, &main)).await);
        assert_eq!(world.clone().git(&["show", &format!("{commit}:CHANGES")]), "a\nb\n0");
    }
}

/// git reads the attributes of a tree since 2.41; an older one has a conflict here, which is safe.
fn merge_reads_attributes(world: &World) -> bool {
    let version = world.remote().git(&["version"]);
    let mut parts =
        version.trim_start_matches("git version ").split('.').map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= (2, 41)
}

#[tokio::test]
async fn octopuses_and_several_bases_merge() {
    let (world, develop, main) = apart().await;
    let user = world.checkout();
    user.git(&["fetch", "--quiet", "origin"]);
    // Both branches merge the other one: two bases.
    let tree = user.git(&["merge-tree", "--write-tree", &main.0, &develop.0]);
    let cross = |first: &ObjectId, second: &ObjectId| {
        user.git(&["commit-tree", &tree, "-p", &first.0, "-p", &second.0, "-m", "cross"])
    };
    let (left, right) = (cross(&main, &develop), cross(&develop, &main));
    let octopus =
        user.git(&["commit-tree", &tree, "-p", &left, "-p", &right, "-p", &main.0, "-m", "octopus"]);
    user.git(&[
        "push",
        "--quiet",
        "origin",
        &format!("{left}:refs/heads/left"),
        &format!("{octopus}:refs/heads/octo"),
    ]);
    user.git(&["push", "--quiet", "origin", &format!("{right}:refs/heads/right")]);
    world.refresh().await;
    merged(merge(&world, &request(&id(&left), &id(&right))).await);
    merged(merge(&world, &request(&id(&left), &id(&octopus))).await);
    assert_eq!(merge(&world, &request(&id(&octopus), &id(&right))).await, MergeOutcome::Contained);
}

#[tokio::test]
async fn what_cannot_be_merged_is_told() {
    let (world, develop, main) = apart().await;
    let orphan = id(&world.clone().git(&["commit-tree", &format!("{main}^{{tree}}"), "-m", "orphan"]));
    assert_eq!(merge(&world, &request(&develop, &orphan)).await, MergeOutcome::Unrelated);
    let none = id(&"a".repeat(40));
    for (ours, theirs) in [(&none, &main), (&main, &none), (&id("-h"), &main), (&main, &id("main"))] {
        permanent(world.git.merge(&world.repository, &request(ours, theirs)).await);
    }
    let tree = id(&world.clone().git(&["rev-parse", &format!("{main}^{{tree}}")]));
    permanent(world.git.merge(&world.repository, &request(&main, &tree)).await);
    let empty = MergeRequest { message: " \n".to_owned(), ..request(&develop, &main) };
    permanent(world.git.merge(&world.repository, &empty).await);
}

/// Grafts and replace refs, on the remote or in the clone, change nothing of what is merged.
#[tokio::test]
async fn history_is_what_the_commits_say() {
    let (world, develop, main) = apart().await;
    let commit = merged(merge(&world, &request(&develop, &main)).await);
    let clone = world.clone();
    let orphan = clone.git(&["commit-tree", &format!("{main}^{{tree}}"), "-m", "orphan"]);
    clone.git(&["update-ref", &format!("refs/replace/{main}"), &orphan]);
    std::fs::create_dir_all(world.repository.clone.join("info")).unwrap();
    std::fs::write(world.repository.clone.join("info/grafts"), format!("{develop}\n")).unwrap();
    assert_eq!(merged(merge(&world, &request(&develop, &main)).await), commit);
}

#[tokio::test]
async fn an_older_git_is_told() {
    let (world, develop, main) = apart().await;
    let script = "case \"$*\" in *version*) echo git version 2.37.1;; *) exec git \"$@\";; esac\n";
    let old = tollgate_connect::git::Git::new(world.home.environment())
        .with_program(world.program("old-git", script));
    let error = permanent(old.merge(&world.repository, &request(&develop, &main)).await);
    assert!(error.why.contains("2.37") && error.why.contains("2.38"), "{error:?}");
    let pick = crate::pick::request(&develop, &main);
    let error = permanent(old.cherry_pick(&world.repository, &pick).await);
    assert!(error.why.contains("2.40"), "{error:?}");
    assert_eq!(old.resolve(&world.repository, "refs/heads/main").await.unwrap(), Some(main));
}
