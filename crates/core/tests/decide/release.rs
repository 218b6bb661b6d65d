//! From the cut to production, and what every kind of step comes to.

use std::sync::Arc;

use tollgate_core::act::{Act, Outcome, Report};
use tollgate_core::candidate::Facet;
use tollgate_core::event::{RunOutcome, Skipped, StepResult};
use tollgate_core::gate::{Action, WaitsOn};
use tollgate_core::model::*;
use tollgate_core::state::StepStatus;
use tollgate_core::view::Stimulus;

use crate::build::*;
use crate::world::*;

fn full() -> Vec<Step> {
    let check = GitCheck { branch: None, clean: true, in_sync: true };
    let mut steps = vec![step("check", StepKind::GitCheck(check))];
    steps.push(step("branch", StepKind::GitBranch { name: text("release/{{ version }}") }));
    steps.extend(cut());
    steps.extend([promote("stage"), promote("production")]);
    steps
}

#[test]
fn a_release_goes_from_the_cut_to_production() {
    let policy = policy();
    let mut world = World::new(&policy);
    world.start(&plan("1.9.0", full(), &policy), "anna");
    world.settle("1.9.0");
    assert_eq!(world.outcome("1.9.0"), Some(RunOutcome::Done));
    assert_eq!(world.runs("stage").as_deref(), Some("1.9.0"));
    assert_eq!(world.runs("production").as_deref(), Some("1.9.0"));
    assert_eq!(world.explain("1.9.0"), []);
    let candidate = &world.releases["1.9.0"].state.candidates[0];
    let shown = |facet: Facet| candidate.facets[&facet].shown.clone();
    assert_eq!(shown(Facet::Tag), "v1.9.0");
    assert_eq!(shown(Facet::Source), candidate.commit.to_string());
    assert_eq!(candidate.branch.as_deref(), Some("release/1.9.0"));
    assert_eq!(candidate.sealed, Some(candidate.fingerprint().hash()));
    let verified = world.environment("production").verified;
    assert_eq!(verified[0].fingerprint, candidate.sealed.unwrap());
}

#[test]
fn acts_say_everything() {
    let policy = policy();
    let mut world = World::new(&policy);
    world.start(&plan("1.9.0", full(), &policy), "anna");
    let Act::CheckCopy { branch, clean: true, at } = world.act("1.9.0", "check") else { panic!() };
    assert_eq!((branch.as_str(), at), ("main", Some(commit("base"))));
    world.act_on("1.9.0", "check");
    let Act::EditVersion { base, version, .. } = world.act("1.9.0", "bump") else { panic!() };
    assert_eq!((base, version.as_str()), (commit("base"), "1.9.0"));
    world.act_on("1.9.0", "bump");
    let edited = world.releases["1.9.0"].state.candidates[0].tree.clone().unwrap();
    let Act::EditChangelog { base, after, upto, .. } = world.act("1.9.0", "notes") else { panic!() };
    assert_eq!((base, after, upto), (edited, Some(commit("previous")), commit("base")));
    world.act_on("1.9.0", "notes");
    let Act::Commit { parent, message, .. } = world.act("1.9.0", "commit") else { panic!() };
    assert_eq!((parent, message.as_str()), (commit("base"), "Version 1.9.0"));
    world.act_on("1.9.0", "commit");
    let candidate = world.releases["1.9.0"].state.candidates[0].clone();
    let Act::Tag { name, target, message, .. } = world.act("1.9.0", "tag") else { panic!() };
    assert_eq!((name.as_str(), &target, message.as_str()), ("v1.9.0", &candidate.commit, "v1.9.0"));
    world.act_on("1.9.0", "tag");
    let Act::Push { refs, .. } = world.act("1.9.0", "push") else { panic!() };
    let names: Vec<&str> = refs.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["refs/heads/release/1.9.0", "refs/tags/v1.9.0"]);
    world.act_on("1.9.0", "push");
    let Act::Run(command) = world.act("1.9.0", "promote-stage/deploy") else { panic!() };
    assert_eq!(command.variables["TOLLGATE_ENVIRONMENT"], "stage");
    assert_eq!(command.variables["TOLLGATE_TAG"], "v1.9.0");
    assert_eq!(command.variables["TOLLGATE_STEP"], "promote-stage/deploy");
}

#[test]
fn nothing_to_edit_is_said_and_not_done() {
    let policy = policy();
    let mut world = World::new(&policy);
    let mut definition = definition(cut());
    definition.version.files.clear();
    let mut plan = plan_of("1.9.0", definition, &policy);
    plan.checkout = None;
    world.start(&plan, "anna");
    let StepStatus::Done { result, .. } = &world.step("1.9.0", "bump").status else { panic!() };
    assert!(is_nothing(result));
    world.lease("1.9.0", "notes").unwrap();
    let tree = Outcome::Edited { tree: commit("t"), files: Vec::new(), notes: None };
    world.report("1.9.0", "notes", Report::Done(tree)).unwrap();
    let StepStatus::Done { result, .. } = &world.step("1.9.0", "commit").status else { panic!() };
    assert_eq!(*result, StepResult::Nothing("no file was changed".into()));
    world.settle("1.9.0");
    let shown = world.releases["1.9.0"].state.candidates[0].facets[&Facet::Notes].shown.clone();
    assert_eq!(shown, "no notes");
}

#[test]
fn conditions_are_true_false_or_not_known_yet() {
    let policy = policy();
    let mut world = World::new(&policy);
    let only_high = |id: &str| Step { condition: Some(equals("answers.risk", "high")), ..manual(id) };
    let on_change = Step { condition: Some(changed("docs/**")), ..manual("docs") };
    let asked = Step { after: Some(Vec::new()), ..ask("ask", &["risk"]) };
    world.start(&plan("1.9.0", vec![on_change, only_high("extra"), asked], &policy), "anna");
    assert_eq!(world.is("1.9.0", "docs"), "skipped");
    assert_eq!(world.is("1.9.0", "extra"), "open");
    let holdings = world.explain("1.9.0");
    assert_eq!(holdings[0].hold.how[0], Action::Answer(tollgate_core::event::Asked::Question(n("risk"))));
    assert_eq!(world.done("1.9.0", "anna", "extra").unwrap_err().code, "not-open");
    world.answer("1.9.0", "anna", "risk", "low").unwrap();
    let StepStatus::Skipped(Skipped::Condition { condition, clauses }) = &world.step("1.9.0", "extra").status
    else {
        panic!()
    };
    assert_eq!(condition, "answers.risk == 'high'");
    assert_eq!(clauses[0], "answers.risk == 'high' (answers.risk is 'low')");
    assert_eq!(world.outcome("1.9.0"), Some(RunOutcome::Done));
}

#[test]
fn a_promotion_is_skipped_as_a_whole_and_waits_for_nothing() {
    let policy = with_gate(policy(), "stage", "good", approval_gate(rule("releng", 1)));
    let policy = with_environment(policy, "stage", |stage| stage.verify = vec![manual("verify-1")]);
    let mut world = World::new(&policy);
    let skipped = Step { condition: Some(equals("version.bump", "major")), ..promote("stage") };
    world.start(&plan("1.9.0", vec![skipped, manual("last")], &policy), "anna");
    for part in ["enter", "deploy", "live", "verify-1", "verified"] {
        assert_eq!(world.is("1.9.0", &format!("promote-stage/{part}")), "skipped", "{part}");
    }
    assert_eq!(world.is("1.9.0", "last"), "open");
}

#[test]
fn an_answer_changed_later_does_not_stop_a_promotion_half_way() {
    let mut policy = with_environment(policy(), "stage", |stage| {
        stage.probe = Some(probe("https://stage.example.org", 1));
    });
    policy.environments.shift_remove::<tollgate_core::ids::EnvironmentName>(&n("production"));
    let mut world = World::new(&policy);
    let low = Step { condition: Some(equals("answers.risk", "low")), ..promote("stage") };
    world.start(&plan("1.9.0", vec![ask("ask", &["risk"]), low], &policy), "anna");
    world.answer("1.9.0", "anna", "risk", "low").unwrap();
    world.act_on("1.9.0", "promote-stage/deploy");
    world.answer("1.9.0", "anna", "risk", "high").unwrap();
    assert_eq!(world.is("1.9.0", "promote-stage/live"), "open");
    world.settle("1.9.0");
    assert_eq!(world.outcome("1.9.0"), Some(RunOutcome::Done));
    assert_eq!(world.environment("stage").held, None);
}

#[test]
fn each_unfolds_and_what_follows_waits_for_all() {
    let policy = policy();
    let mut world = World::new(&policy);
    let each = Step {
        each: Some(Each::Changes),
        name: Some(text("Test {{ item.title }}")),
        kind: StepKind::Manual {
            instruction: text("Try {{ item.title }}, {{ item.number }}"),
            evidence: false,
        },
        ..manual("try")
    };
    world.start(&plan("1.9.0", vec![each, manual("last")], &policy), "anna");
    let why = world.why("1.9.0");
    assert_eq!(
        why,
        "step `try#1` (Test Change 1): Try Change 1, 1\nstep `try#2` (Test Change 2): Try Change 2, 2"
    );
    world.done("1.9.0", "anna", "try#1").unwrap();
    assert_eq!(world.is("1.9.0", "last"), "not reached");
    world.done("1.9.0", "bob", "try#2").unwrap();
    assert_eq!(world.is("1.9.0", "last"), "open");
}

#[test]
fn parallel_steps_phases_and_after() {
    let policy = policy();
    let mut world = World::new(&policy);
    let phase = step("docs", StepKind::Phase { steps: vec![manual("write"), manual("review")] });
    let parallel = step("both", StepKind::Parallel { steps: vec![phase, manual("test")] });
    let beside = Step { after: Some(vec![n("first")]), ..manual("beside") };
    world.start(&plan("1.9.0", vec![manual("first"), parallel, beside, manual("last")], &policy), "anna");
    assert_eq!(world.is("1.9.0", "beside"), "not reached");
    world.done("1.9.0", "anna", "first").unwrap();
    for reached in ["write", "test", "beside"] {
        assert_eq!(world.is("1.9.0", reached), "open", "{reached}");
    }
    assert_eq!(world.is("1.9.0", "review"), "not reached");
    world.done("1.9.0", "anna", "write").unwrap();
    for step in ["review", "test"] {
        world.done("1.9.0", "anna", step).unwrap();
        assert_eq!(world.is("1.9.0", "last"), "not reached");
    }
    world.done("1.9.0", "anna", "beside").unwrap();
    assert_eq!(world.is("1.9.0", "last"), "open");
}

#[test]
fn a_step_cannot_wait_for_what_does_not_come_before_it() {
    let policy = policy();
    let late = Step { after: Some(vec![n("last")]), ..manual("first") };
    let procedure = Procedure::new(vec![late, manual("last")]);
    let error = tollgate_core::plan::unfold(&procedure, &policy, &Default::default()).unwrap_err();
    assert_eq!(error.to_string(), "step `first` waits for `last`, and no step of that id comes before it");
}

#[test]
fn outputs_are_known_in_later_texts_conditions_and_commands() {
    let policy = policy();
    let mut world = World::new(&policy);
    let told = step(
        "told",
        StepKind::Manual { instruction: text("Look at {{ steps.build.number }}"), evidence: false },
    );
    let not = Step { condition: Some(differs("steps.build.number", "number-1")), ..shell_with("never", "x") };
    let empty = Step { condition: Some(equals("steps.never.x", "")), ..shell("use") };
    world.start(&plan("1.9.0", vec![shell_with("build", "number"), told, not, empty], &policy), "anna");
    world.act_on("1.9.0", "build");
    assert!(world.why("1.9.0").ends_with("Look at number-1"), "{}", world.why("1.9.0"));
    world.done("1.9.0", "anna", "told").unwrap();
    assert_eq!(world.is("1.9.0", "never"), "skipped");
    let Act::Run(command) = world.act("1.9.0", "use") else { panic!() };
    assert_eq!(command.variables["TOLLGATE_OUTPUT_BUILD_NUMBER"], "number-1");
    assert_eq!(command.variables["TOLLGATE_OUTPUT_NEVER_X"], "");
}

#[test]
fn steps_of_an_environment_know_each_other_by_their_short_ids() {
    let policy = with_environment(policy(), "stage", |stage| {
        stage.before = vec![shell_with("build", "number")];
        let instruction = text("See {{ steps.build.number }} on {{ env.name }}");
        let look = step("look", StepKind::Manual { instruction, evidence: false });
        stage.verify = vec![Step { condition: Some(equals("steps.build.number", "number-1")), ..look }];
    });
    let mut world = World::new(&policy);
    world.start(&plan("1.9.0", vec![promote("stage")], &policy), "anna");
    world.settle("1.9.0");
    assert_eq!(world.why("1.9.0"), "step `promote-stage/look`: See number-1 on stage");
}

#[test]
fn a_command_that_does_not_give_its_outputs_has_failed() {
    let policy = policy();
    let mut world = World::new(&policy);
    world.start(&plan("1.9.0", vec![shell_with("build", "number")], &policy), "anna");
    world.lease("1.9.0", "build").unwrap();
    let ran = Outcome::Ran { outputs: Default::default(), tail: String::new(), output: None, took_ms: 1 };
    world.report("1.9.0", "build", Report::Done(ran)).unwrap();
    assert!(world.why("1.9.0").contains("did not give `number`"), "{}", world.why("1.9.0"));
}

#[test]
fn answers_are_typed() {
    let policy = policy();
    let mut world = World::new(&policy);
    let count = step(
        "count",
        StepKind::Manual { instruction: text("{{ 60 + answers.data }} minutes"), evidence: false },
    );
    let quiet = Step { condition: Some(holds("answers.quiet")), ..manual("if-quiet") };
    world.start(
        &plan("1.9.0", vec![ask("ask", &["risk", "data", "quiet", "text"]), quiet, count], &policy),
        "anna",
    );
    for (name, wrong) in
        [("risk", "medium"), ("data", "-1"), ("data", "many"), ("quiet", "perhaps"), ("text", " ")]
    {
        assert_eq!(
            world.answer("1.9.0", "anna", name, wrong).unwrap_err().code,
            "bad-answer",
            "{name} {wrong}"
        );
    }
    assert_eq!(world.answer("1.9.0", "anna", "text", "a\u{1b}[31m").unwrap_err().code, "bad-answer");
    assert_eq!(world.answer("1.9.0", "anna", "other", "x").unwrap_err().code, "no-question");
    assert_eq!(world.answer("1.9.0", "?mallory", "risk", "low").unwrap_err().code, "unknown-person");
    for (name, right) in [("risk", "low"), ("data", "15"), ("quiet", "Yes"), ("text", "fine")] {
        world.answer("1.9.0", "anna", name, right).unwrap();
    }
    world.done("1.9.0", "anna", "if-quiet").unwrap();
    assert_eq!(world.why("1.9.0"), "step `count`: 75 minutes");
}

#[test]
fn a_manual_step_asks_for_evidence_and_outputs() {
    let policy = policy();
    let mut world = World::new(&policy);
    let kind = StepKind::Manual { instruction: text("Load test"), evidence: true };
    let outputs = [(n("result"), Extract::Text)].into_iter().collect();
    let load = Step { by: Some(group("ops")), outputs, ..step("load", kind) };
    world.start(&plan("1.9.0", vec![load], &policy), "anna");
    assert_eq!(world.explain("1.9.0")[0].hold.who, [n("carol"), n("dave")]);
    assert_eq!(world.done("1.9.0", "anna", "load").unwrap_err().code, "not-allowed");
    assert_eq!(world.done("1.9.0", "dave", "load").unwrap_err().code, "no-evidence");
    let evidence = Some("https://load.example.org/7");
    assert_eq!(world.done_with("1.9.0", "dave", "load", evidence, &[]).unwrap_err().code, "no-output");
    let wrong = &[("result", "fine"), ("other", "x")];
    assert_eq!(world.done_with("1.9.0", "dave", "load", evidence, wrong).unwrap_err().code, "no-output");
    world.done_with("1.9.0", "dave", "load", evidence, &[("result", "fine")]).unwrap();
    assert_eq!(world.outcome("1.9.0"), Some(RunOutcome::Done));
}

#[test]
fn a_message_goes_to_everybody_once() {
    let policy = policy();
    let mut world = World::new(&policy);
    let message = Message {
        via: n("mail"),
        to: vec![
            Recipient::Who(group("releng")),
            Recipient::Who(person("anna")),
            Recipient::Address("all@example.org".into()),
        ],
        subject: text("{{ service }}\n {{ version }}"),
        body: text("By {{ starter }}, {{ accounts.tracker }}{{ accounts.chat }}"),
    };
    let mut policy = policy;
    policy.people.get_mut(&n::<tollgate_core::ids::PersonName>("anna")).unwrap().tracker =
        vec!["a.lind".into(), "anna".into()];
    world.policy = Arc::new(policy.clone());
    world.start(&plan("1.9.0", vec![step("tell", StepKind::Message(message))], &policy), "anna");
    let Act::Mail { to, subject, body, message_id, .. } = world.act("1.9.0", "tell") else { panic!() };
    assert_eq!(to, ["anna@example.org", "bob@example.org", "carol@example.org", "all@example.org"]);
    assert_eq!((subject.as_str(), body.as_str()), ("shop 1.9.0", "By anna, a.lind"));
    assert_eq!(message_id, format!("{}@shop.tollgate.invalid", world.effect("1.9.0", "tell")));
}

#[test]
fn two_edits_of_one_history_are_not_made_at_once() {
    let policy = policy();
    let mut world = World::new(&policy);
    let both = vec![step("bump", StepKind::VersionBump), step("notes", StepKind::Changelog)];
    world.start(&plan("1.9.0", vec![step("both", StepKind::Parallel { steps: both })], &policy), "anna");
    assert_eq!((world.is("1.9.0", "bump"), world.is("1.9.0", "notes")), ("wanted", "open"));
    let holdings = world.explain("1.9.0");
    assert_eq!(holdings[1].hold.on, WaitsOn::Release);
    world.act_on("1.9.0", "bump");
    let Act::EditChangelog { base, .. } = world.act("1.9.0", "notes") else { panic!() };
    assert_eq!(Some(base), world.releases["1.9.0"].state.candidates[0].tree);
}

#[test]
fn a_plan_is_only_started_under_the_rules_it_was_made_under() {
    let policy = policy();
    let mut world = World::new(&policy);
    let mut stricter = policy.clone();
    stricter.gates.insert(n("good"), approval_gate(rule("ops", 1)));
    let plan = plan("1.9.0", vec![manual("only")], &stricter);
    assert_eq!(world.try_start(&plan, "anna").unwrap_err().code, "moved");
}

#[test]
fn who_may_start_is_asked() {
    let policy = policy();
    let mut world = World::new(&policy);
    let mut definition = definition(vec![manual("only")]);
    definition.procedures[0].start = Some(group("ops"));
    let plan = plan_of("1.9.0", definition, &policy);
    assert_eq!(world.try_start(&plan, "anna").unwrap_err().code, "not-allowed");
    assert_eq!(world.try_start(&plan, "?mallory").unwrap_err().code, "unknown-person");
    world.start(&plan, "dave");
}

#[test]
fn sealing_does_not_wait_for_steps_that_are_skipped() {
    let policy = policy();
    let mut world = World::new(&policy);
    let never = Some(equals("version.bump", "major"));
    let steps = cut().into_iter().map(|step| Step { condition: never.clone(), ..step });
    world.start(&plan("1.9.0", steps.chain([promote("stage")]).collect(), &policy), "anna");
    let candidate = &world.releases["1.9.0"].state.candidates[0];
    assert!(candidate.sealed.is_some());
    assert_eq!(candidate.facets[&Facet::Notes].shown, "no notes");
    assert_eq!(candidate.facets[&Facet::Tag].shown, "no tag");
    assert_eq!(candidate.facets[&Facet::Source].shown, commit("base").to_string());
    assert_eq!(world.is("1.9.0", "promote-stage/deploy"), "wanted");
}

#[test]
fn the_order_of_release_is_said_in_the_order_of_the_plan() {
    let policy = policy();
    let mut world = World::new(&policy);
    let all = ["z", "m", "a"].map(manual).to_vec();
    world.start(&plan("1.9.0", vec![step("all", StepKind::Parallel { steps: all })], &policy), "anna");
    let steps: Vec<_> = world.explain("1.9.0").into_iter().filter_map(|holding| holding.step).collect();
    assert_eq!(steps, [n("z"), n("m"), n("a")]);
}

#[test]
fn a_second_start_finds_the_first() {
    let policy = policy();
    let mut world = World::new(&policy);
    let plan = plan("1.9.0", vec![manual("only")], &policy);
    let run = world.start(&plan, "anna");
    assert_eq!(world.try_start(&plan, "bob").unwrap_err().code, "under-way");
    world.done("1.9.0", "anna", "only").unwrap();
    assert_eq!(world.try_start(&plan, "bob").unwrap_err().code, "released");
    assert_eq!(world.refused("1.9.0", "anna", Stimulus::Hold { run, why: "late".into() }), "no-run");
}
