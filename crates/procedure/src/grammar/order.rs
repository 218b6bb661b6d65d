//! In which order releases that are under way at once go on.

use super::{Key, Shape, key};

const ORDERS: Shape = Shape::OneOf(&["oldest-first"]);

pub(super) const ORDER_GATE: Key = key(
    "order",
    ORDERS,
    "In which order releases that are under way at once get there: the lowest version first.",
);

pub(super) const ORDER_STEP: Key = key(
    "order",
    ORDERS,
    "In which order releases that are under way at once do this: the lowest version first.",
)
.with(&["git.tag", "git.push", "git.merge", "publish", "shell"]);
