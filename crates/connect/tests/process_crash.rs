//! Commands under the supervisor when something is killed.

mod process_support;

use std::fs;

use process_support::{World, kill, lives, play_starter, play_supervisor, read_pid, until};
use rustix::process::{Pid, Signal, kill_process_group};
use tollgate_engine::ports::{ChildState, FailureClass, Runner};

#[test]
fn supervisor_entry() {
    play_supervisor();
}

#[test]
fn starter_entry() {
    play_starter();
}

/// A command that runs until the file `go` is there, and leaves a line behind each time it runs.
const COUNTED: &str =
    "echo ran >> ran; echo $$ > running; while ! test -e go; do sleep 0.05; done; echo result";

#[tokio::test]
async fn a_command_outlives_its_starter_and_is_adopted() {
    let world = World::new();
    let request = world.request(COUNTED);
    let mut starter = world.starter(&request);
    let child = read_pid(&world.work("running"));
    starter.kill().unwrap();
    starter.wait().unwrap();

    let runner = world.restarted();
    assert_eq!(runner.look(request.id, 1).await.unwrap(), ChildState::Running);
    assert!(lives(child));
    let adopted = runner.run(&request);
    fs::write(world.work("go"), "").unwrap();
    let exit = adopted.await.unwrap();
    assert_eq!((exit.status, exit.stdout.as_slice()), (Some(0), b"result\n".as_slice()));
    assert_eq!(fs::read_to_string(world.work("ran")).unwrap(), "ran\n");
}

#[tokio::test]
async fn a_command_that_ended_in_between_is_adopted() {
    let world = World::new();
    let request = world.request(COUNTED);
    let mut starter = world.starter(&request);
    read_pid(&world.work("running"));
    starter.kill().unwrap();
    starter.wait().unwrap();
    fs::write(world.work("go"), "").unwrap();
    until(|| world.folder(&request).join("exit.json").exists());
    let exit = world.restarted().run(&request).await.unwrap();
    assert_eq!(exit.stdout, b"result\n");
    assert_eq!(fs::read_to_string(world.work("ran")).unwrap(), "ran\n");
}

#[tokio::test]
async fn an_interrupt_of_the_starter_does_not_reach_the_command() {
    let world = World::new();
    let request = world.request(COUNTED);
    let mut starter = world.starter(&request);
    read_pid(&world.work("running"));
    let group = Pid::from_child(&starter);
    for signal in [Signal::INT, Signal::HUP] {
        let _ = kill_process_group(group, signal);
    }
    assert!(!starter.wait().unwrap().success());
    fs::write(world.work("go"), "").unwrap();
    let exit = world.restarted().run(&request).await.unwrap();
    assert_eq!((exit.status, exit.signal), (Some(0), None));
    assert_eq!(fs::read_to_string(world.work("ran")).unwrap(), "ran\n");
}

#[tokio::test]
async fn a_command_whose_supervisor_was_killed_is_ended_and_in_doubt() {
    let world = World::new();
    let request = world.request(
        "echo ran >> ran
        sh -c 'trap \"sleep 0.5; touch cleaned-up; exit\" TERM
            echo $$ > running; while :; do sleep 0.02; done' 2>/dev/null &
        wait",
    );
    let (runner, other) = (world.runner.clone(), request.clone());
    let run = tokio::spawn(async move { runner.run(&other).await });
    while !world.work("running").exists() {
        tokio::task::yield_now().await;
    }
    let grandchild = read_pid(&world.work("running"));
    kill(world.supervisor(&request));

    let error = run.await.unwrap().unwrap_err();
    assert_eq!(error.class, FailureClass::InDoubt);
    assert!(error.hint.is_some());
    assert!(!lives(grandchild), "the guard has ended what the supervisor left");
    assert!(world.work("cleaned-up").exists(), "and it counted as running until then");
    assert_eq!(world.runner.look(request.id, 1).await.unwrap(), ChildState::Lost);

    // It is not started again by itself; a new attempt is.
    assert_eq!(world.restarted().run(&request).await.unwrap_err().class, FailureClass::InDoubt);
    assert_eq!(fs::read_to_string(world.work("ran")).unwrap(), "ran\n");
    world.runner.stop(request.id, 1).await.unwrap();
    world.runner.forget(request.id).await.unwrap();
}

#[tokio::test]
async fn a_crash_before_the_start_is_a_command_that_never_ran() {
    let world = World::new();
    let request = world.request("echo ran >> ran");
    // The starter has died at each point before the supervisor wrote its mark.
    for crash in 0..3 {
        fs::create_dir_all(world.folder(&request)).unwrap();
        if crash > 0 {
            fs::write(world.folder(&request).join("lock"), "").unwrap();
        }
        if crash > 1 {
            fs::write(world.folder(&request).join("request.json"), "{").unwrap();
        }
        assert_eq!(world.runner.look(request.id, 1).await.unwrap(), ChildState::Never);
        assert_eq!(world.runner.run(&request).await.unwrap().status, Some(0));
        world.runner.forget(request.id).await.unwrap();
    }
    assert_eq!(fs::read_to_string(world.work("ran")).unwrap(), "ran\nran\nran\n");
}

#[tokio::test]
async fn a_supervisor_that_comes_too_late_does_nothing() {
    let world = World::new();
    let request = world.request("echo ran >> ran");
    world.runner.run(&request).await.unwrap();
    assert!(world.another_supervisor(&request).wait().unwrap().success());
    fs::remove_file(world.folder(&request).join("exit.json")).unwrap();
    assert!(world.another_supervisor(&request).wait().unwrap().success());
    assert_eq!(world.runner.look(request.id, 1).await.unwrap(), ChildState::Lost);
    assert_eq!(fs::read_to_string(world.work("ran")).unwrap(), "ran\n");
}

#[tokio::test]
async fn a_stop_before_the_start_keeps_it_from_starting() {
    let world = World::new();
    let request = world.request("echo ran >> ran");
    fs::create_dir_all(world.folder(&request)).unwrap();
    world.runner.stop(request.id, 1).await.unwrap();
    let error = world.runner.run(&request).await.unwrap_err();
    assert_eq!(error.class, FailureClass::Permanent);
    assert!(error.why.contains("stopped before it started"), "{error:?}");
    assert!(!world.work("ran").exists());
}

#[tokio::test]
async fn a_power_cut_after_the_start_is_in_doubt() {
    let world = World::new();
    let request = world.request("echo ran >> ran");
    fs::create_dir_all(world.folder(&request)).unwrap();
    for name in ["lock", "started"] {
        fs::write(world.folder(&request).join(name), "").unwrap();
    }
    assert_eq!(world.runner.look(request.id, 1).await.unwrap(), ChildState::Lost);
    assert_eq!(world.runner.run(&request).await.unwrap_err().class, FailureClass::InDoubt);
    assert!(!world.work("ran").exists());
}

/// Kills what plays a part for a world, found by its command line; what was found.
fn kill_parts(world: &World, of: impl Fn(&str) -> bool) -> usize {
    let root = world.root().to_str().unwrap().to_owned();
    let mut killed = 0;
    for process in fs::read_dir("/proc").unwrap().flatten() {
        let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        let pid = process.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid
            && line.contains(&root)
            && of(&line)
        {
            killed += usize::from(rustix::process::kill_process(pid, Signal::KILL).is_ok());
        }
    }
    killed
}

#[tokio::test]
async fn wherever_the_starter_is_killed_the_command_runs_once() {
    for delay_ms in 0..25 {
        let world = World::new();
        let request = world.request("echo ran >> ran; sleep 0.02; echo result");
        let mut starter = world.starter(&request);
        std::thread::sleep(std::time::Duration::from_millis(delay_ms));
        starter.kill().unwrap();
        starter.wait().unwrap();
        let exit = world.restarted().run(&request).await.unwrap();
        assert_eq!((exit.status, exit.stdout.as_slice()), (Some(0), b"result\n".as_slice()), "{delay_ms} ms");
        assert_eq!(fs::read_to_string(world.work("ran")).unwrap(), "ran\n", "{delay_ms} ms");
    }
}

#[tokio::test]
async fn wherever_everything_is_killed_the_command_runs_once_at_most() {
    for delay_ms in 0..40 {
        let world = World::new();
        let request = world.request("echo ran >> ran; sleep 0.02; echo result");
        let mut starter = world.starter(&request);
        std::thread::sleep(std::time::Duration::from_millis(delay_ms / 2));
        // Every other time the guard is killed with its supervisor, and the starter always.
        kill_parts(&world, |line| line.contains("_entry"));
        while delay_ms % 2 == 0 && kill_parts(&world, |line| line.contains("_entry")) > 0 {}
        starter.wait().unwrap();

        let outcome = world.restarted().run(&request).await;
        let ran = fs::read_to_string(world.work("ran")).unwrap_or_default();
        match outcome {
            Ok(exit) => assert_eq!((exit.stdout.as_slice(), ran.as_str()), (b"result\n".as_slice(), "ran\n")),
            Err(error) => {
                assert_eq!(error.class, FailureClass::InDoubt, "{error:?}");
                assert!(ran.is_empty() || ran == "ran\n", "{ran}");
            }
        }
    }
}
