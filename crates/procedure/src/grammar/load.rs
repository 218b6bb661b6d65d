//! Load tests: a step that measures, and a gate that asks for it.

use super::steps::SHELL;
use super::{Key, Mapping, NAME, Shape, WORD, elsewhere, key, mapping};

pub(super) const LOAD_TEST: Key = key(
    "load-test",
    Shape::Either(&Shape::Text, map!(SHELL)),
    "Runs a load test: a command that prints its numbers as one JSON document.",
);
pub(super) const MEASURES: Key = key(
    "measures",
    Shape::Named(WORD, map!(MEASURE), 1),
    "The numbers of a load test, each with what it has to keep; further down they are `steps.ID.NAME`.",
)
.with(&["load-test"]);
pub(super) const LOAD_BASELINE: Key = key(
    "baseline",
    Shape::Name(NAME),
    "The environment whose release percentages are of: the numbers that it had in this load test.",
)
.with(&["load-test"]);
pub(super) const LOAD_SELF: Key = key(
    "allow-self",
    Shape::Bool,
    "Whether who started the run or wrote a commit may accept the numbers of a load test; `false` if not given.",
)
.with(&["load-test"]);
pub(super) const LOAD_GATE: Key =
    key("load-test", Shape::Name(WORD), "The load test of this id was good, for exactly this candidate.");

static MEASURE: Mapping = mapping(
    "measure",
    "a measure",
    "A number of a load test, and what it has to keep.",
    &[
        key("json", Shape::Line, "Its JSON pointer in what the command prints, such as `/latency/p95`.")
            .required(),
        key("at-most", Shape::Line, "It is not larger than this; with `%`, than so much of the baseline."),
        key("at-least", Shape::Line, "It is not smaller than this; with `%`, than so much of the baseline."),
    ],
)
.refused(&[
    elsewhere(&["max", "below"], "write `at-most`"),
    elsewhere(&["min", "above"], "write `at-least`"),
    elsewhere(&["baseline"], "`baseline` stands beside `measures`, once for all of them"),
    elsewhere(&["line", "text"], "the numbers are read with `json`"),
]);
