//! How risky a release is.

use super::{Key, Mapping, Shape, WORD, choice, key, mapping};

/// The largest size of a release that can be asked for.
const SIZE_MAX: i64 = 1_000_000_000;

/// `risk`.
pub(crate) static RISK: Mapping = mapping(
    "risk",
    "`risk`",
    "How risky a release is: levels, what makes it be of one, and who may say something else.",
    KEYS,
);

const KEYS: &[Key] = &[
    key("levels", Shape::List(&Shape::Name(WORD), 2), "The levels, the lowest first.").required(),
    key(
        "rules",
        Shape::List(map!(RULE), 1),
        "What makes a release be of a level; the highest that applies counts, and the first level where none does.",
    ),
    key(
        "declared",
        Shape::Name(WORD),
        "The question whose answer is a level too; the answer never makes it less than the rules do.",
    ),
    key("raise", Shape::Map(&RAISE), "Who may say that it is higher; anybody who is known if not given."),
    key("lower", Shape::Map(&LOWER), "Who may say that it is lower; nobody if not given."),
];

const SIGNS: &[&str] = &["changed", "commits", "files", "lines", "author", "bump", "if"];

static RULE: Mapping = mapping(
    "risk-rule",
    "a rule about risk",
    "Something that makes a release be of a level.",
    &[
        key("changed", Shape::Either(&Shape::Line, &PATTERNS), "A file changed whose path fits a pattern."),
        key("commits", Shape::Integer(1, SIZE_MAX), "So many commits, or more."),
        key("files", Shape::Integer(1, SIZE_MAX), "So many changed files, or more."),
        key("lines", Shape::Integer(1, SIZE_MAX), "So many new and removed lines, or more."),
        key("author", Shape::OneOf(&["new"]), "Somebody wrote a commit of it of whom there was none before."),
        key("bump", Shape::OneOf(&["major", "minor", "patch"]), "The version grows like this."),
        key("if", Shape::Condition, "This is true."),
        key("is", Shape::Name(WORD), "The level.").required(),
        key("why", Shape::Line, "Why that is a risk, for people."),
    ],
)
.one_of(&[choice("what makes a release risky", SIGNS)]);

static PATTERNS: Shape = Shape::List(&Shape::Line, 1);

static RAISE: Mapping = mapping(
    "raise-risk",
    "`raise`",
    "Who may say that a release is more risky.",
    &[key("by", Shape::Who, "Who may.").required()],
);

static LOWER: Mapping = mapping(
    "lower-risk",
    "`lower`",
    "Who may say that a release is less risky.",
    &[
        key("by", Shape::Who, "Who may.").required(),
        key(
            "allow-self",
            Shape::Bool,
            "Whether whoever started the release, or wrote a commit of it, may; `false` if not given.",
        ),
    ],
);
