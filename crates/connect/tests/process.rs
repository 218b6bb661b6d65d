//! Commands under the supervisor, as long as nothing crashes.

mod process_support;

use std::fs;
use std::path::Path;

use jiff::SignedDuration;
use process_support::{SECRET, World, lives, play_supervisor, read_pid};
use tollgate_connect::process::{Supervised, SupervisorProgram};
use tollgate_engine::ports::{ChildRequest, ChildState, FailureClass, PortError, Runner};

#[test]
fn supervisor_entry() {
    play_supervisor();
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

async fn failure(world: &World, request: &ChildRequest) -> PortError {
    world.runner.run(request).await.unwrap_err()
}

#[tokio::test]
async fn a_command_succeeds_and_its_result_is_kept() {
    let world = World::new();
    let mut request = world.request("echo \"$GREETING\"; echo problem >&2; pwd");
    request.variables.insert("GREETING".to_owned(), "hello 'world' $HOME".to_owned());
    assert_eq!(world.runner.look(request.id, 1).await.unwrap(), ChildState::Never);

    let exit = world.runner.run(&request).await.unwrap();
    assert_eq!((exit.status, exit.signal, exit.timed_out), (Some(0), None, false));
    let here = request.folder.canonicalize().unwrap();
    assert_eq!(text(&exit.stdout), format!("hello 'world' $HOME\n{}\n", here.display()));
    assert!(text(&exit.output).contains("problem\n"), "{exit:?}");
    assert!(exit.took < SignedDuration::from_secs(30));

    assert_eq!(world.runner.look(request.id, 1).await.unwrap(), ChildState::Ended(exit.clone()));
    assert_eq!(world.restarted().run(&request).await.unwrap(), exit);
    assert_eq!(world.runner.look(request.id, 2).await.unwrap(), ChildState::Never);
}

#[tokio::test]
async fn the_environment_is_small() {
    let world = World::new();
    let exit = world.run("env").await;
    for line in text(&exit.stdout).lines() {
        let name = line.split('=').next().unwrap();
        // Where the user's own tools are, and nothing of the cargo that runs this.
        let of_tools = matches!(name, "CARGO_HOME" | "RUSTUP_HOME");
        assert!(of_tools || !name.starts_with("CARGO") && !name.starts_with("TOLLGATE"), "{line}");
    }
    assert!(text(&exit.stdout).contains("PATH="));
}

#[tokio::test]
async fn status_and_signal_are_told_apart() {
    let world = World::new();
    let failed = world.run("exit 3").await;
    assert_eq!((failed.status, failed.signal), (Some(3), None));
    let request = ChildRequest { attempt: 2, ..world.request("kill -9 $$") };
    let killed = world.runner.run(&request).await.unwrap();
    assert_eq!((killed.status, killed.signal, killed.timed_out), (None, Some(9), false));
}

#[tokio::test]
async fn a_timeout_ends_grandchildren_too() {
    let world = World::new();
    let mut request = world.request("sh -c 'echo $$ > grandchild; sleep 300; :' & echo before; wait");
    request.timeout = SignedDuration::from_millis(800);
    let exit = world.runner.run(&request).await.unwrap();
    assert!(exit.timed_out);
    assert_eq!((exit.status, exit.signal), (None, Some(15)));
    assert_eq!(text(&exit.stdout), "before\n");
    assert!(!lives(read_pid(&world.work("grandchild"))));
}

#[tokio::test]
async fn who_ignores_the_polite_signal_is_killed() {
    let world = World::new();
    let stubborn = "trap '' TERM; sh -c 'echo $$ > grandchild; while :; do sleep 1; done' & \
                    while :; do sleep 1; done";
    let request = ChildRequest { timeout: SignedDuration::from_millis(300), ..world.request(stubborn) };
    let exit = world.runner.run(&request).await.unwrap();
    assert!(exit.timed_out);
    assert_eq!(exit.signal, Some(9));
    assert!(exit.took >= SignedDuration::from_secs(10), "{exit:?}");
    assert!(!lives(read_pid(&world.work("grandchild"))));
}

#[tokio::test]
async fn output_is_bounded() {
    let world = World::new();
    let exit = world.run("yes hello | head -c 5000000; yes problem | head -c 3000000 >&2; echo end").await;
    for kept in [&exit.output, &exit.stdout] {
        assert_eq!(kept.len(), 1024 * 1024);
    }
    assert!(exit.stdout.ends_with(b"end\n"));
    let files = fs::read_dir(world.folder(&world.request(""))).unwrap();
    let size: u64 = files.map(|file| file.unwrap().metadata().unwrap().len()).sum();
    assert!(size < 2 * 1024 * 1024 + 64 * 1024, "{size}");
}

#[tokio::test]
async fn hostile_bytes_come_through() {
    let world = World::new();
    let exit = world.run(r"printf '\377\000\033[2J\200'").await;
    assert_eq!(exit.stdout, b"\xff\0\x1b[2J\x80");
    assert_eq!(exit.output, exit.stdout);
}

#[tokio::test]
async fn secrets_are_blotted_out_and_nowhere_else() {
    let world = World::new();
    let (first, second) = SECRET.split_at(9);
    let request = world.secret_request(&format!(
        "test \"$TOKEN\" = '{first}''{second}' || exit 9; printf '{first}'; echo problem >&2; sleep 0.3; echo '{second}'; \
         echo \"<$TOKEN>\" >&2; touch here; while ! test -e go; do sleep 0.05; done"
    ));
    let (runner, other) = (world.runner.clone(), request.clone());
    let run = tokio::spawn(async move { runner.run(&other).await });

    while !world.work("here").exists() {
        tokio::task::yield_now().await;
    }
    for process in fs::read_dir("/proc").unwrap() {
        let line = fs::read(process.unwrap().path().join("cmdline")).unwrap_or_default();
        assert!(!contains(&line, SECRET.as_bytes()));
    }
    fs::write(world.work("go"), "").unwrap();
    let exit = run.await.unwrap().unwrap();
    assert_eq!(exit.status, Some(0));
    assert_eq!(text(&exit.stdout), "***\n");
    assert_eq!(text(&exit.output).replace("<***>\n", ""), "problem\n***\n");
    assert_no_file_contains(&world.children(), SECRET.as_bytes());
}

fn contains(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

fn assert_no_file_contains(folder: &Path, what: &[u8]) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            assert_no_file_contains(&path, what);
        } else {
            assert!(!contains(&fs::read(&path).unwrap(), what), "{}", path.display());
        }
    }
}

#[tokio::test]
async fn what_is_left_in_the_background_holds_nobody_up() {
    let world = World::new();
    let exit = world.run("sleep 300 & echo $! > background; echo done").await;
    assert_eq!((exit.status, text(&exit.stdout)), (Some(0), "done\n"));
    let background = read_pid(&world.work("background"));
    assert!(lives(background));
    process_support::kill(background);
}

#[tokio::test]
async fn two_starters_at_once_run_it_once() {
    let world = World::new();
    let request = world.request("echo once >> ran; sleep 0.3");
    let (one, two, three) = (world.restarted(), world.restarted(), world.restarted());
    let (one, two, three) = tokio::join!(one.run(&request), two.run(&request), three.run(&request));
    let exit = one.unwrap();
    assert_eq!(exit.status, Some(0));
    assert_eq!((two.unwrap(), three.unwrap()), (exit.clone(), exit));
    assert_eq!(fs::read_to_string(world.work("ran")).unwrap(), "once\n");
}

#[tokio::test]
async fn stop_ends_a_running_command() {
    let world = World::new();
    let request = world.request("echo $$ > running; sleep 300 & wait");
    world.runner.stop(request.id, 1).await.unwrap();
    let (runner, other) = (world.runner.clone(), request.clone());
    let run = tokio::spawn(async move { runner.run(&other).await });
    while !world.work("running").exists() {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.runner.look(request.id, 1).await.unwrap(), ChildState::Running);
    let early = world.runner.forget(request.id).await.unwrap_err();
    assert!(early.why.contains("still runs"), "{early:?}");

    world.runner.stop(request.id, 1).await.unwrap();
    assert!(!lives(read_pid(&world.work("running"))));
    let exit = run.await.unwrap().unwrap();
    assert_eq!((exit.signal, exit.timed_out), (Some(15), false));
    world.runner.stop(request.id, 1).await.unwrap();
}

#[tokio::test]
async fn a_command_that_was_forgotten_never_was() {
    let world = World::new();
    let request = world.request("true");
    let second = ChildRequest { attempt: 2, ..request.clone() };
    world.runner.forget(request.id).await.unwrap();
    world.runner.run(&request).await.unwrap();
    world.runner.run(&second).await.unwrap();
    world.runner.forget(request.id).await.unwrap();
    assert_eq!(world.runner.look(request.id, 1).await.unwrap(), ChildState::Never);
    assert_eq!(fs::read_dir(world.children()).unwrap().count(), 0);
}

#[tokio::test]
async fn what_cannot_run_is_refused_in_plain_words() {
    let world = World::new();
    let check = async |request: ChildRequest, why: &str| {
        let error = failure(&world, &request).await;
        assert_eq!(error.class, FailureClass::Permanent);
        assert!(error.why.contains(why), "{error:?}");
        assert_eq!(world.runner.look(request.id, 1).await.unwrap(), ChildState::Never);
    };
    let good = world.request("true");
    check(ChildRequest { folder: world.work("none"), ..good.clone() }, "is not there").await;
    check(ChildRequest { timeout: SignedDuration::ZERO, ..good.clone() }, "not positive").await;
    check(world.request("a\0b"), "the shell could not be started").await;
    check(world.secret_request(&format!("curl -H {SECRET}")), "stands in the command").await;
    let mut odd = good.clone();
    odd.variables.insert("A=B".to_owned(), String::new());
    check(odd, "cannot name a variable").await;
    let mut unknown = good.clone();
    unknown.secrets.insert("TOKEN".to_owned(), "other".to_owned());
    check(unknown, "there is no secret named `other`").await;

    // A refusal does not stand in the way of a later start.
    assert_eq!(world.runner.run(&good).await.unwrap().status, Some(0));
}

#[tokio::test]
async fn a_state_folder_that_cannot_be_written_is_named() {
    let world = World::new();
    fs::write(world.root().join("state"), "a file").unwrap();
    let error = failure(&world, &world.request("true")).await;
    assert!(error.why.contains("state/children"), "{error:?}");
}

#[tokio::test]
async fn a_supervisor_that_is_not_there_is_named() {
    let world = World::new();
    let start = |program: &str| {
        let supervisor = SupervisorProgram { program: program.into(), arguments: Vec::new() };
        let secrets = std::collections::BTreeMap::<String, tollgate_connect::process::Secret>::new();
        Supervised::new(world.root(), supervisor, std::env::vars_os(), std::sync::Arc::new(secrets))
    };
    let error = start("/no/such/tollgate").run(&world.request("true")).await.unwrap_err();
    assert!(error.why.contains("/no/such/tollgate"), "{error:?}");

    let error = start("/bin/false").run(&world.request("true")).await.unwrap_err();
    assert_eq!(error.class, FailureClass::Transient);
    assert!(error.why.contains("ended before it started the command"), "{error:?}");
}
