//! The top of the file: the service, its source and version, people, questions, policy, procedures.

use super::changelog::CHANGELOG;
use super::environments::ENVIRONMENT;
use super::facts::FACT;
use super::labels::LABELS;
use super::notify::NOTIFY;
use super::risk::RISK;
use super::steps::{A_STEP, GATE};
use super::trains::{START, TRAIN};
use super::{
    BUMPS, COMMIT_TYPE, Key, MANY, Mapping, NAME, PERSON, Shape, WEIGHTS, WORD, choice, elsewhere, key,
    later, mapping,
};

/// The whole file.
pub(crate) static FILE: Mapping = mapping(
    "procedure-file",
    "the file",
    "How a team releases a service: what must hold, and what is done.",
    FILE_KEYS,
)
.refused(&[
    later(&["schema"], "describe the schema change in a `manual` step, or ask about it with a question"),
    later(&["tickets"], "use a `manual` step that says which ticket to file"),
    later(&["together"], "start each release by hand"),
    later(&["use"], "write the keys out in this file"),
    elsewhere(&["freezes", "freeze"], "a freeze is made when it is needed, with `tollgate freeze`"),
]);

const FILE_KEYS: &[Key] = &[
    key("tollgate", Shape::Integer(1, 1), "The version of this language.").required(),
    key("service", Shape::Name(NAME), "What is released.").required(),
    key("repository", Shape::Map(&REPOSITORY), "Where the source is.").required(),
    key("version", Shape::Map(&VERSION), "How versions look and where they are written.").required(),
    key("commits", Shape::Map(&COMMITS), "What commits ask of the next version."),
    key("labels", Shape::Map(&LABELS), "What labels of pull requests ask of the next version."),
    key(
        "lines",
        Shape::Named(NAME, map!(LINE), 1),
        "Lines of older versions that are still maintained, by name.",
    ),
    key("changelog", Shape::Map(&CHANGELOG), "How the changelog is written."),
    key(
        "components",
        Shape::Named(NAME, map!(COMPONENT), 1),
        "The deployable parts; without it, one that is called like the service.",
    ),
    key("connections", Shape::Named(NAME, map!(CONNECTION), 0), "Outside systems, by name."),
    key("people", Shape::Named(PERSON, map!(PERSON_MAP), 0), "Everybody who can act, by name."),
    key("groups", Shape::Named(NAME, &GROUP, 0), "Groups of people, by name."),
    key(
        "roles",
        Shape::Named(NAME, map!(ROLE), 0),
        "Parts that one person plays in a release, by name; `by` takes them like groups.",
    ),
    key("questions", Shape::Named(WORD, map!(QUESTION), 0), "Questions asked once a release, by name."),
    key(
        "facts",
        Shape::Named(NAME, map!(FACT), 0),
        "Facts of the world that gates and steps rest on, by name.",
    ),
    key("gates", Shape::Named(NAME, map!(GATE), 0), "What must hold to enter any environment, by name."),
    key(
        "environments",
        Shape::Named(NAME, map!(ENVIRONMENT), 1),
        "Where a release runs, by name, in the order in which a release goes through them.",
    ),
    key("calendar", Shape::Map(&CALENDAR), "Weekends and holidays, which windows can ask."),
    key("notify", Shape::Named(NAME, map!(NOTIFY), 0), "Who is told what happens, by name."),
    key("trains", Shape::Named(NAME, map!(TRAIN), 0), "What starts a procedure by itself, by name."),
    key("risk", Shape::Map(&RISK), "How risky a release is, and why; gates can ask for more by it."),
    key("policy", Shape::Map(&POLICY), "Who may change these rules and who may waive one."),
    key("procedures", Shape::Named(NAME, map!(PROCEDURE), 1), "What is done, by name.").required(),
];

static GROUP: Shape = Shape::Either(&PEOPLE_LIST, map!(GROUP_FILE));
static PEOPLE_LIST: Shape = Shape::List(&Shape::Name(PERSON), 1);

/// A file that holds people and groups.
pub(crate) static PEOPLE_FILE: Mapping = mapping(
    "people-file",
    "a file of people",
    "People and groups that several procedure files share.",
    &[
        key("people", Shape::Named(PERSON, map!(PERSON_MAP), 0), "Everybody who can act, by name."),
        key("groups", Shape::Named(NAME, &PEOPLE_LIST, 0), "Groups of people, by name."),
    ],
);

static REPOSITORY: Mapping = mapping(
    "repository",
    "`repository`",
    "Where the source is.",
    &[
        key(
            "url",
            Shape::Line,
            "Where it is fetched from and pushed to; without it, the checkout's `origin`.",
        ),
        key("branch", Shape::Line, "The branch that releases are cut from.").required(),
    ],
);

static VERSION: Mapping = mapping(
    "version",
    "`version`",
    "How versions look and where they are written.",
    &[
        key("format", Shape::Line, "The form of a tag, such as `vX.Y.Z`.").required(),
        key(
            "files",
            Shape::List(&Shape::Either(&Shape::Line, map!(VERSION_FILE)), 0),
            "The files that hold the version.",
        ),
        key("initial", Shape::Version, "The version of the first release, where no tag is found."),
        key(
            "bump",
            Shape::OneOf(&["commits", "ask", "files", "labels"]),
            "Who says how much the version grows: `commits`, if not given, a person for every release (`ask`), change files (`files`), or labels of pull requests (`labels`).",
        ),
        key(
            "changes",
            Shape::Line,
            "The folder of the change files, with `bump: files`; `.changes` if not given.",
        ),
        key(
            "zone",
            Shape::Line,
            "The time zone of the day in a version or a heading, such as `Europe/Berlin` or `AoE`; `UTC` if not given.",
        ),
        key("counter", Shape::Map(&COUNTER), "How releases of the same day are counted."),
        key(
            "paths",
            Shape::List(&Shape::Line, 1),
            "Only commits that touch one of these paths count; a pattern such as `services/auth/**`, or `!` before what does not.",
        ),
    ],
);

static COUNTER: Mapping = mapping(
    "counter",
    "`counter`",
    "How releases of the same day are counted.",
    &[key("first", Shape::Integer(0, MANY), "The number of the first release that has one, 1 if not given; where numbers stand behind a date, what the first of them starts again with, 0 if not given.")
        .required()],
);

static COMMITS: Mapping = mapping(
    "commits",
    "`commits`",
    "What commits ask of the next version.",
    &[
        key(
            "types",
            Shape::Named(COMMIT_TYPE, const { &WEIGHT }, 1),
            "What each type asks for, beside or instead of `feat`, `fix`, `perf` and `revert`.",
        ),
        key("breaking", Shape::OneOf(BUMPS), "What a breaking change asks for; `major` if not given."),
        key("other", WEIGHT, "What a message outside of the convention asks for; `patch` if not given."),
        key(
            "squash",
            Shape::Bool,
            "Whether lines such as `* feat: …` in a message are changes of their own; `false` if not given.",
        ),
    ],
);

const WEIGHT: Shape = Shape::OneOf(WEIGHTS);

static LINE: Mapping = mapping(
    "line",
    "a line",
    "A line of older versions that is still maintained.",
    &[
        key("branch", Shape::Line, "The branch that its releases are cut from.").required(),
        key("within", Shape::Version, "What all its versions start with, such as `1` or `1.4`.").required(),
    ],
);

static VERSION_FILE: Mapping = mapping(
    "version-file",
    "a version file",
    "A file that holds the version.",
    &[
        key("path", Shape::Line, "Its path in the repository.").required(),
        key("pattern", Shape::Line, "The text around the version, with `{version}` in it."),
        key("count", Shape::Integer(1, MANY), "How often the pattern has to be found; 1 if not given.")
            .with(&["pattern"]),
        key(
            "key",
            Shape::Line,
            "Of a TOML, JSON or YAML file: the keys that lead to the version, with dots between them.",
        ),
    ],
);

static COMPONENT: Mapping = mapping(
    "component",
    "a component",
    "A deployable part of the service.",
    &[key("image", Shape::Line, "Its container image, without a tag.")],
)
.refused(&[later(&["repository", "package"], "every component comes from the one repository for now")]);

static CONNECTION: Mapping = mapping(
    "connection",
    "a connection",
    "An outside system.",
    &[key("maildir", Shape::Map(&MAILDIR), "Mail into a Maildir folder on this machine.")],
)
.one_of(&[choice("what it connects to", &["maildir"])])
.refused(&[later(
    &["github", "gitlab", "bugzilla", "jira", "smtp", "mail", "slack", "registry", "circleci", "forgejo"],
    "there is `maildir` for messages; use `manual` steps for the others",
)]);

static MAILDIR: Mapping = mapping(
    "maildir",
    "`maildir`",
    "Mail into a Maildir folder on this machine.",
    &[
        key("path", Shape::Line, "The folder; a relative path starts at the folder of this file.").required(),
        key("from", Shape::Line, "The address the mail is from.").required(),
    ],
);

static PERSON_MAP: Mapping = mapping(
    "person",
    "a person",
    "Somebody who can act.",
    &[
        key("name", Shape::Line, "The name for people to read."),
        key("mail", Shape::Line, "The mail address messages go to, also looked for in commits."),
        key("login", Shape::Either(&Shape::Line, &LINES), "Accounts of the operating system."),
        key("git", Shape::Either(&Shape::Line, &LINES), "Further mail addresses in commits."),
        key("forge", Shape::Either(&Shape::Line, &LINES), "Accounts where the code is kept."),
        key("tracker", Shape::Either(&Shape::Line, &LINES), "Accounts where tickets are kept."),
        key("chat", Shape::Either(&Shape::Line, &LINES), "Accounts where people talk."),
        key(
            "away",
            Shape::List(&Shape::Line, 1),
            "The days on which they are away: `2026-12-20..2027-01-04`, in UTC.",
        ),
        key("stand-in", Shape::Name(PERSON), "Who acts for them while they are away.").with(&["away"]),
    ],
);

static LINES: Shape = Shape::List(&Shape::Line, 1);

static ROLE: Mapping = mapping(
    "role",
    "a role",
    "A part that one person plays in a release, until somebody else does.",
    &[
        key("of", Shape::Who, "Who can: a group or a person.").required(),
        key(
            "filled-by",
            Shape::OneOf(&["starter", "ask"]),
            "Who does at first: who starts the release, or nobody until somebody is named; `starter` if not given.",
        ),
        key(
            "rotate",
            Shape::Line,
            "Whose turn it is: how long a turn is, and since when: `7d from 2026-01-05`.",
        ),
        key(
            "calendar",
            Shape::Name(NAME),
            "Whoever is on by this calendar, one of `calendar: events`: the title of its event names them.",
        ),
    ],
);

static GROUP_FILE: Mapping = mapping(
    "group-file",
    "a group",
    "A group whose people stand in another file.",
    &[key("file", Shape::Line, "The file, beside this one, with `people` and a group of the same name.")
        .required()],
);

static QUESTION: Mapping = mapping(
    "question",
    "a question",
    "A question that is asked once a release; the answer is evidence.",
    &[
        key("ask", Shape::Text, "The question itself.").required(),
        key("choice", Shape::List(&Shape::Line, 2), "The answers to choose from."),
        key("integer", Shape::Integer(i64::MIN, i64::MAX), "A whole number, not smaller than this."),
        key("yes-no", Shape::True, "Yes or no."),
        key("text", Shape::True, "Any text."),
        key("by", Shape::Who, "Who may answer; anybody who is known if not given."),
    ],
)
.one_of(&[choice("what can be answered", &["choice", "integer", "yes-no", "text"])]);

static POLICY: Mapping = mapping(
    "policy",
    "`policy`",
    "Who may change these rules and who may waive one.",
    &[
        key(
            "changes",
            Shape::Map(&CHANGES),
            "What it takes to adopt other rules; one known person if not given.",
        ),
        key("waivers", Shape::Map(&WAIVERS), "Who may waive a gate or a step; nobody if not given."),
        key(
            "thaw",
            Shape::Map(&CHANGES),
            "What it takes to lift a freeze before its end; one known person if not given.",
        ),
    ],
);

static CALENDAR: Mapping = mapping(
    "calendar",
    "`calendar`",
    "Weekends and holidays, which windows can ask.",
    &[
        key("weekend", Shape::Line, "The days off of every week, or `none`; `Sat,Sun` if not given."),
        key(
            "off",
            Shape::OneOf(&["any", "all"]),
            "With several lists, whether a day is off that is in any of them, or only in all; `any` if not given.",
        ),
        key(
            "holidays",
            Shape::Named(NAME, &HOLIDAYS, 0),
            "Lists of holidays, by name: days such as `25 Dec: Christmas Day`, or the whole days of an iCalendar file or address.",
        ),
        key(
            "events",
            Shape::Named(NAME, map!(CALENDAR_FEED), 0),
            "iCalendar files and addresses, by name: windows ask when something is in them with `events of NAME`.",
        ),
    ],
);

static HOLIDAYS: Shape = Shape::Either(&HOLIDAY_LIST, map!(CALENDAR_FEED));
/// Days such as `25 Dec: Christmas Day`.
static HOLIDAY_LIST: Shape = Shape::List(&Shape::Line, 1);

static CALENDAR_FEED: Mapping = mapping(
    "calendar-feed",
    "a calendar that is kept elsewhere",
    "A calendar (iCalendar) in a file or at an address.",
    &[
        key("file", Shape::Line, "The file, beside this one: it is a part of the rules as it is when they are adopted."),
        key("url", Shape::Address, "The address: it is asked when the rules are adopted, and again and again."),
        key("bearer", Shape::Line, "The name of the secret of a header `Authorization: Bearer …`.").with(&["url"]),
        key(
            "zone",
            Shape::Line,
            "The time zone of whole days, and of times that name none, where the calendar names none; `UTC` if not given.",
        ),
        key("every", Shape::Duration, "The pause between two looks; `1h` if not given.").with(&["url"]),
        key(
            "valid",
            Shape::Duration,
            "How long an answer counts when nothing can be read any more; `72h` if not given. After that, what rests on it is closed.",
        )
        .with(&["url"]),
    ],
)
.one_of(&[choice("where the calendar is", &["file", "url"])]);

static CHANGES: Mapping = mapping(
    "changes",
    "`changes`",
    "What it takes to adopt other rules.",
    &[
        key("by", Shape::Who, "Whose yes it takes.").required(),
        key("count", Shape::Integer(1, MANY), "How many of them; 1 if not given."),
    ],
);

static WAIVERS: Mapping = mapping(
    "waivers",
    "`waivers`",
    "Who may waive a gate or a step.",
    &[key("by", Shape::Who, "Who may.").required()],
);

static PROCEDURE: Mapping = mapping(
    "procedure",
    "a procedure",
    "What is done, in order.",
    &[
        key(
            "start",
            Shape::Map(&START),
            "Who may start it, and what starts it by itself; anybody who is known if not given.",
        ),
        key(
            "hotfix",
            Shape::Bool,
            "Whether it releases hotfixes, which a freeze can exempt; `false` if not given.",
        ),
        key(
            "target",
            Shape::Line,
            "When its releases are, such as `16 monthly 10:00 Europe/Berlin`: the day `T` that `at` and `due` are told from.",
        ),
        key("steps", Shape::List(&A_STEP, 1), "The steps, one after the other.").required(),
    ],
)
.refused(&[
    elsewhere(&["gates"], "gates stand on environments, or at the top of the file for all of them"),
    elsewhere(&["overlap"], "it stands under `start`, or on a train"),
    later(&["together", "borrow"], "start one run after the other"),
]);
