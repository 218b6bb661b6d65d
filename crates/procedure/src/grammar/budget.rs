//! Time budgets: a gate that wants so much time before anything closes.

use super::steps::WINDOW;
use super::{Key, Shape, key};

pub(super) const TIME_BUDGET: Key = key(
    "time-budget",
    Shape::Line,
    "How long nothing may close from now on: a length of time, or minutes, such as `60 + answers.data`.",
);
pub(super) const WITHIN: Key =
    key("within", Shape::Either(&Shape::Line, map!(WINDOW)), "Times that have to stay open for so long too.")
        .with(&["time-budget"]);
