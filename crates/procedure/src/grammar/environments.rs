//! Environments: deployment and probes.

use super::steps::{A_HOOK_STEP, GATE, SECRETS, VARIABLES};
use super::{Choice, Key, MANY, Mapping, NAME, Shape, choice, key, later, mapping};

static HOOK_STEPS: Shape = Shape::List(&A_HOOK_STEP, 1);

/// What a window does to a promotion that has begun.
pub(super) const CLOSING: Key = key(
    "closing",
    Shape::OneOf(&["wait", "finish"]),
    "What becomes of a promotion that has begun when the window closes: its deployment has to `wait`, or it may `finish`; `wait` if not given.",
)
.with(&["window"]);

pub(super) static ENVIRONMENT: Mapping = mapping(
    "environment",
    "an environment",
    "Where a release runs.",
    &[
        key("from", Shape::Name(NAME), "The environment a candidate is verified in before it comes here."),
        key("url", Shape::Address, "Its address, for people, and as `env.url` in texts."),
        key("gates", Shape::Named(NAME, map!(GATE), 0), "What must hold to enter it, by name."),
        key("before", HOOK_STEPS, "Steps before the deployment, once the gates are open."),
        key("deploy", Shape::Either(&Shape::OneOf(&["observed"]), map!(DEPLOY)), DEPLOY_ABOUT).required(),
        key("probe", Shape::Map(&PROBE), "How to see what runs there."),
        key("verify", HOOK_STEPS, "Steps that verify the candidate once it is live."),
        key("after", HOOK_STEPS, "Steps after it was verified."),
    ],
)
.refused(&[
    later(&["rollout", "finish-by"], "deploy to everything at once, or make an environment of each part"),
    later(&["shared", "borrow", "lock"], "name the environment in this file"),
    later(&["schema"], "describe the schema change in a `manual` step under `before` or `after`"),
]);

const DEPLOY_ABOUT: &str =
    "How a candidate is deployed: by a command, a person, a merge, or `observed` where others do it.";

static DEPLOY: Mapping = mapping(
    "deploy",
    "`deploy`",
    "How a candidate is deployed.",
    &[
        key("command", Shape::Text, "A command for `sh -c`; values reach it as `TOLLGATE_*` variables."),
        key("manual", Shape::Template, "What a person does to deploy."),
        key(
            "merge",
            Shape::Template,
            "The branch that the environment runs: the candidate is merged into it.",
        ),
        key("how", Shape::OneOf(&["no-ff", "ff-only"]), "As of `git.merge`; `no-ff` if not given.")
            .with(&["merge"]),
        key("by", Shape::Who, "Who does it, or who is asked where it does not merge cleanly.")
            .with(&["manual", "merge"]),
        key("timeout", Shape::Duration, "How long the command may take; `1h` if not given.")
            .with(&["command"]),
        key("variables", VARIABLES, "Further variables for the command, filled in.").with(&["command"]),
        key("secrets", SECRETS, "Variables that hold secrets: the variable, and the secret's name.")
            .with(&["command"]),
        key("repeatable", Shape::Bool, "Whether doing it twice is doing it once; `false` if not given.")
            .with(&["command"]),
    ],
)
.one_of(&[choice("how it is deployed", &["command", "manual", "merge"])])
.refused(&[
    later(&["ticket", "comment"], "use `manual` and say which ticket to file"),
    later(&["ssh", "push"], "use `command`"),
]);

/// What a probe of a plain address can read.
pub(crate) const PROBE_READS: &[&str] = &["json", "status", "body"];

static PROBE: Mapping = mapping(
    "probe",
    "`probe`",
    "How to see what runs in an environment.",
    &[
        key("dockerflow", Shape::Address, "A service that answers `/__version__` below this address."),
        key("url", Shape::Address, "An address to ask; what is read from the answer stands beside it."),
        key("json", Shape::Line, "The JSON pointer of the version in the answer, such as `/version`.")
            .with(&["url"]),
        key("status", Shape::Integer(100, 599), "It only has to answer with this status.").with(&["url"]),
        key("body", Shape::True, "The whole answer is the version.").with(&["url"]),
        key("within", Shape::Duration, "How long to keep looking after a deployment; `15m` if not given."),
        key("every", Shape::Duration, "The pause between two looks; `10s` if not given."),
        key("times", Shape::Integer(1, MANY), "How many answers in a row have to be right; 1 if not given."),
        key("expect", Shape::Template, "What has to be read; the candidate's version if not given."),
    ],
)
.one_of(PROBE_CHOICES);

const PROBE_CHOICES: &[Choice] = &[
    choice("what is asked", &["dockerflow", "url"]),
    Choice { what: "what is read from the answer", keys: PROBE_READS, when: "url" },
];
