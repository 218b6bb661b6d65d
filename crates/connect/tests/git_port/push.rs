//! Pushing: done, repeated, refused, cut off.

use tollgate_engine::ports::{
    FailureClass, ObjectId, PushOutcome, PushRefusal, RefUpdate, Repository, Sign, Source as _,
};

use crate::{World, failure, id, permanent, tag_request};

fn to(name: &str, object: &ObjectId) -> RefUpdate {
    RefUpdate { name: name.to_owned(), object: object.clone() }
}

/// A commit on main and a tag on it, ready to be pushed.
async fn release(world: &World) -> Vec<RefUpdate> {
    world.refresh().await;
    let main = world.main().await;
    let commit = world.commit(&main, "VERSION", "2\n").await;
    let tag = world.git.tag(&world.repository, &tag_request("v2", &commit, Sign::Never)).await.unwrap();
    vec![to("refs/heads/main", &commit), to("refs/tags/v2", &tag.object)]
}

async fn push(world: &World, refs: &[RefUpdate]) -> PushOutcome {
    world.git.push(&world.repository, refs).await.unwrap()
}

#[track_caller]
fn refusals(outcome: PushOutcome) -> Vec<(String, PushRefusal)> {
    match outcome {
        PushOutcome::Rejected { refs } => refs,
        PushOutcome::Done => panic!("not refused"),
    }
}

#[tokio::test]
async fn a_push_is_done_once() {
    let world = World::new();
    let refs = release(&world).await;
    world.remote().hook("post-receive", "#!/bin/sh\necho pushed >>count\n");
    for _ in 0..3 {
        assert_eq!(push(&world, &refs).await, PushOutcome::Done);
    }
    let count = std::fs::read_to_string(world.remote().folder.join("count")).unwrap();
    assert_eq!(count, "pushed\n");
    let there = world.remote().refs();
    for update in &refs {
        assert!(there.contains(&format!("{} {}", update.object, update.name)), "{there}");
    }
    // One is there, the other is not.
    let topic = to("refs/heads/topic", &refs[0].object);
    assert_eq!(push(&world, &[refs[0].clone(), topic]).await, PushOutcome::Done);
    assert_eq!(push(&world, &[]).await, PushOutcome::Done);
    world.refresh().await;
    assert_eq!(world.main().await, refs[0].object);
}

#[tokio::test]
async fn a_branch_that_moved_on_is_not_overwritten() {
    let world = World::new();
    let refs = release(&world).await;
    let user = world.checkout();
    let theirs = user.commit("a", "1", "faster");
    user.git(&["push", "--quiet", "origin", "main"]);
    let before = world.remote().refs();
    // Whether the clone knows the other commit or not.
    for _ in 0..2 {
        let want = vec![
            ("refs/heads/main".to_owned(), PushRefusal::NotFastForward(Some(id(&theirs)))),
            ("refs/tags/v2".to_owned(), PushRefusal::WithTheOthers),
        ];
        assert_eq!(refusals(push(&world, &refs).await), want);
        world.refresh().await;
    }
    assert_eq!(world.remote().refs(), before);
}

#[tokio::test]
async fn a_tag_that_is_there_is_not_moved() {
    let world = World::new();
    let refs = release(&world).await;
    let user = world.checkout();
    user.git(&["tag", "-m", "theirs", "v2", "main"]);
    user.git(&["push", "--quiet", "origin", "v2"]);
    let before = world.remote().refs();
    let refused = refusals(push(&world, &refs).await);
    assert_eq!(refused[0], ("refs/heads/main".to_owned(), PushRefusal::WithTheOthers));
    let PushRefusal::TagExists(found) = &refused[1].1 else { panic!("{refused:?}") };
    assert_eq!(found.commit.0, user.head());
    assert_eq!(found.object.0, user.git(&["rev-parse", "v2"]));
    assert!(found.annotated);
    assert_eq!(world.remote().refs(), before);
}

#[tokio::test]
async fn a_hook_that_declines_is_heard() {
    let world = World::new();
    let refs = release(&world).await;
    let before = world.remote().refs();
    world.remote().hook(
        "update",
        "#!/bin/sh\ncase $1 in refs/heads/*) printf 'main is \\033[31mprotected\\n' >&2; exit 1;; esac\n",
    );
    let refused = refusals(push(&world, &refs).await);
    let PushRefusal::Declined(why) = &refused[0].1 else { panic!("{refused:?}") };
    assert!(why.contains("hook declined") && why.contains("main is [31mprotected"), "{why}");
    assert_eq!(refused[1].1, PushRefusal::WithTheOthers);
    assert_eq!(world.remote().refs(), before, "all or nothing");

    world.remote().hook("update", "#!/bin/sh\n");
    world.remote().hook("pre-receive", "#!/bin/sh\necho closed; exit 1\n");
    let refused = refusals(push(&world, &refs).await);
    assert!(refused.iter().all(|(_, why)| matches!(why, PushRefusal::Declined(_))), "{refused:?}");
    assert_eq!(world.remote().refs(), before);
}

#[tokio::test]
async fn a_remote_without_atomic_gets_branches_first() {
    let world = World::new();
    let refs = release(&world).await;
    let before = world.remote().refs();
    world.remote().git(&["config", "receive.advertiseAtomic", "false"]);
    world.remote().hook("update", "#!/bin/sh\ncase $1 in refs/heads/*) exit 1;; esac\n");
    let mut reversed = refs.clone();
    reversed.reverse();
    let refused = refusals(push(&world, &reversed).await);
    assert!(refused.contains(&("refs/tags/v2".to_owned(), PushRefusal::WithTheOthers)), "{refused:?}");
    assert_eq!((refused.len(), world.remote().refs()), (2, before));
    world.remote().hook("update", "#!/bin/sh\n");
    assert_eq!(push(&world, &reversed).await, PushOutcome::Done);
    assert_eq!(push(&world, &reversed).await, PushOutcome::Done);
}

#[tokio::test]
async fn a_push_that_lost_its_answer_counts() {
    let world = World::new();
    let refs = release(&world).await;
    // The refs are written, and then the remote dies before it says so.
    world.remote().hook("post-update", "#!/bin/sh\nkill -9 $PPID\n");
    assert_eq!(push(&world, &refs).await, PushOutcome::Done);
    assert!(world.remote().refs().contains("refs/tags/v2"));
}

#[tokio::test]
async fn a_race_is_seen_as_what_it_is() {
    let world = World::new();
    let refs = release(&world).await;
    let user = world.checkout();
    let theirs = user.commit("a", "1", "faster");
    user.git(&["push", "--quiet", "origin", "main:other"]);
    // Somebody else's push comes in between our look and our write.
    let script = format!(
        "#!/bin/sh\ntest -e done && exit 0\ntouch done\nunset GIT_QUARANTINE_PATH\n\
        git update-ref refs/heads/main {theirs}\n"
    );
    world.remote().hook("pre-receive", &script);
    let refused = refusals(push(&world, &refs).await);
    assert_eq!(refused[0].1, PushRefusal::NotFastForward(Some(id(&theirs))), "{refused:?}");
    assert!(!world.remote().refs().contains("refs/tags/v2"));
}

#[tokio::test]
async fn a_remote_that_vanished() {
    let world = World::new();
    let refs = release(&world).await;
    std::fs::rename(world.path("remote.git"), world.path("moved.git")).unwrap();
    let error = permanent(world.git.push(&world.repository, &refs).await);
    assert!(error.hint.is_some(), "{error:?}");
    for url in ["http://127.0.0.1:1/x.git", "git://127.0.0.1:1/x.git"] {
        let gone = Repository { url: url.to_owned(), ..world.repository.clone() };
        failure(world.git.push(&gone, &refs).await, FailureClass::Transient);
    }
}

#[tokio::test]
async fn wrong_pushes_are_refused_here() {
    let world = World::new();
    let refs = release(&world).await;
    let commit = &refs[0].object;
    for name in ["main", "refs/heads/-x", "refs/heads/a..b", "HEAD", "refs/heads/*", "+refs/heads/main", ""] {
        permanent(world.git.push(&world.repository, &[to(name, commit)]).await);
    }
    permanent(world.git.push(&world.repository, &[to("refs/heads/x", &id(&"1".repeat(40)))]).await);
    permanent(world.git.push(&world.repository, &[to("refs/heads/x", &refs[1].object)]).await);
    permanent(world.git.push(&world.repository, &[refs[0].clone(), refs[0].clone()]).await);
    let unknown = to("refs/heads/x", &id("main"));
    permanent(world.git.push(&world.repository, &[unknown]).await);
}

#[tokio::test]
async fn what_the_user_configured_for_pushes_does_not_add_to_them() {
    let world = World::new();
    world.home.configure("push.followTags", "true");
    world.home.configure("push.default", "matching");
    let refs = release(&world).await;
    assert_eq!(push(&world, &refs[..1]).await, PushOutcome::Done);
    assert!(!world.remote().refs().contains("refs/tags/v2"));
}
