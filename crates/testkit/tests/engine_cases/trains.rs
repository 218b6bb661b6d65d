//! Trains on a simulated world: each departure starts one run, whatever crashes when.

use std::path::PathBuf;
use std::sync::Arc;

use indexmap::IndexMap;
use jiff::{SignedDuration, Timestamp};
use tollgate_core::ids::{NoticeName, ObjectId, ServiceName, TrainName};
use tollgate_core::model::{
    Connection, Definition, Departs, HeadsUp, HeadsUpMail, Notify, Overlap, Recipient, Step, StepKind,
    Template, Train,
};
use tollgate_core::train::{Because, Fate, Mailing, Standing, TrainState};
use tollgate_core::view::Stimulus;
use tollgate_engine::inject::{Fault, Inject, Never};
use tollgate_engine::ports::{FileLoader, Procedures};
use tollgate_engine::store::Store;
use tollgate_engine::{Engine, EngineError, Gone, ReleaseRow};
use tollgate_testkit::world::Git;

use crate::bench::{Bench, Nth, definition, departing, manual, named, person, policy, step};

/// The procedure file says `sound`, or what is wrong with it.
#[derive(Debug)]
struct Reader(Definition);

impl Procedures for Reader {
    fn read(&self, text: &str, _: FileLoader<'_>) -> Result<Definition, String> {
        match text.strip_prefix("sound") {
            Some(_) => Ok(self.0.clone()),
            None => Err(text.to_owned()),
        }
    }

    fn folder(&self, _: &ServiceName) -> Option<PathBuf> {
        Some("/sim".into())
    }
}

pub(crate) fn train(departs: &str) -> Train {
    let departs = match departs {
        "push" => Departs::Push,
        every => Departs::Every(every.parse().unwrap()),
    };
    departing(departs)
}

pub(crate) fn told_by_mail(train: Train) -> Train {
    let via = Connection::Maildir { path: "mail".into(), from: "tollgate@example.org".into() };
    let mail = HeadsUpMail { via, to: vec![Recipient::Address("all@example.org".into())] };
    Train { heads_up: Some(HeadsUp { before: SignedDuration::from_hours(1), mail: Some(mail) }), ..train }
}

pub(crate) fn cut() -> Vec<Step> {
    vec![
        step("bump", StepKind::VersionBump),
        step("commit", StepKind::GitCommit { message: Template("{{ version }}".into()), sign: None }),
        step("tag", StepKind::GitTag { message: None, sign: None }),
        step("push", StepKind::GitPush { branch: true, tag: true }),
    ]
}

/// A bench with one train, `weekly`, and its procedure file on the remote.
pub(crate) struct Yard {
    pub(crate) bench: Bench,
    definition: Definition,
}

impl Yard {
    pub(crate) async fn new(train: Train, steps: Vec<Step>) -> Self {
        Self::told(train, steps, Default::default()).await
    }

    /// The same, with rules of who is told what.
    pub(crate) async fn told(train: Train, steps: Vec<Step>, notify: IndexMap<NoticeName, Notify>) -> Self {
        let definition = definition(steps);
        let mut policy = policy(Vec::new());
        policy.trains.insert(named("weekly"), train);
        policy.notify = notify;
        let bench = Bench::new(definition.clone(), policy).await;
        let yard = Self { bench, definition };
        yard.file("sound");
        yard
    }

    /// Nothing forbidden was done, so many mails went out once each, and what is stored is what was decided.
    pub(crate) async fn is_sound(&self, mails: usize, case: &str) {
        {
            let world = self.bench.world.state();
            assert!(world.violations.is_empty(), "{case}: {:?}", world.violations);
            assert_eq!(world.mail.values().copied().collect::<Vec<_>>(), vec![1; mails], "{case}");
        }
        let engine = &self.bench.engine;
        assert_eq!(engine.replay_differences().await.unwrap(), Vec::<String>::new(), "{case}");
        assert!(engine.reconcile().await.unwrap().is_empty(), "{case}");
    }

    pub(crate) fn file(&self, text: &str) -> ObjectId {
        let now = self.bench.world.now();
        let file = ("tollgate.yaml", text);
        let mut state = self.bench.world.state();
        state.git.others_write("main", file, "fay@example.org", "feat: a procedure", now)
    }

    pub(crate) fn engine(&self, inject: Arc<dyn Inject>) -> Arc<Engine> {
        let engine = Bench::bare(&self.bench.store, &self.bench.world).with_faults(inject);
        Arc::new(engine.with_procedures(Arc::new(Reader(self.definition.clone()))))
    }

    pub(crate) fn sound(&self) -> Arc<Engine> {
        self.engine(Arc::new(Never))
    }

    /// Carries on until a moment, with engines that may die.
    pub(crate) async fn until(&self, to: &str, mut engine: impl FnMut() -> Arc<Engine>) {
        let to: Timestamp = to.parse().unwrap();
        let mut now = engine();
        for _ in 0..2_000 {
            match self.bench.world.finish(now.turn()).await {
                Ok(_) => {}
                Err(EngineError::Crashed) => {
                    now = engine();
                    continue;
                }
                // The store is busy: the loop would try again.
                Err(EngineError::Store(_)) => continue,
                Err(error) => panic!("{error}"),
            }
            let next = self.bench.store.next_due().await.unwrap();
            match next.map(|due| due.max(self.bench.world.now())) {
                Some(due) if due <= to => self.bench.world.advance(due),
                _ => return self.bench.world.advance(to.max(self.bench.world.now())),
            }
        }
        panic!("it never comes to rest");
    }

    pub(crate) async fn releases(&self) -> Vec<ReleaseRow> {
        let mut rows = self.bench.engine.releases(&named("svc"), 100).await.unwrap();
        rows.reverse();
        rows
    }

    pub(crate) async fn versions(&self) -> Vec<(String, String)> {
        self.releases().await.into_iter().map(|row| (row.version, row.status)).collect()
    }

    pub(crate) async fn state(&self) -> TrainState {
        let trains = self.bench.engine.trains(&named("svc")).await.unwrap();
        trains.into_iter().next().unwrap().state
    }

    pub(crate) fn name(&self) -> TrainName {
        named("weekly")
    }
}

/// One departure with one fault at every point there is; gives how many there are.
async fn at_every_point(fault: Fault) -> u64 {
    for at in 1.. {
        let case = format!("{fault:?} at point {at}");
        let yard = Yard::new(told_by_mail(train("Tue 12:00 UTC")), cut()).await;
        let nth = Nth::new(at, fault);
        yard.until("2026-03-03T13:00:00Z", || yard.engine(nth.clone())).await;
        let done = [("0.1.0".to_owned(), "done".to_owned())];
        assert_eq!(yard.versions().await, done, "{case}");
        assert_eq!(yard.releases().await[0].opened_by, "schedule weekly", "{case}");
        let state = yard.state().await;
        assert!(state.open.is_none(), "{case}: {state:?}");
        assert_eq!(state.past.len(), 1, "{case}: {state:?}");
        assert!(matches!(state.past[0].fate, Fate::Departed { .. }), "{case}: {state:?}");
        let announced = state.announced.unwrap();
        assert_eq!(announced.prospect.version.as_deref(), Some("0.1.0"), "{case}");
        assert!(matches!(announced.mail, Mailing::Ended(_)), "{case}: {announced:?}");
        yard.is_sound(1, &case).await;
        if nth.passed() < at {
            return at - 1;
        }
    }
    unreachable!()
}

#[tokio::test]
async fn a_crash_at_any_point_departs_once() {
    assert!(at_every_point(Fault::Crash).await > 20);
}

#[tokio::test]
async fn what_is_done_twice_or_fails_at_any_point_departs_once() {
    assert!(at_every_point(Fault::Repeat).await > 20);
    assert!(at_every_point(Fault::Fail).await > 20);
}

#[tokio::test]
async fn what_is_not_there_in_time_waits_for_a_person_who_is_then_the_one_who_asked() {
    let yard = Yard::new(train("Tue 12:00 UTC"), vec![manual("work")]).await;
    let engine = yard.sound();
    yard.bench.world.advance("2026-03-03T12:16:00Z".parse().unwrap());
    yard.until("2026-03-03T18:00:00Z", || engine.clone()).await;
    assert!(yard.versions().await.is_empty());
    assert!(matches!(yard.state().await.open.unwrap().standing, Standing::Asked { .. }));
    let (service, name) = (named("svc"), yard.name());
    let eve = person("eve");
    let refused = yard.bench.world.finish(engine.start_departure(&service, &name, &eve)).await;
    assert!(
        matches!(&refused, Err(EngineError::Refused(refusal)) if refusal.code == "not-allowed"),
        "{refused:?}"
    );
    let gone =
        yard.bench.world.finish(engine.start_departure(&service, &name, &person("bob"))).await.unwrap();
    let Gone::Departed(release) = gone else { panic!("{gone:?}") };
    assert_eq!(yard.bench.view(release).await.release.runs[0].started_by, person("bob"));
    assert!(yard.state().await.open.is_none());
    let again = yard.bench.world.finish(engine.start_departure(&service, &name, &person("bob"))).await;
    assert!(
        matches!(&again, Err(EngineError::Refused(refusal)) if refusal.code == "no-departure"),
        "{again:?}"
    );
}

#[tokio::test]
async fn what_cannot_be_planned_says_why_and_what_is_not_new_departs_empty() {
    let yard = Yard::new(train("daily 12:00 UTC"), cut()).await;
    yard.file("line 7: a step has no key `bumb`");
    let engine = yard.sound();
    yard.until("2026-03-02T13:00:00Z", || engine.clone()).await;
    let state = yard.state().await;
    let waits = state.open.as_ref().and_then(|open| open.waits()).unwrap_or_default();
    assert!(waits.contains("a step has no key `bumb`"), "{waits}");
    // Mended by the next day, that departure takes its place; a day later nothing is new.
    yard.file("sound again");
    yard.until("2026-03-04T13:00:00Z", || engine.clone()).await;
    let fates: Vec<Fate> = yard.state().await.past.into_iter().map(|past| past.fate).collect();
    assert!(
        matches!(
            fates.as_slice(),
            [Fate::Skipped(Because::Overtaken { .. }), Fate::Departed { .. }, Fate::Empty { .. }]
        ),
        "{fates:?}"
    );
    assert_eq!(yard.versions().await.len(), 1);
}

#[tokio::test]
async fn a_network_that_is_down_is_waited_for_only_for_the_grace() {
    let yard = Yard::new(train("Tue 12:00 UTC"), cut()).await;
    let engine = yard.sound();
    yard.until("2026-03-03T11:59:00Z", || engine.clone()).await;
    yard.bench.world.state().faults.before = 1_000;
    yard.until("2026-03-03T12:05:00Z", || engine.clone()).await;
    assert!(matches!(yard.state().await.open.unwrap().standing, Standing::Due { tries: 2.., .. }));
    yard.until("2026-03-03T14:00:00Z", || engine.clone()).await;
    assert!(matches!(yard.state().await.open.unwrap().standing, Standing::Asked { .. }));
    yard.bench.world.state().faults.before = 0;
    yard.until("2026-03-03T18:00:00Z", || engine.clone()).await;
    assert!(yard.versions().await.is_empty(), "it started late in silence");
}

#[tokio::test]
async fn what_became_late_while_it_was_planned_is_asked_about() {
    let grace = SignedDuration::from_secs(20);
    let yard = Yard::new(Train { grace, ..train("Tue 12:00 UTC") }, cut()).await;
    let engine = yard.sound();
    yard.until("2026-03-03T11:59:00Z", || engine.clone()).await;
    // Whatever is asked for takes up to a minute and a half.
    yard.bench.world.state().faults.slow = 1_000;
    yard.until("2026-03-03T18:00:00Z", || engine.clone()).await;
    let open = yard.state().await.open.unwrap();
    assert!(matches!(open.standing, Standing::Asked { .. }), "{open:?}");
    assert!(yard.versions().await.is_empty(), "it started late in silence");
}

#[tokio::test]
async fn who_may_not_act_does_not_answer_that_there_is_nothing_either() {
    let yard = Yard::new(train("Tue 12:00 UTC"), cut()).await;
    let engine = yard.sound();
    yard.until("2026-03-03T13:00:00Z", || engine.clone()).await;
    assert_eq!(yard.versions().await.len(), 1);
    // Nothing is new a week later, and nobody looks in time.
    yard.bench.world.advance("2026-03-10T12:16:00Z".parse().unwrap());
    yard.until("2026-03-10T18:00:00Z", || engine.clone()).await;
    assert!(matches!(yard.state().await.open.unwrap().standing, Standing::Asked { .. }));
    let (service, name) = (named("svc"), yard.name());
    let start = |who: &str| {
        let (engine, service, name, who) = (engine.clone(), &service, &name, person(who));
        async move { engine.start_departure(service, name, &who).await }
    };
    let refused = yard.bench.world.finish(start("eve")).await;
    assert!(
        matches!(&refused, Err(EngineError::Refused(refusal)) if refusal.code == "not-allowed"),
        "{refused:?}"
    );
    assert!(yard.state().await.open.is_some(), "somebody unknown has settled it");
    assert!(matches!(yard.bench.world.finish(start("bob")).await.unwrap(), Gone::Empty(_)));
    assert!(yard.state().await.open.is_none());
}

/// Two days of a train whose procedure takes longer than one.
async fn overlapping(overlap: Overlap) -> (Yard, Arc<Engine>) {
    let yard = Yard::new(Train { overlap, ..train("daily 12:00 UTC") }, vec![manual("work")]).await;
    let engine = yard.sound();
    yard.until("2026-03-02T13:00:00Z", || engine.clone()).await;
    let now = yard.bench.world.now();
    yard.bench.world.state().git.others_commit("main", "fay@example.org", "feat: more", now);
    yard.until("2026-03-03T13:00:00Z", || engine.clone()).await;
    (yard, engine)
}

#[tokio::test]
async fn a_departure_waits_for_the_end_of_the_last_one() {
    let (yard, engine) = overlapping(Overlap::Queue).await;
    let waiting = [("0.1.0".to_owned(), "waiting".to_owned())];
    assert_eq!(yard.versions().await, waiting);
    assert!(matches!(yard.state().await.open.unwrap().standing, Standing::Queued { .. }));
    // The third day's departure takes its place, and starts as soon as the run has ended.
    yard.until("2026-03-04T13:00:00Z", || engine.clone()).await;
    let release = yard.releases().await[0].release;
    let (run, why) = (yard.bench.run(release).await, "not this one".to_owned());
    yard.bench.submit(release, "ann", Stimulus::Abort { run, why }).await.unwrap();
    yard.until("2026-03-04T13:00:01Z", || engine.clone()).await;
    let fates: Vec<Fate> = yard.state().await.past.into_iter().map(|past| past.fate).collect();
    assert!(
        matches!(
            fates.as_slice(),
            [Fate::Departed { .. }, Fate::Skipped(Because::Overtaken { .. }), Fate::Departed { .. }]
        ),
        "{fates:?}"
    );
}

#[tokio::test]
async fn a_departure_supersedes_what_its_train_started() {
    let (yard, engine) = overlapping(Overlap::Supersede).await;
    let state = yard.state().await;
    assert_eq!(state.past.len(), 2, "{state:?}");
    let release = yard.bench.view(state.last.unwrap().0).await.release;
    assert_eq!(release.runs.len(), 2, "the version was not burnt, so it is the same release");
    let first = format!("{:?}", release.runs[0].status);
    assert!(first.contains("superseded by the departure of `weekly`"), "{first}");
    // What a person started is theirs.
    let run = release.runs[1].id;
    let id = state.last.unwrap().0;
    yard.bench.submit(id, "ann", Stimulus::Abort { run, why: "by hand".into() }).await.unwrap();
    let service = named("svc");
    let (name, bob) = (yard.name(), person("bob"));
    yard.bench.world.advance("2026-03-04T12:30:00Z".parse().unwrap());
    yard.bench.world.finish(engine.start_departure(&service, &name, &bob)).await.unwrap();
    yard.until("2026-03-04T13:00:00Z", || engine.clone()).await;
    assert_eq!(yard.versions().await.last().unwrap().1, "waiting");
}

#[tokio::test]
async fn a_departure_is_left_out_or_goes_beside() {
    let (yard, _) = overlapping(Overlap::Skip).await;
    let fates: Vec<Fate> = yard.state().await.past.into_iter().map(|past| past.fate).collect();
    assert!(
        matches!(fates.as_slice(), [Fate::Departed { .. }, Fate::Skipped(Because::UnderWay { .. })]),
        "{fates:?}"
    );
    // Of the same version there is one release: a departure beside it cannot be, and says so.
    let (yard, _) = overlapping(Overlap::Parallel).await;
    let waits = yard.state().await.open.and_then(|open| open.waits()).unwrap_or_default();
    assert!(waits.contains("0.1.0 is under way already"), "{waits}");
}

#[tokio::test]
async fn each_push_departs_once_and_what_the_release_pushes_not_at_all() {
    let yard = Yard::new(train("push"), cut()).await;
    let engine = yard.sound();
    // What was there when the train was put in force is no news; the procedure file was pushed after it.
    assert_eq!(yard.state().await.head.as_ref(), Some(&Git::new().remote["refs/heads/main"]));
    for (day, message) in [("02", None), ("03", Some("feat: one")), ("04", Some("feat: two"))] {
        let now = yard.bench.world.now();
        if let Some(message) = message {
            yard.bench.world.state().git.others_commit("main", "fay@example.org", message, now);
        }
        yard.until(&format!("2026-03-{day}T10:00:00Z"), || engine.clone()).await;
    }
    let done = |version: &str| (version.to_owned(), "done".to_owned());
    assert_eq!(yard.versions().await, [done("0.1.0"), done("0.2.0"), done("0.3.0")]);
    let fates: Vec<Fate> = yard.state().await.past.into_iter().map(|past| past.fate).collect();
    assert_eq!(fates.len(), 3, "{fates:?}");
    assert!(yard.bench.engine.reconcile().await.unwrap().is_empty());
}
