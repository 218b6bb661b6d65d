//! Changelogs and next versions beside what clog, conventional-changelog and conventional-recommended-bump really made of the
//! same history: `beside/record.sh` says which versions of them, and records it again. It was made of messages that are read in more
//! than one way. Every line that is not the same stands here with its reason, and every section without such a line is the same to
//! the byte.
//!
//! Tried by hand on 569 releases of clog, git-cliff, commitizen and commitlint the next versions were the same but for 19: fifteen releases
//! changed nothing but documentation and the like, and four say below a heading what they break. So were the entries of the
//! changelogs, but for the reasons here.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::ControlFlow;

use tollgate_core::changelog::{ChangelogRules, Links, Style};
use tollgate_core::version::{Bump, VersionFormat};
use tollgate_engine::looking::Asked;
use tollgate_engine::ports::Source as _;
use tollgate_engine::whole::Span;
use tollgate_testkit::git::Repo;

use crate::World;
use crate::history::{found, looking};

const PAGE: &str = "https://github.com/acme/app";

pub(crate) const MADE_HISTORY: &str = include_str!("beside/made.history");

/// A history, and what was recorded of it.
struct Recorded {
    history: &'static str,
    by_clog: &'static str,
    by_conventional: &'static str,
    by_recommended: &'static str,
}

const MADE: Recorded = Recorded {
    history: MADE_HISTORY,
    by_clog: include_str!("beside/made.by-clog"),
    by_conventional: include_str!("beside/made.by-conventional-changelog"),
    by_recommended: include_str!("beside/made.by-recommended-bump"),
};

/// Lines of one release that are not the same, and why: the commit as `C`, the page as `P`.
struct Difference {
    release: &'static str,
    theirs: &'static [&'static str],
    ours: &'static [&'static str],
    why: &'static str,
}

impl Recorded {
    fn repository<'w>(&self, world: &'w World) -> Repo<'w> {
        imported(world, self.history)
    }

    async fn check(&self, style: Style, theirs: &str, differences: &[Difference]) {
        let world = World::empty();
        let rules =
            ChangelogRules { links: Links::to_page(PAGE).unwrap(), ..ChangelogRules::of_style(style) };
        let ours = whole(&world, &self.repository(&world), &rules).await;
        let (theirs, ours) = (sections(theirs), sections(&ours));
        let mut found = BTreeMap::new();
        for (release, theirs) in &theirs {
            let ours = ours.get(release).map(String::as_str).unwrap_or_default();
            if ours != theirs {
                found.insert(*release, (others(theirs, ours), others(ours, theirs)));
            }
        }
        let mut told: BTreeMap<&str, (Vec<String>, Vec<String>)> = BTreeMap::new();
        for Difference { release, theirs, ours, why } in differences {
            assert!(!why.is_empty(), "{release}");
            let told = told.entry(release).or_default();
            told.0.extend(theirs.iter().map(|line| (*line).to_owned()));
            told.1.extend(ours.iter().map(|line| (*line).to_owned()));
        }
        assert!(found == told, "{}\ntold:\n{}", shown(&found), shown(&told));
        assert!(theirs.len() > found.len(), "most are the same");
    }

    /// Holds the growth of every version against what was recommended; `differences` say the release, ours, and why.
    async fn check_bumps(&self, differences: &[(&str, Option<Bump>, &str)]) {
        let world = World::empty();
        let repo = self.repository(&world);
        let found = found(&world, &repo).await;
        let tags = world.git.tags(&found.repository).await.unwrap();
        let (engine, mut before, mut differing) = (looking(&world.home), Vec::new(), Vec::new());
        for line in self.by_recommended.lines() {
            let (name, theirs) = line.split_once(' ').unwrap();
            let tag = tags.iter().find(|tag| tag.name == name).unwrap();
            let asked = Asked { tags: Some(before.clone()), ..asked() };
            let ours = engine.versions(&found.repository, &tag.commit, &asked).await.unwrap().advice.bump;
            if ours.map(|bump| bump.to_string()).as_deref() != Some(theirs) {
                differing.push((name, ours));
            }
            before.push(tag.clone());
        }
        let told: Vec<_> = differences.iter().map(|(name, ours, _)| (*name, *ours)).collect();
        assert_eq!(differing, told);
    }
}

/// A repository with a history.
pub(crate) fn imported<'w>(world: &'w World, history: &str) -> Repo<'w> {
    let repo = world.home.init_bare(world.path("imported"));
    repo.feed(&["fast-import", "--quiet"], history.as_bytes());
    repo
}

pub(crate) fn asked() -> Asked {
    Asked::by(VersionFormat::new("vX.Y.Z").unwrap())
}

pub(crate) async fn whole(world: &World, repo: &Repo<'_>, rules: &ChangelogRules) -> String {
    let found = found(world, repo).await;
    let mut text = String::new();
    let mut sink = |piece: &str| {
        text.push_str(piece);
        ControlFlow::Continue(())
    };
    let to = found.head.unwrap();
    let span = Span { to: &to, from: None };
    let engine = looking(&world.home);
    engine.whole_changelog(&found.repository, span, &asked(), rules, None, &mut sink).await.unwrap();
    text
}

/// The text of each release below its heading.
fn sections(text: &str) -> BTreeMap<&str, String> {
    let mut sections: BTreeMap<&str, String> = BTreeMap::new();
    let mut release = None;
    for line in text.lines() {
        let anchor = line.strip_prefix("<a name=\"").and_then(|rest| rest.split('"').next());
        let heading = line.strip_prefix("## ").map(|rest| rest.trim_start_matches('['));
        let heading = heading.and_then(|rest| rest.split([']', ' ']).next());
        if let Some(name) = anchor.or(heading) {
            release = Some(name);
        } else if let Some(release) = release
            && !line.starts_with(&format!("### {release}"))
        {
            let section = sections.entry(release).or_default();
            section.push_str(line);
            section.push('\n');
        }
    }
    sections.values_mut().for_each(|section| *section = section.trim().to_owned());
    sections
}

/// The lines of one text that are not in the other, with short links.
fn others(text: &str, other: &str) -> Vec<String> {
    let lines = text.lines().filter(|line| !line.is_empty() && other.lines().all(|other| other != *line));
    lines.map(short).collect()
}

fn short(line: &str) -> String {
    let line = line.replace(PAGE, "P");
    match line.split_once("](P/commit/") {
        Some((before, after)) => {
            let (before, _) = before.rsplit_once('[').unwrap();
            format!("{before}C{}", &after[41..])
        }
        None => line,
    }
}

fn shown(differences: &BTreeMap<&str, (Vec<String>, Vec<String>)>) -> String {
    differences.iter().fold(String::new(), |mut out, (release, (theirs, ours))| {
        let _ = writeln!(out, "{release}:\n  theirs {theirs:#?}\n  ours {ours:#?}");
        out
    })
}

#[tokio::test]
async fn made_by_clog() {
    let differences = [
        Difference {
            release: "1.0.1",
            theirs: &["*   mend (C, closes [#8](P/issues/8))"],
            ours: &["*   mend (C, closes [#7](P/issues/7), [#8](P/issues/8))"],
            why: "all that is closed, not only the last on the line",
        },
        Difference {
            release: "1.0.1",
            theirs: &["* ***:**  mend everything (C)"],
            ours: &[r"* **\*:**  mend everything (C)"],
            why: "three stars are something else in Markdown",
        },
        Difference {
            release: "2.0.0",
            theirs: &[
                "* **rules:**  take over the usual rules (C, breaks [#](P/issues/))",
                "* **rules:**  take over the usual rules (C, breaks [#](P/issues/))",
            ],
            ours: &["* **rules:**  remove the old rule (C)", "* **rules:**  take over the usual rules (C)"],
            why: "what breaks is told, and nothing links to no ticket",
        },
        Difference {
            release: "3.0.0",
            theirs: &[],
            ours: &["#### Breaking Changes", "* **cli:**  users have to set their own rules by hand (C)"],
            why: "a breaking change must not get lost, whatever type it has",
        },
        Difference {
            release: "4.0.0",
            theirs: &[
                "* **config:**  drop the old file (C, breaks [#](P/issues/))",
                "* **config:**  drop the old file (C, breaks [#](P/issues/))",
            ],
            ours: &["* **config:**  drop the old file (C)", "* **config:**  drop the old file (C)"],
            why: "nothing links to no ticket",
        },
        Difference {
            release: "5.0.0",
            theirs: &[],
            ours: &["#### Breaking Changes", "* **cli:**  the option will no longer work (C)"],
            why: "a breaking change must not get lost, whatever type it has",
        },
        Difference {
            release: "5.1.0",
            theirs: &["* **ui:**  add colours (#12) (C)"],
            ours: &[
                "* **ui:**  add colours ([#12](P/pull/12)) (C)",
                "#### Reverts",
                "*   fix(--from): mend an option (C)",
            ],
            why: "the pull request is a link, and what was taken back is told",
        },
        Difference {
            release: "5.2.0",
            theirs: &[
                "#### Breaking Changes",
                "*   mend more (C, breaks [#](P/issues/))",
                "*   mend more (C, breaks [#](P/issues/))",
                "*  mend without a space (C)",
                "*   mend [some] of _this (C)",
                "*   show <b>it</b> (C)",
                "*   ask @team (C)",
                "*   faster reads, see #4 (C)",
            ],
            ours: &[
                "#### Features",
                "*   a long word (C)",
                "*   mend more (C)",
                "*   mend without a space (C)",
                r"*   mend \[some\] of \_this (C)",
                r"*   show \<b>it\</b> (C)",
                "*   ask `@team` (C)",
                "*   faster reads, see [#4](P/issues/4) (C)",
            ],
            why: "the word `breaking` in a sentence breaks nothing; a commit brings neither links nor HTML; `feature` is `feat`",
        },
        Difference {
            release: "6.0.0",
            theirs: &[],
            ours: &[
                "#### Breaking Changes",
                "* **api:**  drop the old call (C)",
                "* **ci:**  ask for a new runner (C)",
                "#### Features",
                "* **api:**  drop the old call (C)",
            ],
            why: "it does not know the `!`",
        },
    ];
    MADE.check(Style::Clog, MADE.by_clog, &differences).await;
}

#[tokio::test]
async fn made_by_conventional_changelog() {
    let differences = [
        Difference {
            release: "1.0.1",
            theirs: &[
                "* **#12:** mend the third (C), closes [#12](P/issues/12)",
                "* mend   (C), closes [#7](P/issues/7) [#8](P/issues/8) [#9](P/issues/9)",
            ],
            ours: &["* **#12:** mend the third (C)", "* mend (C), closes [#7](P/issues/7) [#8](P/issues/8)"],
            why: "what is only referred to is not closed, and spaces at the end say nothing",
        },
        Difference {
            release: "2.0.0",
            theirs: &["*  fix: add a rule", "*  feat: warn of a third"],
            ours: &[],
            why: "the next point of a list is not part of what breaks",
        },
        Difference {
            release: "3.0.0",
            theirs: &[],
            ours: &["### ⚠ BREAKING CHANGES", "* **cli:** users have to set their own rules by hand"],
            why: "a heading that says so says so: three major versions of commitlint have nothing else",
        },
        Difference {
            release: "4.0.0",
            theirs: &["* **config:** ", "* **config:** drop the old file (C), closes [#82](P/issues/82)"],
            ours: &["* **config:** drop the old file", "* **config:** drop the old file (C)"],
            why: "where nothing says what breaks, it is what the change does; a ticket alone is not closed",
        },
        Difference {
            release: "5.0.0",
            theirs: &["### Code Refactoring", "* **cli:** drop an option (C), closes [#47](P/issues/47)"],
            ours: &[],
            why: "a type without a title has none; what it breaks is told once",
        },
        Difference {
            release: "5.1.0",
            theirs: &["* **ui:** add colours ([#12](P/issues/12)) (C)"],
            ours: &[
                "* **ui:** add colours ([#12](P/pull/12)) (C)",
                "### Reverts",
                "* fix(--from): mend an option (C)",
            ],
            why: "the pull request is one, and what was taken back is told even where the commit is not named",
        },
        Difference {
            release: "5.2.0",
            theirs: &[
                "* ask [@team](https://github.com/team) (C)",
                "* mend [some] of _this (C)",
                "* show <b>it</b> (C)",
            ],
            ours: &[
                "* ask `@team` (C)",
                r"* mend \[some\] of \_this (C)",
                "* mend without a space (C)",
                r"* show \<b>it\</b> (C)",
            ],
            why: "a commit brings neither mentions nor links nor HTML; a forgotten space does not hide a fix",
        },
        Difference {
            release: "6.0.0",
            theirs: &["### Miscellaneous Chores", "* **ci:** ask for a new runner (C)"],
            ours: &[],
            why: "a type without a title has none; what it breaks is told once",
        },
        Difference {
            release: "6.1.0",
            theirs: &[],
            ours: &["### Features", "* before a candidate (C)"],
            why: "what was in a pre-release is new in the release",
        },
        Difference {
            release: "6.1.0-rc.1",
            theirs: &["### Features", "* before a candidate (C)"],
            ours: &[],
            why: "what was in a pre-release is new in the release",
        },
    ];
    MADE.check(Style::ConventionalChangelog, MADE.by_conventional, &differences).await;
}

#[tokio::test]
async fn versions_by_conventional_recommended_bump() {
    // It always proposes a release.
    let nothing = "chores, style, documentation and merges of them ask for none";
    let differences = [
        ("v3.0.0", Some(Bump::Major), "a heading that says that it breaks something says so"),
        ("v5.0.1", None, nothing),
        ("v5.0.2", None, nothing),
        ("v5.2.0", Some(Bump::Minor), "a type is the same in capitals"),
    ];
    MADE.check_bumps(&differences).await;
}
