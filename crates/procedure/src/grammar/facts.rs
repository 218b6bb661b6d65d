//! Facts of the world: how they are asked for and read.

use super::steps::{SECRETS, VARIABLES};
use super::{Key, Mapping, NAME, Shape, choice, elsewhere, key, mapping};

/// A fact where it is used: by its name, or written out.
pub(super) const A_FACT: Shape = Shape::Either(&Shape::Name(NAME), map!(FACT));

/// How a fact is asked for.
pub(crate) const FACT_ASKS: &[&str] = &["command", "url", "prometheus"];

/// Names of headers.
pub(super) const HEADER: &str = "^[A-Za-z0-9][A-Za-z0-9-]{0,127}$";

pub(super) static FACT: Mapping = mapping(
    "fact",
    "a fact",
    "Something that is so in the world: how it is asked for, how the answer is read, how long it counts.",
    &[
        key("command", Shape::Text, "A command for `sh -c`, in the candidate's files; what it prints is the answer."),
        key("url", Shape::Template, "A web address that answers; what is filled in is escaped."),
        key("prometheus", Shape::Map(&PROMETHEUS), "A query that Prometheus answers with one value."),
        key(
            "json",
            Shape::Line,
            "The JSON pointer of the value in the answer, such as `/data/count`, or `.` for all of it; without it, the answer is text.",
        )
        .with(&["command", "url"]),
        key(
            "commit",
            Shape::Line,
            "The JSON pointer of the commit that the answer speaks of; another one than the candidate's does not count.",
        )
        .with(&["json"]),
        key(
            "type",
            Shape::OneOf(&["number", "text", "boolean"]),
            "What it is in conditions of gates; what Prometheus answers is a number.",
        ),
        key("headers", Shape::Named(HEADER, &HEADER_VALUE, 0), "Headers of the question: texts, or secrets by their names.")
            .with(&["url", "prometheus"]),
        key("bearer", Shape::Name(NAME), "The name of the secret for a header `Authorization: Bearer …`.")
            .with(&["url", "prometheus"]),
        key("variables", VARIABLES, "Further variables for the command, filled in.").with(&["command"]),
        key("secrets", SECRETS, "Variables that hold secrets: the variable, and the secret's name.")
            .with(&["command"]),
        key("every", Shape::Duration, "The pause between two looks; `1m` if not given."),
        key(
            "valid",
            Shape::Duration,
            "The age after which it no longer counts and is looked at again; `5m` if not given, or twice `every`.",
        ),
        key("timeout", Shape::Duration, "How long one look may take; `1m` if not given."),
    ],
)
.one_of(&[choice("how it is asked for", FACT_ASKS)])
.refused(&[
    elsewhere(&["max-age", "ttl"], "write `valid`"),
    elsewhere(&["interval"], "write `every`"),
    elsewhere(&["http"], "write `url`"),
    elsewhere(&["token", "secret"], "write `bearer`, or a header with `{ secret: NAME }`"),
]);

/// A header: a text, or a secret.
pub(super) static HEADER_VALUE: Shape = Shape::Either(&Shape::Template, map!(HEADER_SECRET));

static HEADER_SECRET: Mapping = mapping(
    "header-secret",
    "a header",
    "A header that holds a secret.",
    &[key("secret", Shape::Name(NAME), "The name of the secret that is all of its value.").required()],
);

static PROMETHEUS: Mapping = mapping(
    "prometheus",
    "`prometheus`",
    "A query that Prometheus answers with one value.",
    &[
        key("url", Shape::Address, "Where it answers, without `/api/v1/query`.").required(),
        key("query", Shape::Template, "The query, in PromQL; it has to give one value or one series.")
            .required(),
    ],
);

pub(super) const BLOCKERS: Key = key("blockers", A_FACT, "A list that has to be empty.");
pub(super) const NOT_IN: Key =
    key("not-in", Shape::Name(NAME), "What is in the list of this environment too does not block.")
        .with(&["blockers"]);
pub(super) const METRICS: Key = key("metrics", A_FACT, "A number that has to keep a bound.");
pub(super) const AT_MOST: Key =
    key("at-most", Shape::Line, "The number is not larger than this; with `baseline`, a percentage of that.")
        .with(&["metrics"]);
pub(super) const AT_LEAST: Key = key(
    "at-least",
    Shape::Line,
    "The number is not smaller than this; with `baseline`, a percentage of that.",
)
.with(&["metrics"]);
pub(super) const BASELINE: Key = key(
    "baseline",
    Shape::Name(NAME),
    "What the bound is a percentage of: `start` for the first value that the run saw, or an environment for its value now.",
)
.with(&["metrics"]);
pub(super) const FOR: Key =
    key("for", Shape::Duration, "How long the bound has to have been kept without a break.")
        .with(&["metrics"]);
pub(super) const CI: Key = key("ci", A_FACT, "A result that has to be good, for exactly this commit.");
pub(super) const PASSED: Key = key(
    "passed",
    WORDS,
    "The words that mean that it is good; `success`, `passed` and their like if not given.",
)
.with(&["ci"]);
pub(super) const FAILED: Key = key(
    "failed",
    WORDS,
    "The words that mean that it is not; `failure`, `failed` and their like if not given.",
)
.with(&["ci"]);
pub(super) const SIGNED: Key = key(
    "signed",
    Shape::Either(&Shape::Line, map!(SIGNATURES)),
    "Signatures that have to be there: the file of those who may sign, or more about it.",
);
pub(super) const ARTIFACT: Key =
    key("artifact", A_FACT, "Waits for the digest of an artifact, which becomes a part of the candidate.");
pub(super) const COMPONENT: Key =
    key("component", Shape::Name(NAME), "Of which component; the only one if not given.").with(&["artifact"]);

pub(super) const ARTIFACTS: Key = key(
    "artifacts",
    Shape::Either(&Shape::OneOf(&["all"]), &Shape::List(&Shape::Name(NAME), 1)),
    "Artifacts that have to be there still, with the digests that steps `artifact` found for exactly this candidate: `all`, or components.",
);

/// The keys of the gate and of the step that ask for signatures.
pub(super) const SIGNATURE_KEYS: &[Key] = &[
    key("tag", Shape::Bool, "The tag's; `true` if not given."),
    key("commits", Shape::Bool, "Those of the commits since the version before; `false` if not given."),
    key("signers", Shape::Line, "The file of those whose signatures count.").required(),
];

static SIGNATURES: Mapping = mapping(
    "signed",
    "`signed`",
    "Signatures that have to be there. The file of the signers becomes a part of the policy.",
    SIGNATURE_KEYS,
)
.refused(&[elsewhere(&["keys", "by", "keyring", "allowed-signers"], "write `signers: FILE`")]);

const WORDS: Shape = Shape::List(&Shape::Line, 1);
