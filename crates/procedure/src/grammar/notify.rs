//! Notices: who is told what.

use super::{Key, Mapping, NAME, Shape, elsewhere, key, later, mapping};

/// What people can be told of, as [`tollgate_core::model::Happening`] has it.
pub(crate) const HAPPENINGS: &[&str] = &[
    "started",
    "waiting",
    "live",
    "failed",
    "expired",
    "overdue",
    "held",
    "waived",
    "finished",
    "frozen",
    "thawed",
    "departing",
    "departed",
    "missed",
    "skipped",
];

/// A rule by which people are told.
pub(super) static NOTIFY: Mapping = mapping(
    "notify",
    "a notice",
    "Who is told what happens; whoever can act on it is told in any case.",
    &[
        key("via", Shape::Name(NAME), "The connection it goes out by.").required(),
        key(
            "to",
            Shape::Either(&Shape::Line, &RECIPIENTS),
            "Who is told beside those who can act: groups, people, or mail addresses.",
        ),
        key("events", Shape::List(&Shape::OneOf(HAPPENINGS), 1), "What they are told of.").required(),
    ],
)
.refused(&[
    elsewhere(&["mail", "group"], "write `via` with a connection, and `to` with who is told"),
    later(&["chat", "webhook"], "there are connections for mail"),
    elsewhere(&["remind", "escalate"], "they stand on the gate or step that waits, beside `by`"),
]);

/// People who are waited for are asked again.
pub(super) const REMIND: Key =
    key("remind", Shape::Duration, "They are reminded whenever so much time has passed without an answer.");

/// Others are told when nobody acts.
pub(super) const ESCALATE: Key =
    key("escalate", Shape::Map(&ESCALATION), "Who is told when nobody acts for too long.");

static ESCALATION: Mapping = mapping(
    "escalate",
    "`escalate`",
    "Who is told when nobody acts for too long.",
    &[
        key("after", Shape::Duration, "How long it has waited by then.").required(),
        key("to", Shape::Who, "Who is told.").required(),
        key("may-act", Shape::Bool, "Whether they can act as well from then on; `false` if not given."),
    ],
);

static RECIPIENTS: Shape = Shape::List(&Shape::Line, 1);

#[cfg(test)]
mod tests {
    use tollgate_core::model::Happening;

    #[test]
    fn the_words_are_those_of_the_model() {
        let words: Vec<&str> = Happening::ALL.iter().map(|one| one.word()).collect();
        assert_eq!(super::HAPPENINGS, words);
    }
}
