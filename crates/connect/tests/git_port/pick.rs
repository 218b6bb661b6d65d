//! Commits taken over.

use tollgate_engine::ports::{ObjectId, PickOutcome, PickRequest, Sign, Source as _};

use crate::{World, at, id, permanent};

pub(crate) fn request(onto: &ObjectId, commit: &ObjectId) -> PickRequest {
    PickRequest { onto: onto.clone(), commit: commit.clone(), mainline: None, at: at(), sign: Sign::Never }
}

async fn pick(world: &World, request: &PickRequest) -> PickOutcome {
    world.git.cherry_pick(&world.repository, request).await.unwrap()
}

#[track_caller]
fn picked(outcome: PickOutcome) -> ObjectId {
    match outcome {
        PickOutcome::Picked { commit, .. } => commit,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn refused(outcome: PickOutcome) -> String {
    match outcome {
        PickOutcome::Refused { why, .. } => why,
        other => panic!("{other:?}"),
    }
}

/// A fix on `develop`, by somebody else, to be taken over onto `main`.
async fn fix() -> (World, ObjectId, ObjectId) {
    let world = World::new();
    let user = world.checkout();
    user.git(&["switch", "--quiet", "-c", "develop"]);
    user.commit("next.txt", "next\n", "feat: next");
    user.git(&["config", "user.name", "Bea Fixer"]);
    user.git(&["config", "user.email", "bea@example.org"]);
    let message = "fix: a leak\n\nIt leaked.\n\nCo-authored-by: Kim <kim@example.org>\nSigned-off-by: Bea Fixer <bea@example.org>";
    let fix = id(&user.commit("src/lib.rs", "// two\n// fixed\n", message));
    user.git(&["config", "--remove-section", "user"]);
    user.git(&["switch", "--quiet", "main"]);
    user.git(&["push", "--quiet", "origin", "develop"]);
    world.refresh().await;
    let main = world.main().await;
    (world, main, fix)
}

#[tokio::test]
async fn a_commit_is_taken_over_as_git_does_it() {
    let (world, main, fix) = fix().await;
    let outcome = pick(&world, &request(&main, &fix)).await;
    let PickOutcome::Picked { commit, authors } = outcome.clone() else { panic!("{outcome:?}") };
    assert_eq!(authors, ["bea@example.org", "kim@example.org"]);
    assert_eq!(pick(&world, &request(&main, &fix)).await, outcome);
    let clone = world.clone();
    let of = |format: &str, commit: &ObjectId| {
        clone.git(&["show", "-s", "--date=raw", &format!("--format={format}"), &commit.0])
    };
    assert_eq!(of("%an %ae %ad", &commit), of("%an %ae %ad", &fix));
    assert_eq!(of("%P %cn %ct", &commit), format!("{main} Ada Tester 1800000000"));
    // The very message that `git cherry-pick -x` makes.
    let user = world.checkout();
    user.git(&["cherry-pick", "-x", &fix.0]);
    assert_eq!(of("%B", &commit), user.git(&["show", "-s", "--format=%B", "HEAD"]));
    assert_eq!(of("%T", &commit), user.git(&["show", "-s", "--format=%T", "HEAD"]));
}

#[tokio::test]
async fn what_is_contained_is_not_taken_over_again() {
    let (world, main, fix) = fix().await;
    // The commit itself.
    assert_eq!(pick(&world, &request(&fix, &fix)).await, PickOutcome::Contained);
    // The same patch as another commit, with something after it.
    let there = picked(pick(&world, &request(&main, &fix)).await);
    let later = world.commit(&there, "src/lib.rs", "// all new\n").await;
    assert_eq!(pick(&world, &request(&later, &fix)).await, PickOutcome::Contained);
    // The same change in another commit's company.
    let base = id(&world.clone().git(&["rev-parse", &format!("{main}^")]));
    let both = world.commit(&main, "src/lib.rs", "// two\n// fixed\n").await;
    assert_eq!(pick(&world, &request(&both, &fix)).await, PickOutcome::Contained);
    assert!(matches!(pick(&world, &request(&base, &fix)).await, PickOutcome::Conflict(_)));
}

#[tokio::test]
async fn a_conflict_names_files() {
    let (world, main, fix) = fix().await;
    let other = world.commit(&main, "src/lib.rs", "// other\n").await;
    let PickOutcome::Conflict(files) = pick(&world, &request(&other, &fix)).await else { panic!() };
    assert_eq!(files.len(), 1);
    assert_eq!(files[0].path, "src/lib.rs");
    assert_eq!(files[0].changed_by, ["Ada Tester", "Bea Fixer"]);
}

#[tokio::test]
async fn merges_need_a_mainline() {
    let (world, main, fix) = fix().await;
    let clone = world.clone();
    let side = world.commit(&main, "side.txt", "side\n").await;
    let tree = format!("{side}^{{tree}}");
    let merge = id(&clone.git(&["commit-tree", &tree, "-p", &main.0, "-p", &side.0, "-m", "merge"]));
    let onto = fix;
    let why = refused(pick(&world, &request(&onto, &merge)).await);
    assert!(why.contains("merge of 2 parents"), "{why}");
    let mainline = |number| PickRequest { mainline: Some(number), ..request(&onto, &merge) };
    let commit = picked(pick(&world, &mainline(1)).await);
    assert_eq!(clone.git(&["show", &format!("{commit}:side.txt")]), "side");
    // Against its second parent it changed nothing.
    assert_eq!(pick(&world, &mainline(2)).await, PickOutcome::Contained);
    assert!(refused(pick(&world, &mainline(3)).await).contains("2 parents"));
}

#[tokio::test]
async fn what_cannot_be_taken_over_is_told() {
    let (world, main, _) = fix().await;
    let clone = world.clone();
    let root = id(&clone.git(&["commit-tree", &format!("{main}^{{tree}}"), "-m", "root"]));
    assert!(refused(pick(&world, &request(&main, &root)).await).contains("first of its history"));
    let none = id(&"b".repeat(40));
    assert!(refused(pick(&world, &request(&main, &none)).await).contains("not in the repository"));
    let tree = id(&clone.git(&["rev-parse", &format!("{main}^{{tree}}")]));
    assert!(refused(pick(&world, &request(&main, &tree)).await).contains("not a commit but a tree"));
    for bad in ["HEAD", "--all", "main", "abc1234", ""] {
        permanent(world.git.cherry_pick(&world.repository, &request(&main, &id(bad))).await);
    }
    permanent(world.git.cherry_pick(&world.repository, &request(&none, &main)).await);
}

#[tokio::test]
async fn hostile_commits_are_taken_over_as_text() {
    let (world, main, _) = fix().await;
    let clone = world.clone();
    let changed = world.commit(&main, "new.txt", "new\n").await;
    let tree = clone.git(&["rev-parse", &format!("{changed}^{{tree}}")]);
    let author = "--exec=sh <-x@y> 1700000000 +0000";
    let raw = format!(
        "tree {tree}\nparent {main}\nauthor {author}\ncommitter {author}\n\n--amend\n\n(cherry picked from commit x)\n\x1b[31m"
    );
    let commit = id(&clone.object("commit", &[raw.as_bytes(), b"\xff\n"].concat()));
    let new = picked(pick(&world, &request(&main, &commit)).await);
    assert_eq!(
        clone.git(&["show", "-s", "--format=%an|%ae|%ad", "--date=raw", &new.0]),
        "--exec=sh|-x@y|1700000000 +0000"
    );
    assert!(clone.git(&["show", "-s", "--format=%s", &new.0]).starts_with("--amend"));
    // Nobody wrote it: git makes no such commit, and that is said.
    let nobody = raw.replace("--exec=sh <-x@y>", "<>");
    let commit = id(&clone.object("commit", nobody.as_bytes()));
    permanent(world.git.cherry_pick(&world.repository, &request(&main, &commit)).await);
}
