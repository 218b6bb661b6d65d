//! Where git-cliff, commitizen and clog see a history otherwise, on histories made after real ones. Beside each other on the 350
//! releases of git-cliff, commitizen and clog themselves, every commit stands under the same release as git-cliff has it, and the
//! next version is the same, but for what is told here.

use std::ops::ControlFlow;

use tollgate_core::changelog::ChangelogRules;
use tollgate_core::commits::CommitRules;
use tollgate_core::version::{Bump, VersionFormat};
use tollgate_engine::looking::Asked;
use tollgate_engine::whole::Span;
use tollgate_testkit::git::Repo;

use crate::World;
use crate::history::{found, looking};

/// What one looks at, as one line each: the last release, what the commits since ask for, and which tags are left alone.
async fn next(world: &World, repo: &Repo<'_>, asked: Asked) -> (Option<String>, Option<Bump>, Vec<String>) {
    let found = found(world, repo).await;
    let survey =
        looking(&world.home).versions(&found.repository, found.head.as_ref().unwrap(), &asked).await.unwrap();
    let odd = survey.odd.iter().map(|tag| tag.name.clone()).collect();
    (survey.previous.map(|previous| previous.tag), survey.advice.bump, odd)
}

/// The entries of the whole changelog, each behind the release that it stands under.
async fn entries(world: &World, repo: &Repo<'_>, asked: &Asked) -> Vec<String> {
    let found = found(world, repo).await;
    let mut text = String::new();
    let mut sink = |piece: &str| {
        text.push_str(piece);
        ControlFlow::Continue(())
    };
    let (rules, to) = (ChangelogRules::default(), found.head.unwrap());
    let span = Span { to: &to, from: None };
    let engine = looking(&world.home);
    engine.whole_changelog(&found.repository, span, asked, &rules, None, &mut sink).await.unwrap();
    let (mut under, mut entries) = ("", Vec::new());
    for line in text.lines() {
        if let Some(entry) = line.strip_prefix("*   ").or_else(|| line.strip_prefix("* ")) {
            let entry = entry.split(" (").next().unwrap_or(entry);
            entries.push(format!("{under}: {entry}"));
        } else if let Some(heading) = line.strip_prefix("## ").or_else(|| line.strip_prefix("### v")) {
            under = heading.split(' ').next().unwrap_or(heading).trim_start_matches('v');
        }
    }
    entries
}

fn asked(format: &str) -> Asked {
    Asked::by(VersionFormat::new(format).unwrap())
}

#[tokio::test]
async fn what_was_written_before_a_release_and_merged_after_it_is_in_the_next_one() {
    // As in commitizen 1.8.0, whose changelog by commitizen tells fixes that only 1.9.0 had: they are older than its tag.
    let world = World::empty();
    let user = world.checkout();
    user.commit("a", "1", "feat: the beginning");
    user.git(&["switch", "--quiet", "-c", "side"]);
    user.commit("b", "1", "fix: written early");
    user.git(&["switch", "--quiet", "main"]);
    user.commit("a", "2", "feat: more");
    user.git(&["tag", "v1.8.0"]);
    user.git(&["merge", "--quiet", "--no-ff", "-m", "Merge side", "side"]);
    user.git(&["tag", "v1.9.0"]);
    user.commit("a", "3", "docs: later");
    let entries = entries(&world, &user, &asked("vX.Y.Z")).await;
    assert!(entries.contains(&"1.9.0: written early".to_owned()), "{entries:?}");
    assert!(entries.contains(&"1.8.0: more".to_owned()), "{entries:?}");
}

#[tokio::test]
async fn a_release_is_made_for_what_asks_for_one() {
    // git-cliff proposes a patch after `chore:` and `docs:` alone, as before v0.8.2 of itself; commitizen does as we do.
    let world = World::empty();
    let user = world.checkout();
    user.commit("a", "1", "feat: the beginning");
    user.git(&["tag", "v0.8.1"]);
    user.commit("a", "2", "chore(deps): bump things");
    user.commit("a", "3", "docs: say more");
    let (last, bump, _) = next(&world, &user, asked("vX.Y.Z")).await;
    assert_eq!((last.as_deref(), bump), (Some("v0.8.1"), None));
}

#[tokio::test]
async fn lines_of_a_message_are_changes_of_their_own_where_they_are_a_list() {
    // commitizen takes every line of a body that looks like a subject, so `refactor: remove redundant return None` in the middle of
    // its 3.30.0 is a change; prose that says `note: this` is one as well. Here a squash merge's list is, when that is asked for.
    let world = World::empty();
    let user = world.checkout();
    user.commit("a", "1", "fix: the beginning");
    user.git(&["tag", "v1.0.0"]);
    user.commit("a", "2", "docs: three things\n\nfeat: in the middle of prose\n");
    assert_eq!(next(&world, &user, asked("vX.Y.Z")).await.1, None);
    user.commit("a", "3", "docs: squashed (#3)\n\n* feat: in a list\n* fix: another\n");
    assert_eq!(next(&world, &user, asked("vX.Y.Z")).await.1, None);
    let squash = Asked { commits: CommitRules { squash: true, ..CommitRules::default() }, ..asked("vX.Y.Z") };
    assert_eq!(next(&world, &user, squash).await.1, Some(Bump::Minor));
}

#[tokio::test]
async fn a_tag_that_is_no_version_is_no_release() {
    // clog's `nightly` stands on a newer commit than its last release: git-cliff proposes `nightly` as the next version.
    let world = World::empty();
    let user = world.checkout();
    user.commit("a", "1", "feat: the beginning");
    user.git(&["tag", "v0.9.3"]);
    user.commit("a", "2", "fix: more");
    user.git(&["tag", "nightly"]);
    let (last, bump, odd) = next(&world, &user, asked("vX.Y.Z")).await;
    assert_eq!((last.as_deref(), bump), (Some("v0.9.3"), Some(Bump::Patch)));
    assert_eq!(odd, ["nightly"]);
}

#[tokio::test]
async fn a_tag_on_a_file_or_a_folder_is_no_release() {
    let world = World::empty();
    let user = world.checkout();
    user.commit("a", "1", "feat: the beginning");
    user.git(&["tag", "v1.0.0"]);
    user.git(&["tag", "v9.0.0", "HEAD:a"]);
    user.git(&["tag", "-a", "-m", "a folder", "v9.1.0", "HEAD^{tree}"]);
    user.commit("a", "2", "fix: more");
    user.git(&["tag", "-a", "-m", "two", "v1.0.1"]);
    user.commit("a", "3", "fix: and more");
    let (last, bump, odd) = next(&world, &user, asked("vX.Y.Z")).await;
    assert_eq!((last.as_deref(), bump), (Some("v1.0.1"), Some(Bump::Patch)));
    assert_eq!(odd, ["v9.0.0", "v9.1.0"]);
}

#[tokio::test]
async fn a_maintenance_branch_goes_on_from_its_own_release() {
    // Tools that sort tags by name or version go on from 2.0.0 on the branch of 1.x, or from v1.9.0 after v1.10.0.
    let world = World::empty();
    let user = world.checkout();
    user.commit("a", "1", "feat: the beginning");
    user.git(&["tag", "v1.9.0"]);
    user.commit("a", "2", "feat: more");
    user.git(&["tag", "v1.10.0"]);
    user.git(&["branch", "1.x"]);
    user.commit("a", "3", "feat!: new");
    user.git(&["tag", "v2.0.0"]);
    user.git(&["switch", "--quiet", "1.x"]);
    user.commit("b", "1", "fix: old");
    let (last, bump, odd) = next(&world, &user, asked("vX.Y.Z")).await;
    assert_eq!((last.as_deref(), bump), (Some("v1.10.0"), Some(Bump::Patch)));
    assert!(odd.is_empty(), "{odd:?}");
}

#[tokio::test]
async fn commits_that_blame_ignores_are_told_all_the_same() {
    // git-cliff leaves out what `.git-blame-ignore-revs` names, such as two commits of its own 2.10.0. They are released as well.
    let world = World::empty();
    let user = world.checkout();
    user.commit("a", "1", "feat: the beginning");
    let style = user.commit("a", "2", "fix: spaces instead of tabs");
    user.commit(".git-blame-ignore-revs", &format!("{style}\n"), "chore: blame nobody for spaces");
    user.git(&["tag", "v1.0.0"]);
    let entries = entries(&world, &user, &asked("vX.Y.Z")).await;
    assert!(entries.contains(&"1.0.0: spaces instead of tabs".to_owned()), "{entries:?}");
}
