//! Over HTTP, with git's own server behind a small gateway, which can also misbehave.

use std::time::Duration;

use tollgate_connect::git::{Git, GitLimits};
use tollgate_engine::ports::{FailureClass, PushOutcome, RefUpdate, Repository, Sign, Source as _};
use tollgate_testkit::git_http::{Gateway, Mood};

use crate::{World, failure, permanent, tag_request};

fn at(world: &World, url: String) -> Repository {
    Repository { url, ..world.repository.clone() }
}

async fn release(world: &World, repository: &Repository) -> Vec<RefUpdate> {
    let main = world.git.resolve(repository, "refs/heads/main").await.unwrap().unwrap();
    let commit = world.commit(&main, "VERSION", "2\n").await;
    let tag = world.git.tag(repository, &tag_request("v2", &commit, Sign::Never)).await.unwrap();
    vec![
        RefUpdate { name: "refs/heads/main".to_owned(), object: commit },
        RefUpdate { name: "refs/tags/v2".to_owned(), object: tag.object },
    ]
}

#[tokio::test]
async fn a_release_goes_over_http() {
    let world = World::new();
    let gateway = Gateway::start(world.folder.path(), Mood::Open);
    let repository = at(&world, gateway.url(""));
    world.git.refresh(&repository).await.unwrap();
    let refs = release(&world, &repository).await;
    for _ in 0..2 {
        assert_eq!(world.git.push(&repository, &refs).await.unwrap(), PushOutcome::Done);
    }
    assert_eq!(gateway.pushes(), 1);
    assert!(world.remote().refs().contains(&refs[1].object.0));
    let nowhere = at(&world, gateway.url("").replace("remote", "nowhere"));
    let error = permanent(world.git.push(&nowhere, &refs).await);
    assert!(error.why.contains("not found"), "{error:?}");
}

#[tokio::test]
async fn passwords_work_and_stay_hidden() {
    let world = World::new();
    let gateway = Gateway::start(world.folder.path(), Mood::Locked);
    // A wrapper that notes every argument git itself is called with, and every one of its helpers.
    let notes = world.path("notes");
    let git = world.program("noting-git", &format!("echo \"$@\" >>{}\nexec git \"$@\"\n", notes.display()));
    let git = Git::new(world.home.environment()).with_program(git);
    let repository = at(&world, gateway.url("ada:p%40ss%2Fword@"));
    git.refresh(&repository).await.unwrap();
    let refs = release(&world, &repository).await;
    assert_eq!(git.push(&repository, &refs).await.unwrap(), PushOutcome::Done);
    let notes = std::fs::read_to_string(notes).unwrap();
    assert!(notes.contains("ls-remote") && !notes.contains("word"), "{notes}");
    let config = std::fs::read_to_string(repository.clone.join("config")).unwrap();
    assert!(!config.contains("word"), "{config}");

    for who in ["", "ada@", "ada:wr0ng-w0rd@"] {
        let error = permanent(world.git.refresh(&at(&world, gateway.url(who))).await);
        let text = format!("{error:?}");
        assert!(error.hint.is_some() && !text.contains("w0rd") && !text.contains("ada"), "{text}");
    }
    // The user's own helper answers too, and knows which user is meant.
    world.home.configure("credential.helper", "!f() { test $1 = get && echo password=p@ss/word; }; f");
    world.git.refresh(&at(&world, gateway.url("ada@"))).await.unwrap();
}

#[tokio::test]
async fn statuses_have_classes() {
    let world = World::new();
    for (status, class) in [
        (403, FailureClass::Permanent),
        (404, FailureClass::Permanent),
        (429, FailureClass::RateLimited),
        (500, FailureClass::Transient),
        (503, FailureClass::Transient),
    ] {
        let gateway = Gateway::start(world.folder.path(), Mood::Status(status));
        failure(world.git.refresh(&at(&world, gateway.url(""))).await, class);
    }
}

#[tokio::test]
async fn a_silent_remote_is_given_up() {
    let world = World::new();
    let gateway = Gateway::start(world.folder.path(), Mood::Silent);
    let limits = GitLimits { look: Duration::from_millis(400), ..GitLimits::default() };
    let git = Git::new(world.home.environment()).with_limits(limits);
    let error = failure(git.refresh(&at(&world, gateway.url(""))).await, FailureClass::Transient);
    assert!(error.why.contains("0.4 seconds"), "{error:?}");
}

#[tokio::test]
async fn a_push_without_an_answer_is_looked_up() {
    let world = World::new();
    let gateway = Gateway::start(world.folder.path(), Mood::ForgetsToAnswerPushes);
    let repository = at(&world, gateway.url(""));
    world.git.refresh(&repository).await.unwrap();
    let refs = release(&world, &repository).await;
    assert_eq!(world.git.push(&repository, &refs).await.unwrap(), PushOutcome::Done);
    assert_eq!(gateway.pushes(), 1);
}
