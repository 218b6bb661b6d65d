//! Where we differ from the programs whose forms these are, on purpose.
//!
//! Each program was run on a history with these messages, the repository's page being that of `PAGE`. What it made of a
//! message is told here in one line, with `P` for the page; nothing where it leaves the message out.

use super::*;

const PAGE: &str = "https://github.com/acme/app";

/// What one program makes of a message, what we make of it, and why that is not the same.
struct Difference {
    message: &'static str,
    theirs: &'static str,
    /// Every line of the section that is neither blank nor its heading.
    ours: &'static [&'static str],
    why: &'static str,
}

fn check_differences(style: Style, differences: &[Difference]) {
    let links = Links::to_page(PAGE).unwrap();
    let rules = ChangelogRules { links, ..ChangelogRules::of_style(style) };
    for Difference { message, theirs, ours, why } in differences {
        let text = rendered(&rules, "1.2.0", &[("1", message)]).text;
        let commit = format!("{:0<40}", "1");
        let text = text
            .replace(PAGE, "P")
            .replace(&commit, "C")
            .replace("[10000000]", "[1]")
            .replace("[1000000]", "[1]");
        let lines: Vec<&str> =
            text.lines().filter(|line| !line.is_empty() && !line.contains("1.2.0")).collect();
        assert_eq!(lines, *ours, "{message:?}, where they have {theirs:?}: {why}");
        assert!(!lines.contains(theirs), "{message:?} is the same: {why}");
    }
}

/// conventional-changelog 7 with the preset conventionalcommits 9.
#[test]
fn conventional_changelog_differs() {
    check_differences(
        Style::ConventionalChangelog,
        &[
            Difference {
                message: "fix: mend\n\nCloses #7, #8\nRefs #9",
                theirs: "* mend ([1](P/commit/C)), closes [#7](P/issues/7) [#8](P/issues/8) [#9](P/issues/9)",
                ours: &[
                    "### Bug Fixes",
                    "* mend ([1](P/commit/C)), closes [#7](P/issues/7) [#8](P/issues/8)",
                ],
                why: "what is only referred to is not closed",
            },
            Difference {
                message: "feat: add (#12)",
                theirs: "* add ([#12](P/issues/12)) ([1](P/commit/C))",
                ours: &["### Features", "* add ([#12](P/pull/12)) ([1](P/commit/C))"],
                why: "at the end of a squashed subject stands the pull request",
            },
            Difference {
                message: "fix: ask @team",
                theirs: "* ask [@team](https://github.com/team) ([1](P/commit/C))",
                ours: &["### Bug Fixes", "* ask `@team` ([1](P/commit/C))"],
                why: "a commit mentions nobody and links to nobody",
            },
            Difference {
                message: "fix: show <b>it</b>",
                theirs: "* show <b>it</b> ([1](P/commit/C))",
                ours: &["### Bug Fixes", "* show \\<b>it\\</b> ([1](P/commit/C))"],
                why: "a commit brings no HTML",
            },
            Difference {
                message: "Revert \"feat: add\"",
                theirs: "* Revert \"feat: add\" ([1](P/commit/C))",
                ours: &["### Reverts", "* feat: add ([1](P/commit/C))"],
                why: "the title says already that it is a revert",
            },
            Difference {
                message: "fix:mend",
                theirs: "",
                ours: &["### Bug Fixes", "* mend ([1](P/commit/C))"],
                why: "a forgotten space does not hide a fix",
            },
            Difference {
                message: "feat: themes\n\nBREAKING CHANGE: they have to be\nwritten anew",
                theirs: "* they have to be",
                ours: &[
                    "### ⚠ BREAKING CHANGES",
                    "* they have to be written anew",
                    "### Features",
                    "* themes ([1](P/commit/C))",
                ],
                why: "a line of its own could be anything, so it is all one line",
            },
            Difference {
                message: "chore(ci)!: needs a new runner",
                theirs: "### Miscellaneous Chores",
                ours: &["### ⚠ BREAKING CHANGES", "* **ci:** needs a new runner"],
                why: "a type without a title has none; what it breaks is told once",
            },
        ],
    );
    // They sort by the rules of a language: é before z.
    let rules = ChangelogRules::of_style(Style::ConventionalChangelog);
    let text = rendered(
        &rules,
        "1.2.0",
        &[("1", "fix: école"), ("2", "fix: zebra"), ("3", "fix(db): x"), ("4", "fix: Car")],
    );
    let order: Vec<&str> =
        text.text.lines().filter_map(|line| line.strip_prefix("* ")?.split(" (").next()).collect();
    assert_eq!(order, ["Car", "**db:** x", "zebra", "école"], "the same on every machine");
}

/// clog 0.10.
#[test]
fn clog_differs() {
    check_differences(
        Style::Clog,
        &[
            Difference {
                message: "feat!: drop the call",
                theirs: "",
                ours: &[
                    "#### Breaking Changes",
                    "*   drop the call ([1](P/commit/C))",
                    "#### Features",
                    "*   drop the call ([1](P/commit/C))",
                ],
                why: "it does not know the `!`, and a breaking change must not get lost",
            },
            Difference {
                message: "feat: themes\n\nBREAKING CHANGE: written anew",
                theirs: "",
                ours: &[
                    "#### Breaking Changes",
                    "*   written anew ([1](P/commit/C))",
                    "#### Features",
                    "*   themes ([1](P/commit/C))",
                ],
                why: "what breaks is told; it only knows `breaks #12`",
            },
            Difference {
                message: "feature: long",
                theirs: "",
                ours: &["#### Features", "*   long ([1](P/commit/C))"],
                why: "the long spelling is the same type",
            },
            Difference {
                message: "revert: add",
                theirs: "",
                ours: &["#### Reverts", "*   add ([1](P/commit/C))"],
                why: "what was taken back is told",
            },
            Difference {
                message: "fix: mend\n\nCloses #7, #8",
                theirs: "*   mend ([1](P/commit/C), closes [#8](P/issues/8))",
                ours: &[
                    "#### Bug Fixes",
                    "*   mend ([1](P/commit/C), closes [#7](P/issues/7), [#8](P/issues/8))",
                ],
                why: "all that is closed, not only the last on the line",
            },
            Difference {
                message: "fix:mend",
                theirs: "*  mend ([1](P/commit/C))",
                ours: &["#### Bug Fixes", "*   mend ([1](P/commit/C))"],
                why: "a forgotten space does not move the text",
            },
            Difference {
                message: "fix: show <b>it</b> @team",
                theirs: "*   show <b>it</b> @team ([1](P/commit/C))",
                ours: &["#### Bug Fixes", "*   show \\<b>it\\</b> `@team` ([1](P/commit/C))"],
                why: "a commit brings no HTML and mentions nobody",
            },
        ],
    );
    // It has come to put two spaces before the date; the files that are there have one.
    let text = rendered(&ChangelogRules::default(), "1.2.0", &[]).text;
    assert_eq!(text, "<a name=\"1.2.0\"></a>\n## 1.2.0 (2020-02-07)\n");
}

/// git-cliff 2.14 with its built-in `keepachangelog`.
#[test]
fn git_cliff_differs() {
    check_differences(
        Style::KeepAChangelog,
        &[
            Difference {
                message: "feat: begin",
                theirs: "### Changed",
                ours: &["### Added", "- begin ([1](P/commit/C))"],
                why: "it goes by the first word of the text; the type says what it is",
            },
            Difference {
                message: "perf: faster reads",
                theirs: "- Faster reads",
                ours: &["### Changed", "- faster reads ([1](P/commit/C))"],
                why: "the text is the author's; names can begin with a small letter",
            },
            Difference {
                message: "fix(api)!: drop the old call",
                theirs: "- Drop the old call",
                ours: &["### Fixed", "- **Breaking:** **api:** drop the old call ([1](P/commit/C))"],
                why: "that it breaks something is what matters most",
            },
            Difference {
                message: "chore(deps): bump left-pad from 1 to 2",
                theirs: "- Bump left-pad from 1 to 2",
                ours: &[],
                why: "what nobody who uses it notices is left out, unless `rest` or a rule says so",
            },
            Difference {
                message: "fixup! feat(db): add a table",
                theirs: "- Fixup! feat(db): add a table",
                ours: &[],
                why: "it is a part of another commit and no change of its own",
            },
            Difference {
                message: "Merge pull request #16 from acme/side",
                theirs: "- Merge pull request #16 from acme/side",
                ours: &[],
                why: "its commits are listed themselves",
            },
            Difference {
                message: "Revert \"feat(db): add a table\"",
                theirs: "### Added",
                ours: &["### Changed", "- feat(db): add a table ([1](P/commit/C))"],
                why: "what was taken back was not added",
            },
        ],
    );
}

/// commitizen 4.
#[test]
fn commitizen_differs() {
    check_differences(
        Style::KeepAChangelog,
        &[
            Difference {
                message: "chore!: needs a new runner",
                theirs: "",
                ours: &["### Changed", "- **Breaking:** needs a new runner ([1](P/commit/C))"],
                why: "the `!` alone says that it breaks something",
            },
            Difference {
                message: "feat(ui): colours\n\nBREAKING CHANGE: themes have to be\nwritten anew\nCloses #31",
                theirs: "Closes #31",
                ours: &[
                    "### Added",
                    "- **Breaking:** **ui:** colours ([1](P/commit/C), closes [#31](P/issues/31))",
                    "  themes have to be written anew",
                ],
                why: "the next footer is not part of what breaks",
            },
            Difference {
                message: "Feat(DB): capitals",
                theirs: "",
                ours: &["### Added", "- **DB:** capitals ([1](P/commit/C))"],
                why: "a type is the same in capitals",
            },
        ],
    );
}
