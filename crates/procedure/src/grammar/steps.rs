//! Steps and gates: exactly one kind, and modifiers from a closed set.

use super::budget::{TIME_BUDGET, WITHIN};
use super::facts::{
    ARTIFACT, ARTIFACTS, AT_LEAST, AT_MOST, BASELINE, BLOCKERS, CI, COMPONENT, FAILED, FOR, METRICS, NOT_IN,
    PASSED, SIGNATURE_KEYS, SIGNED,
};
use super::load::{LOAD_BASELINE, LOAD_GATE, LOAD_SELF, LOAD_TEST, MEASURES};
use super::notify::{ESCALATE, REMIND};
use super::order::{ORDER_GATE, ORDER_STEP};
use super::pack::PACK;
use super::publish::PUBLISH;
use super::{
    Choice, Key, MANY, Mapping, NAME, Refused, Shape, VARIABLE, WORD, choice, elsewhere, key, later, mapping,
};

/// The kinds of step in a procedure.
pub(crate) const STEP_KINDS: &[&str] = &[
    "git.check",
    "git.branch",
    "version.bump",
    "changelog",
    "git.commit",
    "git.tag",
    "git.push",
    "git.merge",
    "git.cherry-pick",
    "git.verify",
    "shell",
    "load-test",
    "pack",
    "publish",
    "manual",
    "ask",
    "approval",
    "vote",
    "checklist",
    "hand-over",
    "message",
    "ci",
    "artifact",
    "promote",
    "parallel",
    "phase",
];

/// The kinds of step around a deployment.
const HOOK_KINDS: &[&str] = &[
    "shell",
    "load-test",
    "manual",
    "ask",
    "approval",
    "vote",
    "checklist",
    "hand-over",
    "message",
    "parallel",
    "phase",
];

/// The kinds of gate.
const GATE_KINDS: &[&str] = &[
    "approval",
    "ask",
    "vote",
    "checklist",
    "soak",
    "window",
    "pace",
    "order",
    "time-budget",
    "load-test",
    "blockers",
    "metrics",
    "ci",
    "artifacts",
    "signed",
    "require",
];

/// The kinds that hold no other steps.
const SINGLE_KINDS: &[&str] = &[
    "git.check",
    "git.branch",
    "version.bump",
    "changelog",
    "git.commit",
    "git.tag",
    "git.push",
    "git.merge",
    "git.cherry-pick",
    "git.verify",
    "shell",
    "load-test",
    "pack",
    "publish",
    "manual",
    "ask",
    "approval",
    "vote",
    "checklist",
    "hand-over",
    "message",
    "ci",
    "artifact",
    "promote",
];
const HOOK_SINGLE_KINDS: &[&str] =
    &["shell", "load-test", "manual", "ask", "approval", "vote", "checklist", "hand-over", "message"];

/// The kinds that wait for people.
const PEOPLE_KINDS: &[&str] = &["manual", "ask", "approval", "vote", "checklist", "hand-over"];

const STEP_CHOICE: &[Choice] = &[choice("what it does", STEP_KINDS)];
const HOOK_CHOICE: &[Choice] = &[choice("what it does", HOOK_KINDS)];
const GATE_CHOICE: &[Choice] = &[choice("what has to hold", GATE_KINDS)];

// Statics of their own, since steps hold steps: a constant could not refer to what it is a part of.
pub(super) static A_STEP: Shape = Shape::Map(&STEP);
pub(super) static A_HOOK_STEP: Shape = Shape::Map(&HOOK_STEP);

/// A step of a procedure.
pub(crate) static STEP: Mapping = mapping(
    "step",
    "a step",
    "One thing that is done: exactly one kind, and modifiers.",
    &[
        key("git.check", Shape::Map(&GIT_CHECK), "Looks whether the working copy is fit to release from."),
        key("git.branch", Shape::Template, "Names the branch that the release's commits go to."),
        key("version.bump", Shape::Map(&NOTHING), "Writes the version into the version files."),
        key("changelog", Shape::Map(&NOTHING), "Writes the section of this release into the changelog."),
        key("git.commit", Shape::Either(&Shape::Template, map!(GIT_COMMIT)), "Commits what was edited."),
        key("git.tag", Shape::Map(&GIT_TAG), "Makes an annotated tag."),
        key(
            "git.push",
            Shape::List(&Shape::OneOf(&["branch", "tag"]), 1),
            "Pushes the release's branch, its tag, or both at once.",
        ),
        key(
            "git.merge",
            Shape::Map(&GIT_MERGE),
            "Merges the candidate into a branch and pushes it, or a branch into the candidate.",
        ),
        key("git.cherry-pick", Shape::Map(&GIT_CHERRY_PICK), "Takes the changes of single commits over."),
        key(
            "git.verify",
            Shape::Map(&GIT_VERIFY),
            "Looks whether the tag and the commits are signed by those who may.",
        ),
        SHELL_KEY,
        LOAD_TEST,
        MEASURES,
        LOAD_BASELINE,
        LOAD_SELF,
        key("pack", Shape::Map(&PACK), "Packs files of the release, and tells of them."),
        key("publish", Shape::Map(&PUBLISH), "Publishes a package or an image in a registry."),
        MANUAL_KEY,
        ASK_KEY,
        APPROVAL_KEY,
        VOTE_KEY,
        CHECKLIST_KEY,
        HAND_OVER_KEY,
        MESSAGE_KEY,
        CI,
        PASSED,
        FAILED,
        ARTIFACT,
        COMPONENT,
        key("promote", Shape::Name(NAME), "Moves the candidate into an environment."),
        key("parallel", Shape::List(&A_STEP, 1), PARALLEL_ABOUT),
        key("phase", Shape::Map(&PHASE), PHASE_ABOUT),
        ID,
        STEP_NAME,
        IF,
        EACH,
        WITH,
        BY,
        AFTER,
        AT.with(SINGLE_KINDS),
        ORDER_STEP,
        DUE.with(SINGLE_KINDS),
        TIMEOUT.with(SINGLE_KINDS),
        key("retry", Shape::Map(&RETRY), RETRY_ABOUT).with(&[
            "git.check",
            "git.branch",
            "version.bump",
            "changelog",
            "git.commit",
            "git.tag",
            "git.push",
            "git.merge",
            "git.cherry-pick",
            "git.verify",
            "shell",
            "load-test",
            "pack",
            "publish",
            "message",
            "promote",
        ]),
        ELSE.with(SINGLE_KINDS),
        REMIND.with(PEOPLE_KINDS),
        ESCALATE.with(PEOPLE_KINDS),
        OUTPUTS,
        PACKED,
        COVERS,
        VALID,
        PER,
        KEEPS,
    ],
)
.one_of(STEP_CHOICE)
.refused(LATER_STEPS);

/// A step around a deployment.
pub(crate) static HOOK_STEP: Mapping = mapping(
    "environment-step",
    "a step of an environment",
    "One thing that is done around a deployment: exactly one kind, and modifiers.",
    &[
        SHELL_KEY,
        LOAD_TEST,
        MEASURES,
        LOAD_BASELINE,
        LOAD_SELF,
        MANUAL_KEY,
        ASK_KEY,
        APPROVAL_KEY,
        VOTE_KEY,
        CHECKLIST_KEY,
        HAND_OVER_KEY,
        MESSAGE_KEY,
        key("parallel", Shape::List(&A_HOOK_STEP, 1), PARALLEL_ABOUT),
        key("phase", Shape::Map(&HOOK_PHASE), PHASE_ABOUT),
        ID,
        STEP_NAME,
        IF,
        EACH,
        WITH,
        BY,
        AFTER,
        AT.with(HOOK_SINGLE_KINDS),
        DUE.with(HOOK_SINGLE_KINDS),
        TIMEOUT.with(HOOK_SINGLE_KINDS),
        key("retry", Shape::Map(&RETRY), RETRY_ABOUT).with(&["shell", "load-test", "message"]),
        ELSE.with(HOOK_SINGLE_KINDS),
        REMIND.with(PEOPLE_KINDS),
        ESCALATE.with(PEOPLE_KINDS),
        COVERS,
        VALID,
        PER,
        KEEPS,
    ],
)
.one_of(HOOK_CHOICE)
.refused(LATER_STEPS)
.refused_too(&[
    elsewhere(
        &[
            "git.check",
            "git.branch",
            "version.bump",
            "changelog",
            "git.commit",
            "git.tag",
            "git.push",
            "git.merge",
            "git.cherry-pick",
            "git.verify",
            "pack",
            "publish",
            "promote",
        ],
        "it stands in a procedure: an environment gets a candidate that is finished",
    ),
    elsewhere(&["outputs"], "outputs are read from the steps of a procedure"),
    elsewhere(&["packed"], "files are packed for the steps of a procedure"),
    elsewhere(&["order"], "in which order releases get to an environment is a gate of it"),
]);

const PARALLEL_ABOUT: &str = "Steps that go on at the same time; the next one waits for all of them.";
const PHASE_ABOUT: &str = "Steps in order under one name.";
const RETRY_ABOUT: &str = "How often it is tried again after a failure that may pass.";

const SHELL_KEY: Key = key("shell", Shape::Either(&Shape::Text, map!(SHELL)), "Runs a command.");
const MANUAL_KEY: Key =
    key("manual", Shape::Either(&Shape::Template, map!(MANUAL)), "A person does something and says so.");
const ASK_KEY: Key = key("ask", Shape::List(&Shape::Name(WORD), 1), "Asks questions of the top of the file.");
const APPROVAL_KEY: Key = key("approval", Shape::Map(&APPROVAL), "Waits for people to approve.");
const VOTE_KEY: Key = key("vote", Shape::Map(&VOTE), "Waits until a vote passes.");
const CHECKLIST_KEY: Key = key("checklist", A_CHECKLIST, CHECKLIST_ABOUT);
const HAND_OVER_KEY: Key = key(
    "hand-over",
    Shape::Named(NAME, &Shape::Who, 1),
    "Somebody takes a role over, and says so: the role, and who can take it.",
);
const MESSAGE_KEY: Key = key("message", Shape::Map(&MESSAGE), "Tells people something.");

const CHECKLIST_ABOUT: &str = "What people look at, each item with an answer of its own: a list, one text, or a Markdown file (`VERIFY.md#heading`).";
const A_CHECKLIST: Shape =
    Shape::Either(&Shape::Template, &Shape::List(&Shape::Either(&Shape::Template, map!(CHECKLIST_ENTRY)), 1));
const WITH: Key = key(
    "with",
    Shape::Named(WORD, &Shape::Template, 1),
    "What stands for names of one's own in the texts of a checklist.",
)
.with(&["checklist"]);

static CHECKLIST_ENTRY: Mapping = mapping(
    "checklist-entry",
    "an entry of a checklist",
    "An item, or items under one heading.",
    &[
        key("do", Shape::Template, "What to look at."),
        key("group", Shape::Line, "A heading; the items below it stand in `items`."),
        key(
            "items",
            Shape::List(&Shape::Either(&Shape::Template, map!(CHECKLIST_ITEM)), 1),
            "The items below it.",
        )
        .with(&["group"]),
        ITEM_ID.with(&["do"]),
        TAKES.with(&["do"]),
        ITEM_EVIDENCE.with(&["do"]),
        OPTIONAL.with(&["do"]),
    ],
)
.one_of(&[choice("what it is", &["do", "group"])]);

static CHECKLIST_ITEM: Mapping = mapping(
    "checklist-item",
    "an item of a checklist",
    "One thing to look at.",
    &[key("do", Shape::Template, "What to look at.").required(), ITEM_ID, TAKES, ITEM_EVIDENCE, OPTIONAL],
);

const ITEM_ID: Key = key("id", Shape::Name(NAME), "Its name; its number in the checklist if not given.");
const TAKES: Key = key("takes", Shape::Duration, "How long it usually takes.");
const ITEM_EVIDENCE: Key = key(
    "evidence",
    Shape::OneOf(&["required", "link"]),
    "What has to be handed in when it passed: something, or a web address.",
);
const OPTIONAL: Key =
    key("optional", Shape::Bool, "Whether `not run` is an answer that counts; `false` if not given.");

const ID: Key =
    key("id", Shape::Name(WORD), "Its id, unique in the procedure; made from the kind if not given.");
const STEP_NAME: Key = key("name", Shape::Template, "What it is called in lists.");
const IF: Key = key("if", Shape::Condition, "It is skipped, visibly, when this is false.");
const EACH: Key = key(
    "each",
    Shape::Either(&Shape::OneOf(&["changes", "components"]), &Shape::List(&Shape::Line, 1)),
    "It is done once for each of these, with `item` in its texts.",
)
.with(&["shell", "manual", "message", "checklist"]);
const BY: Key = key("by", Shape::Either(&Shape::Who, map!(SAME_AS)), "Who does it, or answers it.").with(&[
    "manual",
    "ask",
    "approval",
    "vote",
    "checklist",
    "load-test",
    "parallel",
    "phase",
]);
const AFTER: Key =
    key("after", Shape::List(&Shape::Name(WORD), 1), "The steps it waits for, instead of the one before it.");
const AT: Key = key(
    "at",
    Shape::Either(&Shape::Line, &AT_WINDOW),
    "When it begins at the earliest: a moment, a time that comes again, or a window.",
);
static AT_WINDOW: Shape = Shape::Map(&STEP_WINDOW);
const DUE: Key =
    key("due", Shape::Line, "By when it should be done; who is told that it is late stands in `notify`.");
const TIMEOUT: Key = key("timeout", Shape::Duration, "How long it may take.");
const ELSE: Key =
    key("else", Shape::OneOf(&["ask", "abort"]), "What happens when it fails; `ask` if not given.");
const OUTPUTS: Key = key(
    "outputs",
    Shape::Named(WORD, map!(OUTPUT), 1),
    "What is read from its output, as `steps.ID.NAME` further down.",
)
.with(&["shell"]);
const PACKED: Key =
    key("packed", Shape::Name(WORD), "The `pack` step whose files the command gets.").with(&["shell"]);
const COVERS: Key =
    key("covers", Shape::List(&FACET, 1), "What its evidence covers; what the kind implies if not given.")
        .with(&["manual", "ask", "approval", "vote", "checklist"]);
const VALID: Key = key("valid", Shape::Duration, "How long an approval counts.").with(&["approval"]);

/// The kinds whose results can count for another candidate.
const KEPT_KINDS: &[&str] = &["shell", "manual", "checklist", "hand-over", "message"];
const PER: Key = key(
    "per",
    Shape::OneOf(&["candidate", "release"]),
    "Whether it is done for each candidate of a release, or once; `candidate` if not given.",
)
.with(KEPT_KINDS);
const KEEPS: Key = key(
    "keeps",
    Shape::Either(&KEPT, &KEPT_LIST),
    "What may be another one in the next candidate without its being done again.",
)
.with(KEPT_KINDS);
static KEPT_LIST: Shape = Shape::List(&KEPT, 1);
static KEPT: Shape = Shape::OneOf(&["source", "tag", "digest", "notes", "version.files"]);

static SAME_AS: Mapping = mapping(
    "same-as",
    "`by`",
    "Whoever did another step.",
    &[key("same-as", Shape::Name(WORD), "The step, above this one.").required()],
);

static FACET: Shape = Shape::OneOf(&["source", "tag", "digest", "notes", "schema", "procedure"]);

const LATER_STEPS: &[Refused] = &[
    later(&["ticket", "decision"], MANUAL_INSTEAD),
    elsewhere(&["window"], "write `at: \"Mon-Thu 09:00-16:00 Europe/Berlin\"` beside what the step does"),
    elsewhere(&["freeze", "soak"], "what must hold is a gate of an environment"),
    later(&["wait"], MANUAL_INSTEAD),
    elsewhere(&["blockers", "metrics"], "what must hold is a gate of an environment"),
    elsewhere(
        &["artifacts"],
        "write `artifact`, one step for each; whether they are there still is a gate of an environment",
    ),
    elsewhere(&["checksums", "sbom", "provenance"], "it is made by a `pack` step, beside its `files`"),
    later(&["forge.pull-request", "pull-request", "forge.release"], MANUAL_INSTEAD),
    later(&["schema.rehearse", "schema.migrate", "rollback", "deploy"], MANUAL_INSTEAD),
    elsewhere(&["require"], "an expression that must be true is a gate of an environment; a step has `if`"),
    later(&["soft", "undo"], "remove it"),
    later(&["where"], "every step runs on the machine that runs Tollgate"),
    elsewhere(&["via"], "`via` stands inside `message`"),
    later(&["while"], "put what has to stay true into a gate of the environment"),
    elsewhere(&["gate", "gates"], "gates stand on environments, or at the top of the file for all of them"),
];

const MANUAL_INSTEAD: &str = "use a `manual` step that says what to do";

static NOTHING: Mapping = mapping("nothing", "this kind", "Takes no settings: `{}`.", &[]);

static GIT_CHECK: Mapping = mapping(
    "git-check",
    "`git.check`",
    "What the working copy has to be like.",
    &[
        key("branch", Shape::Template, "The branch it has to be on; the repository's if not given."),
        key("clean", Shape::Bool, "No changed or untracked files; `true` if not given."),
        key("in-sync", Shape::Bool, "At the same commit as the remote's branch; `true` if not given."),
    ],
);

static GIT_COMMIT: Mapping = mapping(
    "git-commit",
    "`git.commit`",
    "A commit of what was edited.",
    &[
        key("message", Shape::Template, "Its message.").required(),
        key("sign", Shape::Bool, "Whether to sign it; as git is set up if not given."),
    ],
);

static GIT_TAG: Mapping = mapping(
    "git-tag",
    "`git.tag`",
    "An annotated tag.",
    &[
        key("message", Shape::Template, "Its message; the tag's name if not given."),
        key("sign", Shape::Bool, "Whether to sign it; as git is set up if not given."),
    ],
);

static GIT_MERGE: Mapping = mapping(
    "git-merge",
    "`git.merge`",
    "A clean merge: the candidate into a branch, or a branch into the candidate.",
    &[
        key("into", Shape::Template, "The branch of the remote that the candidate is merged into."),
        key("from", Shape::Line, "The branch of the remote that is merged into the candidate."),
        key(
            "how",
            Shape::OneOf(&["no-ff", "ff-only"]),
            "Whether there is always a merge commit, or never; `no-ff` if not given.",
        ),
        key(
            "message",
            Shape::Template,
            "The message of the merge commit; one that names both sides if not given.",
        ),
        key("sign", Shape::Bool, "Whether to sign the merge commit; as git is set up if not given."),
        key(
            "push",
            Shape::OneOf(&["now", "later"]),
            "With `into`: whether it is pushed by itself, or goes out with the next `git.push`; `now` if not given.",
        ),
    ],
)
.one_of(&[choice("which way it goes", &["into", "from"])]);

static GIT_CHERRY_PICK: Mapping = mapping(
    "git-cherry-pick",
    "`git.cherry-pick`",
    "Commits whose changes are taken over into the candidate.",
    &[
        key(
            "commits",
            Shape::Either(&Shape::Template, &Shape::List(&Shape::Template, 1)),
            "Their full ids, in order; one text may hold several.",
        )
        .required(),
        key(
            "mainline",
            Shape::Integer(1, 64),
            "Which parent of a merge commit its changes are counted against; without it merge commits are refused.",
        ),
        key("sign", Shape::Bool, "Whether to sign the new commits; as git is set up if not given."),
    ],
);

static GIT_VERIFY: Mapping =
    mapping("git-verify", "`git.verify`", "Signatures that have to be there.", SIGNATURE_KEYS);

pub(super) const VARIABLES: Shape = Shape::Named(VARIABLE, &Shape::Template, 0);
pub(super) const SECRETS: Shape = Shape::Named(VARIABLE, &Shape::Name(NAME), 0);

pub(super) static SHELL: Mapping = mapping(
    "shell",
    "`shell`",
    "A command.",
    &[
        key("command", Shape::Text, "For `sh -c`; values reach it as `TOLLGATE_*` variables.").required(),
        key("variables", VARIABLES, "Further variables, filled in."),
        key("secrets", SECRETS, "Variables that hold secrets: the variable, and the secret's name."),
        key("repeatable", Shape::Bool, "Whether doing it twice is doing it once; `false` if not given."),
    ],
);

static MANUAL: Mapping = mapping(
    "manual",
    "`manual`",
    "Something that a person does.",
    &[
        key("do", Shape::Template, "What to do.").required(),
        key("evidence", Shape::Bool, "Whether something has to be handed in; `false` if not given."),
    ],
);

const COUNT: Key = key("count", Shape::Integer(1, MANY), "How many people; 1 if not given.");
const EXCLUDE: Key = key(
    "exclude",
    Shape::Either(&Shape::Who, &Shape::List(&Shape::Who, 1)),
    "Who of them may not: a group, a role or a person, or several.",
);
const ALLOW_SELF: Key = key(
    "allow-self",
    Shape::Bool,
    "Whether who started the run or wrote a commit may approve; `false` if not given.",
);

static APPROVAL: Mapping = mapping(
    "approval",
    "`approval`",
    "How many people approve, and what. Who they are stands beside it, with `by`.",
    &[
        COUNT,
        EXCLUDE,
        ALLOW_SELF,
        key("covers", Shape::List(&FACET, 1), "What an approval covers; everything if not given."),
        key("valid", Shape::Duration, "How long an approval counts."),
    ],
)
.refused(&[
    elsewhere(&["by", "from", "group"], "`by` stands beside `approval`"),
    elsewhere(&["quorum"], "write `count`"),
]);

/// A vote, of a step or a gate.
static VOTE: Mapping = mapping(
    "vote",
    "`vote`",
    "When a vote passes: the period, the quorum and the majority, all three. Whose votes bind stands beside it, with `by`.",
    &[
        key("at-least", Shape::Duration, "How long it stays open at least."),
        key("quorum", Shape::Integer(1, MANY), "How many binding +1 it takes; 1 if not given."),
        key(
            "majority",
            Shape::OneOf(&["simple", "two-thirds", "unanimous"]),
            "How +1 and -1 stand to each other; `simple` if not given: more +1 than -1.",
        ),
        key("veto", Shape::Bool, "Whether one binding -1 stops it; `false` if not given."),
        key(
            "early",
            Shape::Integer(1, MANY),
            "How many binding +1 pass it before `at-least` is over, as long as there is no -1; that never happens if not given.",
        ),
        key("lazy", Shape::Bool, "Whether silence until the end of `at-least` is a yes; `false` if not given."),
        key("closes", Shape::Duration, "How long it stays open at most; then it expires, which is no failure."),
    ],
)
.refused(&[
    elsewhere(&["by", "from", "group"], "`by` stands beside `vote`"),
    elsewhere(&["count"], "`quorum` is how many binding +1 it takes"),
    elsewhere(&["period", "for", "min", "timeout"], "`at-least` is how long it stays open at least"),
    elsewhere(&["valid"], "`closes` is how long it stays open at most"),
]);

static MESSAGE: Mapping = mapping(
    "message",
    "`message`",
    "Something that people are told.",
    &[
        key("via", Shape::Name(NAME), "The connection it goes out by.").required(),
        key("to", Shape::List(&Shape::Line, 1), "Who is told: groups, people, or mail addresses.").required(),
        key("subject", Shape::Template, "One line.").required(),
        key("body", Shape::Template, "The text.").required(),
    ],
);

static PHASE: Mapping = mapping(
    "phase",
    "`phase`",
    "Steps in order under one name.",
    &[key("steps", Shape::List(&A_STEP, 1), "The steps.").required()],
);

static HOOK_PHASE: Mapping = mapping(
    "environment-phase",
    "`phase`",
    "Steps in order under one name.",
    &[key("steps", Shape::List(&A_HOOK_STEP, 1), "The steps.").required()],
);

static RETRY: Mapping = mapping(
    "retry",
    "`retry`",
    "How often a failed act is tried again.",
    &[
        key("tries", Shape::Integer(1, 20), "How many tries at most, the first included; 5 if not given."),
        key(
            "pause",
            Shape::Duration,
            "The pause before the second try, doubled each time; `2s` if not given.",
        ),
    ],
);

static OUTPUT: Mapping = mapping(
    "output",
    "an output",
    "How a value is read from what a command prints.",
    &[
        key("line", Shape::Text, "The rest of the first line that starts with this text."),
        key("json", Shape::Line, "The text at this JSON pointer, such as `/build/number`."),
        key("text", Shape::True, "All of it."),
    ],
)
.one_of(&[choice("how it is read", &["line", "json", "text"])]);

/// An approval that opens a gate. It covers everything the candidate is.
static GATE_APPROVAL: Mapping = mapping(
    "gate-approval",
    "`approval`",
    "How many people approve. Who they are stands beside it, with `by`.",
    &[COUNT, EXCLUDE, ALLOW_SELF, key("valid", Shape::Duration, "How long an approval counts.")],
)
.refused(&[
    elsewhere(&["covers"], "the approval of an environment covers everything the candidate is"),
    elsewhere(&["by", "from", "group"], "`by` stands beside `approval`"),
    elsewhere(&["quorum"], "write `count`"),
]);

const FITS_ABOUT: &str = "How long the promotion takes, which has to fit too: a length of time, or `usual` for as long as it took before.";

/// A window.
pub(super) static WINDOW: Mapping = mapping(
    "window",
    "`window`",
    "When an environment can be entered; what closes wins over what opens.",
    &[
        key("open", Shape::Either(&Shape::Line, &WINDOW_RULES), "Only in these times; always if not given."),
        key("closed", Shape::Either(&Shape::Line, &WINDOW_RULES), "Not in these times."),
        key("same-day", Shape::Line, "What is begun also has to end on the same day in this time zone."),
    ],
)
.refused(&[
    elsewhere(&["allow"], "write `open`"),
    elsewhere(&["deny"], "write `closed`"),
    elsewhere(
        &["zone"],
        "the time zone stands at the end of each time, as in `Mon-Fri 09:00-17:00 Europe/London`",
    ),
]);

/// A window in which a step begins.
static STEP_WINDOW: Mapping = mapping(
    "step-window",
    "`at`",
    "When a step can begin; what closes wins over what opens.",
    &[
        key("open", Shape::Either(&Shape::Line, &WINDOW_RULES), "Only in these times; always if not given."),
        key("closed", Shape::Either(&Shape::Line, &WINDOW_RULES), "Not in these times."),
    ],
);

static WINDOW_RULES: Shape = Shape::List(&Shape::Line, 1);

/// A gate.
const BUMP: Shape = Shape::OneOf(super::BUMPS);

static PACE: Mapping = mapping(
    "pace",
    "`pace`",
    "How many releases may go to an environment within a time that always ends now.",
    &[
        key("within", Shape::Duration, "In how long a time.").required(),
        key("at-most", Shape::Integer(1, 100), "How many at most; 1 if not given."),
        key(
            "only",
            Shape::Either(&BUMP, &Shape::List(&BUMP, 1)),
            "Only releases that raised the version like this count.",
        ),
    ],
);

pub(crate) static GATE: Mapping = mapping(
    "gate",
    "a gate",
    "What must hold to enter an environment: exactly one kind, and modifiers.",
    &[
        key("approval", Shape::Map(&GATE_APPROVAL), "People approve exactly this candidate."),
        key("ask", Shape::Template, "A question that somebody answers with yes."),
        key("checklist", A_CHECKLIST, CHECKLIST_ABOUT),
        WITH,
        key("vote", Shape::Map(&VOTE), "A vote on exactly this candidate that passes."),
        key("window", Shape::Either(&Shape::Line, map!(WINDOW)), "When it can be entered."),
        key("fits", Shape::Line, FITS_ABOUT).with(&["window"]),
        super::environments::CLOSING,
        key("soak", Shape::Duration, "How long it has to have run, verified, in the environment before."),
        key(
            "from",
            Shape::Name(NAME),
            "The environment it has to have run in, if not the one before; whose list or number it is, if not this one's.",
        )
        .with(&["soak", "blockers", "metrics"]),
        key("pace", Shape::Map(&PACE), "How many releases may go there in a time."),
        ORDER_GATE,
        TIME_BUDGET,
        WITHIN,
        LOAD_GATE,
        BLOCKERS,
        NOT_IN,
        METRICS,
        AT_MOST,
        AT_LEAST,
        BASELINE,
        FOR,
        CI,
        PASSED,
        FAILED,
        ARTIFACTS,
        SIGNED,
        key("require", Shape::Condition, "A condition that is true."),
        key("if", Shape::Condition, "The gate only applies when this is true."),
        key("by", Shape::Who, "Who approves, who may answer, or whose votes bind.").with(&[
            "approval",
            "ask",
            "vote",
            "checklist",
        ]),
        key("valid", Shape::Duration, "How long an approval or a yes counts.").with(&["approval", "ask"]),
        REMIND.with(&["approval", "ask", "vote", "checklist"]),
        ESCALATE.with(&["approval", "ask", "vote", "checklist"]),
    ],
)
.one_of(GATE_CHOICE)
.refused(&[
    elsewhere(&["artifact"], "a step `artifact` waits for one; a gate `artifacts: all` asks whether it is there still"),
    elsewhere(&["checks"], "write `ci`"),
    elsewhere(&["blocker"], "write `blockers`"),
    elsewhere(&["metric"], "write `metrics`"),
    later(&["ticket", "schema"], "use `ask` with a question about it"),
    elsewhere(&["freeze"], "a freeze is made when it is needed, with `tollgate freeze`"),
    later(&["pull-request", "manual"], "use `ask` with a question about it"),
    later(&["soft"], "a gate holds, or somebody waives it"),
    later(&["while", "at", "due", "keeps"], "use `valid` for how long a yes counts"),
]);
