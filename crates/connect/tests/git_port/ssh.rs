//! Over ssh, with a real sshd.

use tollgate_connect::git::Git;
use tollgate_engine::ports::{FailureClass, PushOutcome, RefUpdate, Repository, Sign, Source as _};
use tollgate_testkit::sshd::Sshd;

use crate::{World, failure, permanent, tag_request};

#[tokio::test]
async fn a_release_goes_over_ssh() {
    let world = World::new();
    let Some(sshd) = Sshd::start(&world.path("sshd")) else { return };
    // The way people have it: in the configuration of their checkout.
    world.checkout().git(&["config", "core.sshCommand", &sshd.command()]);
    let url = sshd.url(&world.path("remote.git"));
    let repository = Repository { url, ..world.repository.clone() };
    world.git.refresh(&repository).await.unwrap();
    let main = world.main().await;
    let commit = world.commit(&main, "VERSION", "2\n").await;
    let tag = world.git.tag(&repository, &tag_request("v2", &commit, Sign::Never)).await.unwrap();
    let refs = [
        RefUpdate { name: "refs/heads/main".to_owned(), object: commit.clone() },
        RefUpdate { name: "refs/tags/v2".to_owned(), object: tag.object },
    ];
    for _ in 0..2 {
        assert_eq!(world.git.push(&repository, &refs).await.unwrap(), PushOutcome::Done);
    }
    world.git.refresh(&repository).await.unwrap();
    assert_eq!(world.main().await, commit);

    let gone = Repository { url: sshd.url(&world.path("nowhere.git")), ..repository.clone() };
    permanent(world.git.push(&gone, &refs).await);
    drop(sshd);
    failure(world.git.push(&repository, &refs).await, FailureClass::Transient);
}

#[tokio::test]
async fn nobody_is_asked_for_anything() {
    let world = World::new();
    let Some(sshd) = Sshd::start(&world.path("sshd")) else { return };
    let repository = Repository { url: sshd.url(&world.path("remote.git")), ..world.repository.clone() };
    let with = |command: String| {
        let mut environment = world.home.environment();
        environment.push(("GIT_SSH_COMMAND".into(), command.into()));
        Git::new(environment)
    };
    let error = permanent(with(sshd.command_of_stranger()).refresh(&repository).await);
    assert!(error.why.contains("Permission denied") && error.hint.is_some(), "{error:?}");
    let error = permanent(with(sshd.command_without_host()).refresh(&repository).await);
    assert!(error.hint.as_deref().is_some_and(|hint| hint.contains("known_hosts")), "{error:?}");
    // Without a command of the user's own, ssh is told not to ask.
    let error = permanent(world.git.refresh(&repository).await);
    assert!(error.why.contains("Host key verification failed"), "{error:?}");
    with(sshd.command()).refresh(&repository).await.unwrap();
}
