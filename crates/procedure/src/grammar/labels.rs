//! Labels of pull requests: how they are asked for, and what they ask of the next version.

use super::facts::{HEADER, HEADER_VALUE};
use super::steps::{SECRETS, VARIABLES};
use super::{LABEL, Mapping, NAME, Shape, WEIGHTS, choice, elsewhere, key, mapping};

/// How labels are asked for.
const ASKS: &[&str] = &["url", "command"];

pub(super) static LABELS: Mapping = mapping(
    "labels",
    "`labels`",
    "What labels of pull requests ask of the next version, and where they are asked for.",
    &[
        key("url", Shape::Template, "The web address that answers with the labels of the pull request `{{ pull.number }}`."),
        key(
            "command",
            Shape::Text,
            "A command for `sh -c`, in the files of the commit; it prints the labels of the pull request $TOLLGATE_PULL_NUMBER.",
        ),
        key(
            "json",
            Shape::Line,
            "The JSON pointer of the list of labels in the answer, such as `/labels`, or `.` for all of it; without it, one label a line.",
        )
        .with(ASKS),
        key("headers", Shape::Named(HEADER, &HEADER_VALUE, 0), "Headers of the question: texts, or secrets by their names.")
            .with(&["url"]),
        key("bearer", Shape::Name(NAME), "The name of the secret for a header `Authorization: Bearer …`.").with(&["url"]),
        key("variables", VARIABLES, "Further variables for the command, filled in.").with(&["command"]),
        key("secrets", SECRETS, "Variables that hold secrets: the variable, and the secret's name.").with(&["command"]),
        key("timeout", Shape::Duration, "How long one question may take; `30s` if not given."),
        key("types", Shape::Named(LABEL, const { &Shape::OneOf(WEIGHTS) }, 1), "What each label asks for; others say nothing.")
            .required(),
        key(
            "other",
            Shape::OneOf(&["ask", "commits", "major", "minor", "patch", "none"]),
            "What a pull request asks for that has none of them: a person says it (`ask`, if not given), its commits do, or always this much.",
        ),
    ],
)
.one_of(&[choice("how labels are asked for", ASKS)])
.refused(&[
    elsewhere(&["major", "minor", "patch", "none"], "write `types: { LABEL: minor }`"),
    elsewhere(&["http"], "write `url`"),
    elsewhere(&["token", "secret"], "write `bearer`, or a header with `{ secret: NAME }`"),
]);
