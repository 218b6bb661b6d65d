//! Scenario files: a day on which a procedure is tried out.

use super::{Choice, Key, MANY, Mapping, NAME, PERSON, Shape, WORD, choice, elsewhere, key, mapping};

/// A scenario file.
pub(crate) static SCENARIO: Mapping = mapping(
    "scenario-file",
    "the scenario",
    "A day on which a procedure is tried out, and what is expected of it.",
    KEYS,
)
.refused(&[
    elsewhere(&["steps", "procedures"], "the procedure is read from `tollgate.yaml`"),
    elsewhere(&["gates", "environments", "policy"], "the rules are read from `tollgate.yaml`"),
    elsewhere(&["faults"], "what is not as it should be stands under `world`"),
]);

const KEYS: &[Key] = &[
    key("tollgate", Shape::Integer(1, 1), "The version of this language.").required(),
    key("scenario", Shape::Line, "What it is called.").required(),
    key(
        "start",
        Shape::Line,
        "When the release is started, with the zone of its clocks: `2026-11-23 09:00 Europe/Berlin`.",
    )
    .required(),
    key("until", Shape::Line, "When the scenario ends at the latest; sixty days later if not given."),
    key(
        "trains",
        Shape::List(&Shape::Name(NAME), 1),
        "The trains that depart by themselves, by rules that come into force at the start: nobody starts anything by hand.",
    ),
    key("procedure", Shape::Name(NAME), "Which procedure; the only one, or `release`, if not given."),
    key("by", Shape::Name(PERSON), "Who starts it; somebody who may if not given."),
    key("last", Shape::Version, "The version before; none if not given."),
    key("version", Shape::Version, "The version; what the changes ask for if not given."),
    key("bump", Shape::OneOf(super::BUMPS), "How much the version grows."),
    key("pre", Shape::Name(NAME), "The label of a pre-release."),
    key(
        "target",
        Shape::Line,
        "The day of the release, such as `2026-12-16`; what the procedure says if not given.",
    ),
    key("before", Shape::List(map!(WENT), 1), "What went to an environment before; nothing if not given."),
    key(
        "others",
        Shape::List(map!(COMING), 1),
        "What other releases that are under way have still to do; nothing if not given.",
    ),
    key("changes", Shape::List(&CHANGE, 1), "What is released, the oldest first; one feature if not given."),
    key(
        "answer-after",
        Shape::Line,
        "How long people take to answer what `people` does not tell of, such as `2h`, or `never`; `30m` if not given.",
    ),
    key("commands-take", Shape::Duration, "How long a command takes; `5m` if not given."),
    key("people", Shape::List(map!(PART), 1), "What people do. What stands here is not answered by itself."),
    key(
        "facts",
        Shape::List(map!(SCRIPTED), 1),
        "What facts are, and when; what stands nowhere is as it has to be.",
    ),
    key("world", Shape::List(map!(FAULT), 1), "What goes wrong, or takes longer."),
    key("expect", Shape::List(map!(EXPECTED), 1), "What has to come of it; that it ends well if not given."),
];

static WENT: Mapping = mapping(
    "scenario-before",
    "what went before",
    "A release that went to an environment before the scenario begins.",
    &[
        key("went", Shape::Name(NAME), "Where it went.").required(),
        key("at", Shape::Line, "When, with the date: `2026-11-01 10:00`.").required(),
        key("version", Shape::Version, "Its version.").required(),
        key("bump", Shape::OneOf(super::BUMPS), "How much that had grown; `patch` if not given."),
        key(
            "measured",
            Shape::Named(WORD, &NUMBERS, 1),
            "The numbers that it had in load tests, by their ids: then it runs there when the scenario begins.",
        ),
    ],
);

static COMING: Mapping = mapping(
    "scenario-other",
    "an entry of `others`",
    "Something that another release has still to do when the scenario begins: exactly one of `goes` and `does`.",
    &[
        key("version", Shape::Version, "Its version.").required(),
        key("goes", Shape::Name(NAME), "It goes to this environment."),
        key("does", Shape::Line, "It does its own step of this id, as `tag`."),
        key("at", Shape::Line, "When that is over; never if not given."),
    ],
)
.one_of(&[choice("what it has still to do", &["goes", "does"])]);

static NUMBERS: Shape = Shape::Named(WORD, &Shape::Line, 1);

static CHANGE: Shape = Shape::Either(&Shape::Text, map!(COMMIT));

static COMMIT: Mapping = mapping(
    "scenario-change",
    "a change",
    "A commit that is released.",
    &[
        key("message", Shape::Text, "Its message.").required(),
        key("author", Shape::Name(PERSON), "Who wrote it; somebody the policy does not know if not given."),
        key("paths", Shape::List(&Shape::Line, 1), "The files that it touches."),
        key(
            "lines",
            Shape::Integer(0, 1_000_000_000),
            "How many lines it adds and removes; none if not given.",
        ),
        key(
            "labels",
            Shape::List(&Shape::Line, 0),
            "The labels of the pull request that it came by; it came by none if not given.",
        ),
        key("new-author", Shape::Bool, "Whether its author wrote nothing before; `false` if not given."),
        key("at", Shape::Line, "When it is pushed, beside `trains`; it is there at the start if not given."),
    ],
);

const PARTS: &[&str] = &[
    "approve", "reject", "revoke", "answer", "vote", "tick", "done", "waive", "retry", "assign", "hold",
    "resume", "abort", "respin", "freeze", "thaw", "risk", "promote", "rollback", "nobody", "depart", "skip",
    "unskip", "date",
];
const PART_CHOICE: &[Choice] = &[choice("what somebody does", PARTS)];
/// What people can do about these has a reason.
const WITH_REASON: &[&str] = &["reject", "waive", "vote", "tick", "skip", "risk", "rollback"];
/// What a release does, or what is done to one.
const OF_A_RELEASE: &str = "Which release, by its version, beside `trains`; each if not given.";

static PART: Mapping = mapping(
    "scenario-person",
    "an entry of `people`",
    "Something that somebody does: exactly one kind, and when.",
    &[
        key("approve", Shape::Line, "Says yes to a gate, as `production/approved`, or to a step."),
        key("reject", Shape::Line, "Says no to it."),
        key("revoke", Shape::Line, "Takes back what they said."),
        key("answer", Shape::Line, "Answers a question or the question of a gate; `with` says what."),
        key("vote", Shape::Line, "Votes on a gate or a step; `with` says what, `+1` if not given."),
        key("tick", Shape::Line, "Answers items of a checklist."),
        key("done", Shape::Line, "Says that a manual step or deployment is done."),
        key("waive", Shape::Line, "Lets a gate or a step pass once."),
        key("retry", Shape::Line, "Tries a step again that failed or expired."),
        key("assign", Shape::Name(NAME), "Says who fills a role; `to` says who."),
        key("hold", Shape::Line, "Stops the run from going on, and why."),
        key("resume", Shape::True, "Lets it go on."),
        key("abort", Shape::Line, "Gives it up, and why."),
        key(
            "respin",
            Shape::Line,
            "Makes another candidate of the release, and why. What stands below is about that one.",
        ),
        key("freeze", Shape::Line, "Freezes, and why."),
        key("thaw", Shape::Integer(1, MANY), "Agrees to lift the freeze of this number."),
        key("risk", Shape::Name(WORD), "Says how risky the release is."),
        key("promote", Shape::Name(NAME), "Moves the newest candidate into this environment, by hand."),
        key("rollback", Shape::Name(NAME), "Wants this environment back as it was."),
        key("nobody", Shape::Line, "Nobody answers this."),
        key("depart", Shape::Name(NAME), "Starts the departure of a train that is asked about."),
        key(
            "skip",
            Shape::Name(NAME),
            "Leaves out the departure of a train that is asked about, or else the next one, or all `until` a moment.",
        ),
        key("unskip", Shape::Name(NAME), "Leaves no departure of a train out any more."),
        key("date", Shape::Name(NAME), "Tells the day that a train departs for; `with` says which."),
        key("release", Shape::Version, OF_A_RELEASE),
        key("by", Shape::Name(PERSON), "Who; somebody who can if not given."),
        key(
            "after",
            Shape::Duration,
            "How long after it is asked for, after a step failed for a respin, or after the start where nothing is asked.",
        ),
        key("at", Shape::Line, "When: `2026-11-24 10:00`, `Tue 10:00`, `10:00`, or `+2h` after the start."),
        key("with", Shape::Line, "The answer, the vote, or the day.").with(&["answer", "vote", "date"]),
        key("to", Shape::Name(PERSON), "Who fills the role.").with(&["assign"]),
        key("items", Shape::List(&Shape::Name(NAME), 1), "The items; all that are open if not given.")
            .with(&["tick"]),
        key(
            "result",
            Shape::OneOf(&["passed", "failed", "not-run"]),
            "What came of them; `passed` if not given.",
        )
        .with(&["tick"]),
        key("outputs", Shape::Named(WORD, &Shape::Line, 1), "What the step gives.").with(&["done"]),
        key("why", Shape::Line, "Why.").with(WITH_REASON),
        key("changes", Shape::List(&CHANGE, 1), "What came since, the oldest first; one fix if not given.")
            .with(&["respin"]),
        key("version", Shape::Version, "Its version; the next one by the scheme if not given.")
            .with(&["respin"]),
        key("from", Shape::Line, "Its start; when it is declared if not given.").with(&["freeze"]),
        key("until", Shape::Line, "Its end, or that of what is left out.").with(&["freeze", "skip"]),
        key(
            "environments",
            Shape::List(&Shape::Name(NAME), 1),
            "Which are frozen, all if not given; or to which others may go again after a rollback.",
        )
        .with(&["freeze", "resume"]),
        key("exempt", Shape::List(&Shape::Line, 1), "What may go on all the same, as `by-hand`.").with(&["freeze"]),
    ],
)
.one_of(PART_CHOICE);

static SCRIPTED: Mapping = mapping(
    "scenario-fact",
    "an entry of `facts`",
    "What a fact is from a moment on: exactly one of `is`, `fails` and `suits`.",
    &[
        key("fact", Shape::Name(NAME), "Which fact of the procedure file.").required(),
        key("in", Shape::Name(NAME), "Of which environment; of all of them if not given."),
        key("at", Shape::Line, "From when on; from the start if not given."),
        key("is", Shape::Either(&Shape::Line, &VALUES), "A number, a word, or a list."),
        key("fails", Shape::Line, "It cannot be read, and why."),
        key("suits", Shape::True, "It is as it has to be."),
    ],
)
.one_of(&[choice("what the fact is", &["is", "fails", "suits"])]);

static VALUES: Shape = Shape::List(&Shape::Line, 0);

static FAULT: Mapping = mapping(
    "scenario-fault",
    "an entry of `world`",
    "Something that goes wrong, or takes longer.",
    &[
        key("step", Shape::Line, "The act of a step, as `build` or `promote-stage/deploy`."),
        key("probe", Shape::Name(NAME), "The probe of an environment."),
        key("down", Shape::Line, "Tollgate is not running, from this moment on."),
        key("takes", Shape::Duration, "How long the act takes.").with(&["step"]),
        key("fails", Shape::Integer(1, 100), "How often it fails before it goes well.").with(&["step"]),
        key("why", Shape::Line, "What it says when it fails.").with(&["step"]),
        key("outputs", Shape::Named(WORD, &Shape::Line, 1), "What it gives.").with(&["step"]),
        key("answers", Shape::Line, "What it answers instead; nothing at all if not given.").with(&["probe"]),
        key("for", Shape::Duration, "For how long after the deployment; for ever if not given.")
            .with(&["probe"]),
        key("until", Shape::Line, "Until when.").with(&["down"]),
        key("release", Shape::Version, OF_A_RELEASE).with(&["step", "probe"]),
    ],
)
.one_of(&[choice("what it is about", &["step", "probe", "down"])]);

static EXPECTED: Mapping = mapping(
    "scenario-expectation",
    "an entry of `expect`",
    "Something that is expected, and when.",
    &[
        key("live", Shape::Name(NAME), "The release is live in this environment."),
        key("not-live", Shape::Name(NAME), "It is not, or not by then."),
        key("waits", Shape::Line, "It waits for this gate, question or step, at that moment or ever."),
        key("ends", Shape::OneOf(&["done", "stuck", "expired", "aborted", "waiting"]), "How it ends."),
        key("version", Shape::Version, "Its version."),
        key("done", Shape::Line, "This step is done."),
        key("skipped", Shape::Line, "This step is skipped."),
        key(
            "kept",
            Shape::Line,
            "This step was done for an earlier candidate, and that counts for this one.",
        ),
        key(
            "candidate",
            Shape::Integer(1, MANY),
            "Of which candidate; of any if not given, and for `version` of the first.",
        )
        .with(OF_A_CANDIDATE),
        key("train", Shape::Name(NAME), "Something happens to this train; `is` says what."),
        key(
            "is",
            Shape::OneOf(&["departing", "called-off", "departed", "empty", "queued", "missed", "skipped"]),
            "What: it is announced, called off, has departed, found nothing to release, waits for a run under way, did not start and is asked about, or is left out; `departed` if not given.",
        )
        .with(&["train"]),
        key("release", Shape::Version, "Which release, by its version, beside `trains`; the first that departs if not given."),
        key("before", Shape::Line, "Before this moment.").with(TIMED),
        key("at", Shape::Line, "In this minute.").with(TIMED),
        key("not-before", Shape::Line, "At this moment or later.")
            .with(&["live", "ends", "done", "skipped", "train"]),
    ],
)
.one_of(&[choice(
    "what is expected",
    &["live", "not-live", "waits", "ends", "version", "done", "skipped", "kept", "train"],
)]);
const OF_A_CANDIDATE: &[&str] = &["live", "not-live", "version", "done", "skipped", "kept"];
const TIMED: &[&str] = &["live", "not-live", "waits", "ends", "done", "skipped", "train"];
