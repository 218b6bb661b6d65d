//! The changelog: its form, and what stands in it.

use super::{Mapping, Shape, choice, key, mapping};

/// Types of commits.
const COMMIT_TYPE: &str = "^[A-Za-z][A-Za-z0-9_-]{0,29}$";
/// Keys of a tracker's projects, and `bug`.
const TICKET_KEY: &str = "^(bug|[A-Z][A-Z0-9_]{0,29})$";

/// One or more texts.
const LINES: &Shape = &Shape::List(&Shape::Line, 1);

pub(super) static CHANGELOG: Mapping = mapping(
    "changelog-file",
    "`changelog`",
    "How the changelog is written.",
    &[
        key("file", Shape::Line, "Its path in the repository.").required(),
        key(
            "whole",
            Shape::Bool,
            "Whether the whole file is made anew at each release; `false` if not given: the section is put at its head.",
        ),
        key(
            "style",
            Shape::Either(
                &Shape::OneOf(&["clog", "keep-a-changelog", "conventional-changelog"]),
                map!(CHANGELOG_TEMPLATE),
            ),
            "Its form; `clog` if not given.",
        ),
        key(
            "sections",
            Shape::Named(COMMIT_TYPE, &Shape::Line, 1),
            "The title for each type of commit, in the order in which they appear; others are left out.",
        ),
        key("breaking", Shape::Line, "The title of the list of breaking changes."),
        key(
            "rest",
            Shape::Line,
            "The title for all that has none in `sections`, which is left out without it.",
        ),
        key(
            "rules",
            Shape::List(map!(CHANGELOG_RULE), 1),
            "What is asked before `sections`: the first that fits a commit says where it goes.",
        ),
        key(
            "links",
            Shape::Either(&Shape::Address, map!(CHANGELOG_LINKS)),
            "The web address of the repository, for links to commits and tickets.",
        ),
        key(
            "tickets",
            Shape::Named(TICKET_KEY, &Shape::Line, 1),
            "The address of a ticket by the key of its project, with `{key}` or `{id}` in it; `bug` for `bug 12`.",
        ),
        key(
            "authors",
            Shape::Either(&Shape::True, map!(CHANGELOG_AUTHORS)),
            "Names those who made a change.",
        ),
    ],
);

static CHANGELOG_TEMPLATE: Mapping = mapping(
    "changelog-template",
    "`style`",
    "A form of the team's own.",
    &[key(
        "template",
        Shape::Line,
        "The file with the template; a relative path starts at the folder of this file.",
    )
    .required()],
);

static CHANGELOG_RULE: Mapping = mapping(
    "changelog-rule",
    "a rule of the changelog",
    "Where the commits go that fit all of it.",
    &[
        key("type", Shape::Either(&Shape::Line, LINES), "Its type, or one of several."),
        key("scope", Shape::Either(&Shape::Line, LINES), "Its scope, or one of several; `*` is any text."),
        key("subject", Shape::Line, "The first line of the message; `*` is any text."),
        key("author", Shape::Line, "The name or the mail address of the author; `*` is any text."),
        key("skip", Shape::True, "They are left out."),
        key("section", Shape::Line, "The title that they stand under."),
    ],
)
.one_of(&[choice("where the commits go", &["skip", "section"])]);

static CHANGELOG_LINKS: Mapping = mapping(
    "changelog-links",
    "`links`",
    "The web address of the repository, where its host's name does not tell what kind of forge it is.",
    &[
        key("github", Shape::Address, "The repository's page at GitHub, or a forge with its paths."),
        key("gitlab", Shape::Address, "The repository's page at a GitLab."),
        key("bitbucket", Shape::Address, "The repository's page at Bitbucket."),
        key("gitea", Shape::Address, "The repository's page at a Gitea or Forgejo."),
    ],
)
.one_of(&[choice("which kind of forge it is", &["github", "gitlab", "bitbucket", "gitea"])]);

static CHANGELOG_AUTHORS: Mapping = mapping(
    "changelog-authors",
    "`authors`",
    "How those who made a change are named.",
    &[
        key("mail", Shape::True, "With their mail addresses."),
        key("newcomers", Shape::Line, "The title of a list of those of whom there was no commit before."),
    ],
);
