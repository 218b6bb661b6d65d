//! Acts: once, whatever crashes when; and what happens when they fail.

use tollgate_core::act::{Act, Failure, FailureClass, Outcome, Report};
use tollgate_core::event::RunOutcome;
use tollgate_core::gate::{Action, WaitsOn};
use tollgate_core::model::*;
use tollgate_core::view::Stimulus;

use crate::build::*;
use crate::world::*;

fn building(step: Step) -> World {
    let policy = policy();
    let mut world = World::new(&policy);
    world.start(&plan("1.9.0", vec![step, manual("last")], &policy), "anna");
    world
}

fn done() -> Report {
    Report::Done(Outcome::Ran { outputs: Default::default(), tail: "fine".into(), output: None, took_ms: 1 })
}

#[test]
fn a_report_counts_once_and_only_from_the_lease_under_way() {
    let mut world = building(shell("build"));
    let effect = world.effect("1.9.0", "build");
    let report = |epoch| Stimulus::Reported { effect, epoch, report: done() };
    assert_eq!(world.refused("1.9.0", "tollgate", report(1)), "stale");
    let first = world.lease("1.9.0", "build").unwrap();
    assert_eq!(world.refused("1.9.0", "tollgate", Stimulus::Lease { effect, epoch: first }), "stale");
    // The executor dies, another takes over: the first one's word comes too late.
    let second = world.lease("1.9.0", "build").unwrap();
    assert_eq!(world.refused("1.9.0", "tollgate", report(first)), "stale");
    assert_eq!(world.refused("1.9.0", "tollgate", Stimulus::Lease { effect, epoch: first }), "stale");
    world.by("1.9.0", "tollgate", report(second)).unwrap();
    let after = world.releases["1.9.0"].state.clone();
    let refusal = world.by("1.9.0", "tollgate", report(second)).unwrap_err();
    assert!(refusal.is_stale());
    assert_eq!(world.releases["1.9.0"].state, after);
    assert_eq!(world.is("1.9.0", "last"), "open");
}

#[test]
fn what_may_pass_is_tried_again_with_growing_pauses_and_then_asks() {
    let mut world = building(shell("build"));
    let effect = world.effect("1.9.0", "build");
    let mut pauses = Vec::new();
    while world.is("1.9.0", "build") == "wanted" {
        world.fail("1.9.0", "build", FailureClass::Transient);
        let task = world.agenda("1.9.0").tasks.get(&effect).cloned();
        let Some(task) = task else { break };
        let refused = Stimulus::Lease { effect, epoch: 99 };
        assert_eq!(world.refused("1.9.0", "tollgate", refused), "stale");
        let hold = &world.explain("1.9.0")[0].hold;
        assert_eq!((hold.on, hold.earliest), (WaitsOn::Time, Some(task.due)));
        pauses.push(task.due.duration_since(world.now).as_secs());
        world.now = task.due;
    }
    assert_eq!(pauses, [2, 4, 8, 16]);
    assert_eq!(world.is("1.9.0", "build"), "stuck");
    let hold = &world.explain("1.9.0")[0].hold;
    assert!(hold.anybody);
    assert!(matches!(hold.how[..], [Action::Retry(..), Action::Waive(_), Action::Abort(_)]), "{hold:?}");
    world.retry("1.9.0", "eve", "build").unwrap();
    assert_ne!(world.effect("1.9.0", "build"), effect, "a retry is another act");
    world.act_on("1.9.0", "build");
    assert_eq!(world.is("1.9.0", "last"), "open");
}

#[test]
fn the_other_side_says_when_to_come_back_within_reason() {
    let mut world = building(shell("build"));
    for (asked, waits) in [(1, 2), (90, 90), (10_000_000, 24 * 3600)] {
        world.lease("1.9.0", "build").unwrap();
        let retry_at = Some(world.now + secs(asked));
        let limited = Failure { retry_at, ..failure(FailureClass::RateLimited, "too many requests") };
        world.report("1.9.0", "build", Report::Failed(limited)).unwrap();
        let due = world.agenda("1.9.0").tasks.values().next().unwrap().due;
        assert_eq!(due.duration_since(world.now), secs(waits));
        world.now = due;
    }
}

#[test]
fn a_pause_grows_to_ten_minutes_and_huge_ones_do_no_harm() {
    for pause in [mins(3), jiff::SignedDuration::MAX, jiff::SignedDuration::MIN] {
        let retry = Some(Retry { tries: u32::MAX, pause });
        let mut world = building(Step { retry, ..shell("build") });
        for _ in 0..40 {
            world.fail("1.9.0", "build", FailureClass::Transient);
            let due = world.agenda("1.9.0").tasks.values().next().unwrap().due;
            assert!(due.duration_since(world.now) <= mins(10));
            world.now = due.max(world.now);
        }
    }
}

#[test]
fn a_command_that_ended_badly_is_tried_again_only_where_the_file_says_so() {
    let mut world = building(shell("build"));
    world.fail("1.9.0", "build", FailureClass::Permanent);
    assert_eq!(world.is("1.9.0", "build"), "stuck");
    let retry = Some(Retry { tries: 2, pause: secs(1) });
    let mut world = building(Step { retry, ..shell("build") });
    world.fail("1.9.0", "build", FailureClass::Permanent);
    assert_eq!(world.is("1.9.0", "build"), "wanted");
    world.pass(secs(1));
    world.fail("1.9.0", "build", FailureClass::Permanent);
    assert_eq!(world.is("1.9.0", "build"), "stuck");
}

#[test]
fn what_is_in_doubt_is_never_repeated_by_itself() {
    let retry = Some(Retry { tries: 10, pause: secs(1) });
    let mut world = building(Step { retry, ..shell("build") });
    world.fail("1.9.0", "build", FailureClass::InDoubt);
    assert_eq!(world.is("1.9.0", "build"), "stuck");
    assert!(
        world.why("1.9.0").ends_with("whether it happened is not known, so it is not repeated by itself")
    );
}

#[test]
fn a_step_can_end_the_run_when_it_fails() {
    let mut world = building(Step { otherwise: Otherwise::Abort, ..shell("build") });
    world.fail("1.9.0", "build", FailureClass::Permanent);
    assert_eq!(world.outcome("1.9.0"), Some(RunOutcome::Aborted { why: "`build` failed: it broke".into() }));
}

#[test]
fn only_what_failed_is_tried_again_and_by_who_is_known() {
    let mut world = building(shell("build"));
    assert_eq!(world.retry("1.9.0", "anna", "build").unwrap_err().code, "not-stuck");
    assert_eq!(world.retry("1.9.0", "anna", "last").unwrap_err().code, "not-reached");
    world.fail("1.9.0", "build", FailureClass::Permanent);
    assert_eq!(world.retry("1.9.0", "?mallory", "build").unwrap_err().code, "unknown-person");
    assert_eq!(world.retry("1.9.0", "mallory", "build").unwrap_err().code, "unknown-person");
}

#[test]
fn a_text_that_cannot_be_filled_in_is_told_and_not_run() {
    let commit = step("commit", StepKind::GitCommit { message: text("{{ nothing }}"), sign: None });
    let mut world = building(step("notes", StepKind::Changelog));
    assert_eq!(world.is("1.9.0", "notes"), "wanted");
    world.abort("1.9.0", "anna").unwrap();
    let policy = policy();
    world.start(&plan("1.9.0", vec![step("notes", StepKind::Changelog), commit], &policy), "anna");
    world.act_on("1.9.0", "notes");
    assert_eq!(world.is("1.9.0", "commit"), "stuck");
    assert!(
        world.why("1.9.0").contains("the text `{{ nothing }}` cannot be filled in"),
        "{}",
        world.why("1.9.0")
    );
}

#[test]
fn a_branch_is_only_called_what_no_program_takes_for_anything_else() {
    for (name, fine) in [
        ("release/{{ version }}", true),
        ("-f", false),
        ("a b", false),
        ("a..b", false),
        ("a//b", false),
        ("{{ answers.text }}", false),
    ] {
        let policy = policy();
        let mut world = World::new(&policy);
        let steps = vec![ask("ask", &["text"]), step("branch", StepKind::GitBranch { name: text(name) })];
        world.start(&plan("1.9.0", steps, &policy), "anna");
        world.answer("1.9.0", "anna", "text", "--upload-pack=touch x").unwrap();
        assert_eq!(world.is("1.9.0", "branch"), if fine { "done" } else { "stuck" }, "{name}");
    }
}

#[test]
fn the_order_of_a_cut_is_kept() {
    let policy = policy();
    let uncommitted = [
        step("tag", StepKind::GitTag { message: None, sign: None }),
        step("push", StepKind::GitPush { branch: true, tag: false }),
    ];
    for last in uncommitted {
        let mut world = World::new(&policy);
        let id = last.id.to_string();
        world.start(&plan("1.9.0", vec![step("bump", StepKind::VersionBump), last], &policy), "anna");
        world.act_on("1.9.0", "bump");
        assert!(world.why("1.9.0").contains("files were edited and not committed"), "{id}");
    }
    let mut world = World::new(&policy);
    let push = step("push", StepKind::GitPush { branch: false, tag: true });
    world.start(&plan("1.9.0", vec![push], &policy), "anna");
    assert!(world.why("1.9.0").contains("no tag was made that could be pushed"));
}

#[test]
fn a_held_run_begins_nothing_and_loses_nothing() {
    let mut world =
        building(step("both", StepKind::Parallel { steps: vec![shell("build"), shell("other")] }));
    world.lease("1.9.0", "build").unwrap();
    world.hold("1.9.0", "eve");
    let tasks: Vec<_> = world.agenda("1.9.0").tasks.into_values().map(|task| task.leased.is_some()).collect();
    assert_eq!(tasks, [true], "what has begun is still under way, the other is not begun");
    assert_eq!(world.lease("1.9.0", "other").unwrap_err().code, "stale");
    let run = world.run("1.9.0");
    assert_eq!(world.refused("1.9.0", "eve", Stimulus::Hold { run, why: "again".into() }), "held");
    world.report("1.9.0", "build", done()).unwrap();
    assert_eq!(world.is("1.9.0", "build"), "done");
    assert!(world.why("1.9.0").starts_with("the run: eve holds it: wait a moment"));
    world.resume("1.9.0", "anna");
    assert_eq!(world.refused("1.9.0", "eve", Stimulus::Resume { run }), "not-held");
    world.act_on("1.9.0", "other");
    assert_eq!(world.is("1.9.0", "last"), "open");
}

#[test]
fn a_held_run_is_not_deployed() {
    let policy = policy();
    let mut world = World::new(&policy);
    world.start(&plan("1.9.0", vec![promote("stage")], &policy), "anna");
    world.hold("1.9.0", "eve");
    assert_eq!(world.lease("1.9.0", "promote-stage/deploy").unwrap_err().code, "stale");
    world.resume("1.9.0", "eve");
    world.settle("1.9.0");
    assert_eq!(world.outcome("1.9.0"), Some(RunOutcome::Done));
}

#[test]
fn an_aborted_run_wants_nothing_and_hears_nothing() {
    let mut world = building(shell("build"));
    let effect = world.effect("1.9.0", "build");
    let epoch = world.lease("1.9.0", "build").unwrap();
    assert_eq!(world.abort("1.9.0", "?mallory").unwrap_err().code, "unknown-person");
    world.abort("1.9.0", "eve").unwrap();
    assert!(world.agenda("1.9.0").tasks.is_empty());
    let late = Stimulus::Reported { effect, epoch, report: done() };
    assert_eq!(world.refused("1.9.0", "tollgate", late), "stale");
    let again = Stimulus::Lease { effect, epoch: epoch + 1 };
    assert_eq!(world.refused("1.9.0", "tollgate", again), "stale");
    assert_eq!(world.abort("1.9.0", "eve").unwrap_err().code, "no-run");
    assert_eq!(world.retry("1.9.0", "eve", "build").unwrap_err().code, "no-run");
}

#[test]
fn a_version_is_burnt_by_a_tag_that_was_being_made() {
    let policy = policy();
    let mut world = World::new(&policy);
    let plan = plan("1.9.0", cut(), &policy);
    world.start(&plan, "anna");
    for step in ["bump", "notes", "commit"] {
        world.act_on("1.9.0", step);
    }
    world.lease("1.9.0", "tag").unwrap();
    world.abort("1.9.0", "anna").unwrap();
    assert_eq!(world.try_start(&plan, "anna").unwrap_err().code, "burnt");
}

#[test]
fn too_much_for_one_event_is_refused_or_cut_and_never_wedges() {
    let policy = policy();
    let mut world = World::new(&policy);
    let outputs = |count| (0..count).map(|number| (n(&format!("o{number}")), Extract::Text)).collect();
    let many: Vec<Step> =
        (0..5).map(|number| Step { outputs: outputs(10), ..shell(&format!("s{number}")) }).collect();
    let all = step("all", StepKind::Parallel { steps: many });
    world.start(&plan("1.9.0", vec![all, shell("last"), manual("look")], &policy), "anna");
    for number in 0..5 {
        let id = format!("s{number}");
        world.lease("1.9.0", &id).unwrap();
        let outputs = (0..10).map(|number| (n(&format!("o{number}")), "é".repeat(1_000))).collect();
        let ran = Outcome::Ran { outputs, tail: "x".repeat(100_000), output: None, took_ms: 1 };
        world.report("1.9.0", &id, Report::Done(ran)).unwrap();
    }
    assert!(
        world.why("1.9.0").contains("all that this run would get is larger than 60 KiB"),
        "{}",
        world.why("1.9.0")
    );
    world.waive_step("1.9.0", "dave", "last").unwrap();
    let note = Some("\u{1F680}".repeat(4_000));
    world.done_with("1.9.0", "anna", "look", note.as_deref(), &[]).unwrap();
    assert_eq!(world.outcome("1.9.0"), Some(RunOutcome::Done));
}

#[test]
fn large_outputs_notes_failures_and_answers_of_probes_fit() {
    let policy = policy();
    let mut world = World::new(&policy);
    let steps = vec![step("notes", StepKind::Changelog), shell_with("build", "out"), shell("last")];
    world.start(&plan("1.9.0", steps, &policy), "anna");
    world.lease("1.9.0", "notes").unwrap();
    let notes = Some("- \"a change\" \u{1}é\n".repeat(20_000));
    let edited = Outcome::Edited { tree: commit("t"), files: vec!["CHANGELOG.md".into()], notes };
    world.report("1.9.0", "notes", Report::Done(edited)).unwrap();
    let notes = world.releases["1.9.0"].state.candidates[0].notes.clone().unwrap();
    assert!(notes.ends_with("\n…") && notes.len() > 4_000);
    world.lease("1.9.0", "build").unwrap();
    let outputs = [(n("out"), "x".repeat(100_000))].into_iter().collect();
    let ran = Outcome::Ran { outputs, tail: String::new(), output: None, took_ms: 1 };
    world.report("1.9.0", "build", Report::Done(ran)).unwrap();
    assert!(world.why("1.9.0").contains("the outputs of the command are larger than 24 KiB"));
    world.retry("1.9.0", "anna", "build").unwrap();
    world.act_on("1.9.0", "build");
    world.lease("1.9.0", "last").unwrap();
    let broken =
        Failure { hint: Some("h".repeat(90_000)), ..failure(FailureClass::Permanent, &"w".repeat(90_000)) };
    world.report("1.9.0", "last", Report::Failed(broken)).unwrap();
    assert_eq!(world.is("1.9.0", "last"), "stuck");
}

#[test]
fn remarks_are_short_and_plain() {
    let mut world = building(manual("look"));
    for (evidence, code) in [("", "empty"), ("a\u{1b}[2J", "not-plain"), (&"x".repeat(4_001), "too-long")] {
        assert_eq!(world.done_with("1.9.0", "anna", "look", Some(evidence), &[]).unwrap_err().code, code);
    }
    world.done_with("1.9.0", "anna", "look", Some("two\nlines"), &[]).unwrap();
}

#[test]
fn an_act_says_how_it_can_be_repeated() {
    use tollgate_core::act::Repeatability::*;
    let mut world = building(shell("build"));
    assert_eq!(world.act("1.9.0", "build").repeatability(), InDoubt);
    world.abort("1.9.0", "anna").unwrap();
    let repeatable = StepKind::Shell(Shell { repeatable: true, ..command("make") });
    let policy = policy();
    world.start(&plan("1.9.0", vec![step("build", repeatable), shell("x")], &policy), "anna");
    assert_eq!(world.act("1.9.0", "build").repeatability(), Repeatable);
    assert_eq!(Act::Push { refs: Vec::new(), merges: Vec::new() }.repeatability(), Findable);
}

#[test]
fn the_largest_policy_and_service_fit_the_journal() {
    let long = |kind: &str, number: usize| format!("{kind}{number:03}{}", "x".repeat(100));
    let mut policy = policy();
    for number in 0..tollgate_core::decide::GATES_MAX {
        let gate = require(equals("version.bump", "patch"));
        policy = with_gate(policy, "stage", &long("gate", number), gate);
    }
    let mut definition = definition(vec![promote("stage")]);
    definition.components = (0..tollgate_core::plan::COMPONENTS_MAX)
        .map(|number| (n(&long("component", number)), Component::default()))
        .collect();
    let mut world = World::new(&policy);
    world.start(&plan_of("1.9.0", definition, &policy), "anna");
    for number in 0..tollgate_core::decide::GATES_MAX {
        let target = tollgate_core::event::WaiverTarget::Gate(n("stage"), n(&long("gate", number)));
        world
            .by(
                "1.9.0",
                "dave",
                Stimulus::Waive { target, why: "\"".repeat(4_000), until: None, follow_up: None },
            )
            .unwrap();
    }
    world.settle("1.9.0");
    assert_eq!(world.outcome("1.9.0"), Some(RunOutcome::Done));
}
