//! Trains: what starts a procedure by itself.

use super::facts::A_FACT;
use super::{Key, Mapping, NAME, Shape, choice, key, mapping};

const EVERY: Key = key(
    "every",
    Shape::Line,
    "The times at which it departs: `Wed 07:30 Africa/Nairobi /2w from 2026-01-07`, or by RFC 5545 (`RRULE:… from …`).",
);
const PUSH: Key =
    key("push", Shape::Line, "The branch: it departs for each new commit there that brings something new.");
const DATE: Key = key(
    "date",
    Shape::Line,
    "A moment told from a day `T` that a person or a fact tells, such as `+next Mon 10:00 Europe/London` or `T-8wd 10:00 UTC`.",
);
const TOLD_BY: Key = key(
    "told-by",
    A_FACT,
    "The fact that tells the day `T`, by its name or written out: a date, or a moment; a person if not given.",
)
.with(&["date"]);
const LATE: Key = key(
    "late",
    Shape::OneOf(&["ask", "skip", "start"]),
    "What happens with a departure that was missed: somebody is asked (`ask`, if not given), it is left out (`skip`), or it starts as soon as it can (`start`).",
);
const GRACE: Key = key(
    "grace",
    Shape::Duration,
    "How late a departure may be before it counts as missed; `15m` if not given.",
);
const OVERLAP: Key = key(
    "overlap",
    Shape::OneOf(&["queue", "supersede", "parallel", "skip"]),
    "What happens when a run of the procedure is under way: it waits (`queue`, if not given), the run is given up (`supersede`), it starts beside it (`parallel`), or it is left out (`skip`).",
);
const HEADS_UP: Key = key(
    "heads-up",
    Shape::Either(&Shape::Duration, map!(HEADS_UP_MAP)),
    "How long before it departs people are told.",
);

/// What says when it departs.
pub(crate) const DEPARTS: &[&str] = &["every", "push", "date"];

pub(super) static TRAIN: Mapping = mapping(
    "train",
    "a train",
    "Something that starts a procedure by itself.",
    &[
        key("runs", Shape::Name(NAME), "The procedure that it starts.").required(),
        EVERY,
        PUSH,
        DATE,
        TOLD_BY,
        key("line", Shape::Name(NAME), "The line of older versions that it releases.")
            .with(&["every", "date"]),
        LATE,
        GRACE,
        OVERLAP,
        HEADS_UP.with(&["every", "date"]),
    ],
)
.one_of(&[choice("when it departs", DEPARTS)]);

pub(super) static START: Mapping = mapping(
    "start",
    "`start`",
    "What starts a procedure.",
    &[
        key("by", Shape::Who, "Who may start it by hand; anybody who is known if not given."),
        EVERY,
        PUSH,
        DATE,
        TOLD_BY,
        LATE.with(DEPARTS),
        GRACE.with(DEPARTS),
        OVERLAP.with(DEPARTS),
        HEADS_UP.with(&["every", "date"]),
    ],
)
.refused(&[super::elsewhere(
    &["milestone"],
    "write `date`, and `told-by`, or tell the day with `tollgate train date`",
)]);

static HEADS_UP_MAP: Mapping = mapping(
    "heads-up",
    "`heads-up`",
    "Telling people before it departs.",
    &[
        key("before", Shape::Duration, "How long before.").required(),
        key("via", Shape::Name(NAME), "The connection that a mail goes out by.").with(&["to"]),
        key(
            "to",
            Shape::Either(&Shape::Line, &RECIPIENTS),
            "Who gets the mail: groups, people or mail addresses.",
        )
        .with(&["via"]),
    ],
);

static RECIPIENTS: Shape = Shape::List(&Shape::Line, 1);
