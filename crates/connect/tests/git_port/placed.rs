//! Under which release and title each commit stands, and what the next version is, beside what git-cliff and commitizen really made
//! of the same histories: `beside/record-placed.py` says which versions of them, and records it again. Every commit that stands
//! elsewhere, and every version that is another one, is told here with its reason.
//!
//! Tried by hand on the histories of clog, git-cliff, commitizen and commitlint 6,329 commits stood in the same place as with git-cliff, and 1,881 as
//! with commitizen; of 358 next versions 335 and 330 were the same. All others were of these reasons, and of those in `rivals.rs`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::civil::date;
use tollgate_core::changelog::{ChangelogRules, ChangelogTemplate, Style};
use tollgate_core::version::{Known, VersionFormat, Wish};
use tollgate_engine::looking::Asked;
use tollgate_engine::ports::Source as _;

use crate::World;
use crate::beside::{MADE_HISTORY, asked, imported, whole};
use crate::history::{found, looking};

/// Of each commit only its id and whether it breaks something.
const TEMPLATE: &str = "## {{ version }}\n{% for section in sections %}{% for change in section.changes %}\
    {{ section.title }} {{ change.commit }}{% if change.breaking %}!{% endif +%}\n{% endfor %}{% endfor %}";

/// What a program made of a history: where each commit stands (its release and title, `!` if it breaks something), and the version
/// that was proposed before each release.
#[derive(Default)]
struct Placed {
    commits: BTreeMap<String, String>,
    next: BTreeMap<String, String>,
}

/// Commits that stand elsewhere for one reason: the id, and where they and we have it; an empty text is nowhere.
struct Elsewhere {
    why: &'static str,
    commits: &'static [(&'static str, &'static str, &'static str)],
}

/// The titles of git-cliff's usual rules.
const GIT_CLIFF: &[(&str, &str)] = &[
    ("feat", "Features"),
    ("fix", "Bug Fixes"),
    ("perf", "Performance"),
    ("doc", "Documentation"),
    ("docs", "Documentation"),
    ("refactor", "Refactor"),
    ("style", "Styling"),
    ("test", "Testing"),
    ("chore", "Miscellaneous Tasks"),
    ("ci", "Miscellaneous Tasks"),
    ("revert", "Revert"),
];

/// The titles of commitizen's usual rules.
const COMMITIZEN: &[(&str, &str)] =
    &[("feat", "Feat"), ("fix", "Fix"), ("refactor", "Refactor"), ("perf", "Perf")];

impl Placed {
    fn recorded(text: &str) -> Self {
        let (mut placed, mut release) = (Placed::default(), "");
        for line in text.lines() {
            if let Some(next) = line.strip_prefix("next ") {
                placed.next.insert(release.to_owned(), next.to_owned());
            } else if let Some((title, commits)) = line.split_once(": ") {
                for commit in commits.split(' ') {
                    placed.put(commit, release, title);
                }
            } else {
                release = line;
            }
        }
        placed
    }

    fn put(&mut self, commit: &str, release: &str, title: &str) {
        let id = commit[..10].to_owned();
        let place = self.commits.entry(id).or_default();
        let and = if place.is_empty() { "" } else { " and " };
        let _ = write!(place, "{and}{release} {title}{}", if commit.ends_with('!') { "!" } else { "" });
    }

    async fn ours(history: &str, sections: &[(&str, &str)]) -> Self {
        let world = World::empty();
        let repo = imported(&world, history);
        let template = ChangelogTemplate { file: "changelog.j2".to_owned(), text: TEMPLATE.to_owned() };
        let owned = |(name, title): &(&str, &str)| ((*name).to_owned(), (*title).to_owned());
        let rules = ChangelogRules {
            sections: sections.iter().map(owned).collect(),
            ..ChangelogRules::of_style(Style::Template(template))
        };
        let (mut placed, mut release) = (Placed::default(), String::new());
        for line in whole(&world, &repo, &rules).await.lines().filter(|line| !line.is_empty()) {
            match line.strip_prefix("## ") {
                Some("Unreleased") => "unreleased".clone_into(&mut release),
                Some(version) => release = format!("v{version}"),
                None => {
                    let (title, commit) = line.rsplit_once(' ').unwrap();
                    placed.put(commit, &release, title);
                }
            }
        }
        let found = found(&world, &repo).await;
        let format = VersionFormat::new("vX.Y.Z").unwrap();
        let mut tags = world.git.tags(&found.repository).await.unwrap();
        tags.retain(|tag| format.parse_tag(&tag.name).is_some());
        tags.sort_by_key(|tag| format.parse_tag(&tag.name));
        let engine = looking(&world.home);
        for at in 1..tags.len() {
            let asked = Asked { tags: Some(tags[..at].to_vec()), ..asked() };
            let survey = engine.versions(&found.repository, &tags[at].commit, &asked).await.unwrap();
            let known = Known { last: survey.last.as_ref(), ..Known::default() };
            let next = survey.advice.bump.map_or("none".to_owned(), |bump| {
                let wish = Wish { bump, pre: None, today: date(2026, 1, 1), first: 1, restart: 0 };
                format.tag_name(&format.next(&known, &wish).unwrap()).unwrap()
            });
            placed.next.insert(tags[at].name.clone(), next);
        }
        placed
    }
}

/// Holds ours against theirs. `versions` has the release, theirs, ours, and why.
async fn check(
    history: &str,
    theirs: &str,
    sections: &[(&str, &str)],
    elsewhere: &[Elsewhere],
    versions: &[(&str, &str, &str, &str)],
) {
    let (theirs, ours) = (Placed::recorded(theirs), Placed::ours(history, sections).await);
    let mut told: Vec<(&str, &str, &str)> = Vec::new();
    for Elsewhere { why, commits } in elsewhere {
        assert!(!why.is_empty() && !commits.is_empty());
        told.extend(*commits);
    }
    told.sort_unstable();
    let found = differing(&theirs.commits, &ours.commits);
    assert!(found == told, "found {found:#?}\ntold {told:#?}");
    assert!(ours.commits.len() > found.len(), "some stand in the same place");
    let told: Vec<_> = versions.iter().map(|(release, theirs, ours, _)| (*release, *theirs, *ours)).collect();
    let found = differing(&theirs.next, &ours.next);
    assert!(found == told, "found {found:#?}\ntold {told:#?}");
    assert!(versions.iter().all(|(.., why)| !why.is_empty()));
}

/// What is not the same, by key.
fn differing<'a>(
    theirs: &'a BTreeMap<String, String>,
    ours: &'a BTreeMap<String, String>,
) -> Vec<(&'a str, &'a str, &'a str)> {
    let mut keys: Vec<&String> = theirs.keys().chain(ours.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    let text = |of: &'a BTreeMap<String, String>, key| of.get(key).map_or("", String::as_str);
    let both = keys.into_iter().map(|key| (key.as_str(), text(theirs, key), text(ours, key)));
    both.filter(|(_, theirs, ours)| theirs != ours).collect()
}

const GROWN_HISTORY: &str = include_str!("beside/grown.history");

/// Why a commit stands elsewhere, or nowhere.
mod why {
    pub(super) const OWN_TYPE: &str =
        "a type that is not usual has the title that `sections` gives it, or none";
    pub(super) const PREFIX: &str =
        "git-cliff asks for the first letters: `tests` is no `test` here, and has its own line in `sections`";
    pub(super) const LEFT_OUT: &str = "git-cliff's usual rules leave updates of libraries and releases themselves out; here `rules` says so";
    pub(super) const BROKEN: &str = "what a list, a heading or a footer of the message breaks is broken";
    pub(super) const SPELLING: &str =
        "capitals, a forgotten space, `feature` and `bugfix` do not hide a change";
    pub(super) const BY_GIT: &str = "what `git revert` takes back is told";
    pub(super) const TAKEN_BACK: &str =
        "what was taken back before the release is not in it, and neither is its return";
    pub(super) const BODY: &str = "a word in the text says nothing about the type";
    pub(super) const BLOCKS: &str = "paragraphs are no changes of their own";
    // Of versions.
    pub(super) const NOTHING: &str = "documentation, tidying and the like ask for no release";
    pub(super) const BEFORE_1: &str = "before 1.0.0 a breaking change is a minor one";
    pub(super) const REFACTOR: &str =
        "what changes nothing for anybody asks for no release, if `bump` does not say so";
    pub(super) const UNTYPED: &str = "a message without a type, or of a type of one's own, may be a fix";
    pub(super) const NO_TYPE: &str = "`feat(a)(b)` and `features` are no `feat`";
}

#[tokio::test]
async fn made_by_git_cliff() {
    let elsewhere = [
        Elsewhere { why: why::BY_GIT, commits: &[("1f2d54636c", "", "v5.1.0 Revert")] },
        Elsewhere {
            why: why::BROKEN,
            commits: &[
                ("5907d5f26c", "v3.0.0 Refactor", "v3.0.0 Refactor!"),
                ("f39e7d6bc2", "v2.0.0 Features", "v2.0.0 Features!"),
            ],
        },
        Elsewhere { why: why::OWN_TYPE, commits: &[("ce9e03d2c3", "v5.0.2 Other", "")] },
        Elsewhere { why: why::SPELLING, commits: &[("d2187b2beb", "v5.2.0 Other", "v5.2.0 Features")] },
    ];
    let versions = [
        ("v2.0.0", "v1.1.0", "v2.0.0", why::BROKEN),
        ("v3.0.0", "v2.0.1", "v3.0.0", why::BROKEN),
        ("v5.0.1", "v5.0.1", "none", why::NOTHING),
        ("v5.0.2", "v5.0.2", "none", why::NOTHING),
        ("v5.2.0", "v5.1.1", "v5.2.0", why::SPELLING),
    ];
    check(MADE_HISTORY, include_str!("beside/made.by-git-cliff"), GIT_CLIFF, &elsewhere, &versions).await;
}

#[tokio::test]
async fn made_by_commitizen() {
    let elsewhere = [
        Elsewhere {
            why: why::SPELLING,
            commits: &[("514da0abc4", "", "v5.2.0 Fix"), ("d2187b2beb", "", "v5.2.0 Feat")],
        },
        Elsewhere {
            why: why::BROKEN,
            commits: &[
                ("5907d5f26c", "v3.0.0 Refactor", "v3.0.0 Refactor!"),
                ("86a8cfbe4e", "v4.0.0 Feat", "v4.0.0 Feat!"),
                ("c635bc6687", "v5.0.0 BREAKING CHANGE and v5.0.0 Refactor", "v5.0.0 Refactor!"),
                ("f39e7d6bc2", "v2.0.0 Feat", "v2.0.0 Feat!"),
            ],
        },
    ];
    let versions = [
        ("v2.0.0", "v1.1.0", "v2.0.0", why::BROKEN),
        ("v3.0.0", "v2.0.1", "v3.0.0", why::BROKEN),
        ("v5.2.0", "v5.1.1", "v5.2.0", why::SPELLING),
    ];
    check(MADE_HISTORY, include_str!("beside/made.by-commitizen"), COMMITIZEN, &elsewhere, &versions).await;
}

#[tokio::test]
async fn grown_by_git_cliff() {
    let elsewhere = [
        Elsewhere { why: why::BY_GIT, commits: &[("0b8b20747d", "", "v0.3.3 Revert")] },
        Elsewhere {
            why: why::OWN_TYPE,
            commits: &[
                ("1af85ea985", "v3.0.1 Other", ""),
                ("1bedf92f9a", "v3.1.1 Other", ""),
                ("267f73452c", "v3.1.2 Other", ""),
                ("a18402c1fb", "v3.1.2 Other", ""),
                ("de631076f9", "v1.0.0 Other!", ""),
                ("ec0e942b70", "v3.1.2 Other", ""),
            ],
        },
        Elsewhere {
            why: why::PREFIX,
            commits: &[
                ("238d99561f", "v2.0.1 Testing", ""),
                ("6721e092da", "v3.1.2 Bug Fixes", ""),
                ("86d2215b27", "v3.1.2 Features", ""),
            ],
        },
        Elsewhere {
            why: why::SPELLING,
            commits: &[
                ("5915fe0bb3", "v3.1.0 Other", "v3.1.0 Bug Fixes"),
                ("6ae182e0cd", "v3.1.2 Other", "v3.1.2 Bug Fixes"),
            ],
        },
        Elsewhere {
            why: why::LEFT_OUT,
            commits: &[
                ("86e96f3d8d", "", "v0.3.4 Miscellaneous Tasks"),
                ("bf54ae65cb", "", "v0.3.4 Miscellaneous Tasks"),
            ],
        },
        Elsewhere {
            why: why::TAKEN_BACK,
            commits: &[("99caf1a8a4", "v0.3.1 Bug Fixes", ""), ("c662cf22a1", "v0.3.1 Revert", "")],
        },
        Elsewhere { why: why::BODY, commits: &[("d1ae62388c", "v3.1.1 Security", "")] },
    ];
    let versions = [
        ("v0.2.0", "v1.0.0", "v0.2.0", why::BEFORE_1),
        ("v0.3.0", "v1.0.0", "v0.3.0", why::BEFORE_1),
        ("v0.3.2", "v0.3.2", "none", why::REFACTOR),
        ("v0.3.3", "v0.3.2", "v0.3.3", why::BY_GIT),
        ("v0.3.4", "v0.3.2", "none", why::NOTHING),
        ("v0.4.2", "v0.4.2", "none", why::NOTHING),
        ("v1.0.0", "v1.0.0", "v0.5.0", why::BEFORE_1),
        ("v3.1.1", "v3.1.1", "none", why::NOTHING),
    ];
    check(GROWN_HISTORY, include_str!("beside/grown.by-git-cliff"), GIT_CLIFF, &elsewhere, &versions).await;
}

#[tokio::test]
async fn grown_by_commitizen() {
    let elsewhere = [
        Elsewhere {
            why: why::BROKEN,
            commits: &[
                ("1aa2da79c4", "v2.0.0 BREAKING CHANGE and v2.0.0 Feat", "v2.0.0 Feat!"),
                ("57b0578d05", "v0.3.0 BREAKING CHANGE and v0.3.0 Fix", "v0.3.0 Fix!"),
            ],
        },
        Elsewhere { why: why::BLOCKS, commits: &[("1fcb92b5a9", "v0.4.2 Feat and v0.4.2 Fix", "")] },
        Elsewhere {
            why: why::SPELLING,
            commits: &[("5915fe0bb3", "", "v3.1.0 Fix"), ("6ae182e0cd", "", "v3.1.2 Fix")],
        },
        Elsewhere { why: why::TAKEN_BACK, commits: &[("99caf1a8a4", "v0.3.1 Fix", "")] },
    ];
    let versions = [
        ("v0.2.0", "v1.0.0", "v0.2.0", why::BEFORE_1),
        ("v0.3.0", "v1.0.0", "v0.3.0", why::BEFORE_1),
        ("v0.3.2", "v0.3.2", "none", why::REFACTOR),
        ("v0.3.3", "none", "v0.3.3", why::BY_GIT),
        ("v0.4.2", "v0.5.0", "none", why::BLOCKS),
        ("v1.0.0", "v1.0.0", "v0.5.0", why::BEFORE_1),
        ("v3.0.1", "none", "v3.0.1", why::UNTYPED),
        ("v3.1.0", "v3.1.0", "v3.0.2", why::NO_TYPE),
        ("v3.1.2", "v3.2.0", "v3.1.2", why::NO_TYPE),
    ];
    check(GROWN_HISTORY, include_str!("beside/grown.by-commitizen"), COMMITIZEN, &elsewhere, &versions).await;
}
