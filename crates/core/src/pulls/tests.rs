use super::*;
use crate::commits::{Change, CommitRules, CommitText};
use crate::ids::ObjectId;
use crate::model::{FactAsk, FactRead, Shell};
use crate::version::Bump;
use std::collections::{BTreeMap, BTreeSet, HashMap};

#[test]
fn forges_say_which_pull_request_a_commit_is() {
    let check = |message: &str, number: Option<u64>, called: &str| {
        assert_eq!(PullNumber::of_message(message).map(PullNumber::get), number, "{message:?}");
        assert_eq!(title(message), called, "{message:?}");
    };
    check("feat: add a cart (#12)", Some(12), "feat: add a cart (#12)");
    check("Merge pull request #12 from acme/cart\n\nAdd a cart\n", Some(12), "Add a cart");
    check("Merge pull request #12 from acme/cart", Some(12), "Merge pull request #12 from acme/cart");
    check(
        "Merge branch 'cart' into 'main'\n\nAdd a cart\n\nCloses #3\n\nSee merge request acme/shop!12",
        Some(12),
        "Add a cart",
    );
    check("Merge branch 'c' into 'main'\n\nSee merge request a/b!12\n", Some(12), {
        "Merge branch 'c' into 'main'"
    });
    check("feat: add a cart\n\nSee merge request acme/shop!12", Some(12), "feat: add a cart");
    check("feat: add a cart (!12)", Some(12), "feat: add a cart (!12)");
    check("Merge pull request 'Add a cart (#3)' (#12) from cart into main", Some(12), {
        "Merge pull request 'Add a cart (#3)' (#12) from cart into main"
    });
    check("Merged in cart (pull request #12)\n\nAdd a cart", Some(12), "Add a cart");
    check("Pull request #12: Add a cart", Some(12), "Pull request #12: Add a cart");
    check("Merged PR 12: Add a cart", Some(12), "Merged PR 12: Add a cart");
    // Picked over: the last one is that of this branch.
    check("fix: mend (#7) (#12)", Some(12), "fix: mend (#7) (#12)");
    // Only spoken of.
    for other in [
        "",
        "\n\n",
        "fix: mend what #12 broke",
        "fix: mend (see #12)",
        "fix: mend (#12) at last",
        "Revert \"feat: add a cart (#12)\"",
        "fix: mend (#012)",
        "fix: mend (#0)",
        "fix: mend (#99999999999)",
        "fix: mend (#-1)",
        "fix: mend (#1️⃣)",
        "fix: mend\n\nfeat: add (#12)",
        "See merge request",
        "Merge pull request #",
        "Merge pull request 'a",
    ] {
        assert_eq!(PullNumber::of_message(other), None, "{other:?}");
    }
    assert_eq!(title("\u{1b}[31mred\u{202e} \u{200b}(#12)\nbody"), "[31mred (#12)");
}

/// A walk from lines such as `m main side #12`: a commit, its parents, its number.
fn walk(text: &str) -> Vec<Walked> {
    let line = |line: &str| {
        let mut words: Vec<&str> = line.split_whitespace().collect();
        let number = words.last().and_then(|word| PullNumber::new(word.strip_prefix('#')?));
        words.truncate(words.len() - usize::from(number.is_some()));
        let ids: Vec<ObjectId> = words.into_iter().map(|word| ObjectId(word.to_owned())).collect();
        Walked { commit: ids[0].clone(), parents: ids[1..].to_vec(), number }
    };
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(line).collect()
}

/// By which pull request each commit came, from the first commit of a walk on.
fn shown(text: &str) -> String {
    let walked = walk(text);
    let found = came_by(&walked, &walked[..1].iter().map(|one| one.commit.clone()).collect::<Vec<_>>());
    let mut found: Vec<String> =
        found.into_iter().map(|(commit, number)| format!("{commit}{number}")).collect();
    found.sort();
    found.join(" ")
}

#[test]
fn what_a_merge_brings_came_by_its_pull_request() {
    // A branch with two commits, and one that was squashed.
    assert_eq!(shown("s m #2\nm a y #1\ny x\nx o\na o\no"), "m#1 s#2 x#1 y#1");
    // The branch took over what was new on the main one: that came by none all the same.
    assert_eq!(shown("m b z #1\nz y b\ny o\nb a\na o\no"), "m#1 y#1 z#1");
    // And by its own pull request, where it has one.
    assert_eq!(shown("m b z #2\nz y b\ny o\nb a x #1\nx o\na o\no"), "b#1 m#2 x#1 y#2 z#2");
    // A merge without a number inside of one with; a squashed one inside of a branch.
    assert_eq!(shown("m a t #5\nt r u\nu o\nr o #4\na o\no"), "m#5 r#4 t#5 u#5");
    // A branch for releases: each came by its own.
    assert_eq!(shown("m a d #9\nd c #8\nc o #7\na o\no"), "c#7 d#8 m#9");
    // Three at once.
    assert_eq!(shown("m a x y #3\ny x\nx o\na o\no"), "m#3 x#3 y#3");
    // What is not in the walk was released.
    assert_eq!(shown("m gone y #1\ny gone2"), "m#1 y#1");
    assert_eq!(shown("a b\nb a"), "", "a circle, which git cannot have");
}

fn names(list: &[&str]) -> BTreeSet<String> {
    list.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn labels_are_read_as_forges_write_them() {
    let check = |pointer: &str, answer: &str, expected: Result<&[&str], &str>| {
        let found = read(&FactRead::Json(pointer.into()), answer.as_bytes());
        assert_eq!(found, expected.map(names).map_err(ToOwned::to_owned), "{answer}");
    };
    // GitHub and Forgejo, of an issue and of its labels; GitLab.
    let github = r#"{"number":12,"labels":[{"id":1,"name":"bug","color":"f00"},{"id":2,"name":"ui"}]}"#;
    check("/labels", github, Ok(&["bug", "ui"]));
    check("", r#"[{"id":1,"name":"bug","exclusive":false,"url":"https://f/1"}]"#, Ok(&["bug"]));
    check("/labels", r#"{"iid":12,"labels":["bug","scope::ui"]}"#, Ok(&["bug", "scope::ui"]));
    check("/labels", r#"{"labels":[]}"#, Ok(&[]));
    check("", r#"[" bug ","bug","","\u001b[2Jx\u202e"]"#, Ok(&["[2Jx", "bug"]));
    check("/labels", "{}", Err("there is nothing at `/labels` in the answer"));
    check("/labels", r#"{"labels":{"name":"bug"}}"#, Err("what stands at `/labels` is no list"));
    check("", r#"[{"id":1}]"#, Err("an item in the answer is no name and has none"));
    check("", "[12]", Err("an item in the answer is no name and has none"));
    check("", "<html>", Err("the answer is not JSON"));
    let many = serde_json::to_string(&(0..200).map(|n| n.to_string()).collect::<Vec<_>>()).unwrap();
    check("", &many, Err("there are more than 100 labels in the answer"));
    assert_eq!(
        read(&FactRead::Text, b"bug\r\n\n good first issue\n"),
        Ok(names(&["bug", "good first issue"]))
    );
    assert_eq!(read(&FactRead::Text, b""), Ok(names(&[])));
    let long = read(&FactRead::Text, "x".repeat(100_000).as_bytes()).unwrap();
    assert!(long.iter().all(|label| label.len() <= 101));
}

fn rules(other: Unlabelled) -> LabelRules {
    let types = [("breaking", Some(Bump::Major)), ("feature", Some(Bump::Minor)), ("chore", None)];
    LabelRules {
        ask: FactAsk::Command(Shell {
            command: "labels".into(),
            variables: BTreeMap::new(),
            secrets: BTreeMap::new(),
            repeatable: true,
        }),
        read: FactRead::Text,
        timeout: jiff::SignedDuration::from_secs(10),
        types: types.into_iter().map(|(name, bump)| (name.to_owned(), bump)).collect(),
        other,
    }
}

/// Commits, and labels by pull request, to what they ask for with the reasons.
fn advice(other: Unlabelled, commits: &[(&str, u64)], labels: &[(u64, &[&str])]) -> String {
    let number = |number: u64| PullNumber::new(&number.to_string());
    let changes: Vec<Change> = commits
        .iter()
        .enumerate()
        .map(|(n, (message, _))| {
            let commit = n.to_string();
            Change::read(CommitText { commit: &commit, author_name: "", author_email: "", message }, &[])
        })
        .collect();
    let came: HashMap<ObjectId, PullNumber> = changes
        .iter()
        .zip(commits)
        .filter_map(|(change, (_, pull))| Some((change.commit.clone(), number(*pull)?)))
        .collect();
    let pulls: Vec<Labelled> = labels
        .iter()
        .map(|(pull, labels)| Labelled {
            number: number(*pull).unwrap(),
            title: format!("title {pull}"),
            labels: names(labels),
        })
        .collect();
    let counted = counted(&changes, &BTreeSet::new(), &came);
    match advise_by_labels(&counted, &pulls, &rules(other), &CommitRules::default()) {
        Ok(advice) => {
            let because = advice.because.iter().map(|one| match &one.file {
                Some(by) => format!("{by}: {}", one.subject),
                None => format!("commit {}", one.commit),
            });
            let bump = advice.bump.map_or("nothing".to_owned(), |bump| bump.to_string());
            [bump].into_iter().chain(because).collect::<Vec<_>>().join("; ")
        }
        Err(Unsaid(pulls)) => {
            format!("ask: {}", pulls.iter().map(|pull| pull.number.to_string()).collect::<Vec<_>>().join(" "))
        }
    }
}

#[test]
fn labels_decide_and_commits_only_where_there_is_no_pull_request() {
    let ask = Unlabelled::Ask;
    // What the commit says does not count.
    assert_eq!(advice(ask, &[("feat!: x", 1)], &[(1, &["feature"])]), {
        "minor; #1 labelled `feature`: title 1"
    });
    assert_eq!(advice(ask, &[("feat!: x", 1)], &[(1, &["chore", "ui"])]), "nothing");
    assert_eq!(advice(ask, &[("docs: x", 1)], &[(1, &["chore", "breaking", "feature"])]), {
        "major; #1 labelled `breaking`: title 1"
    });
    // The largest counts.
    assert_eq!(advice(ask, &[("x", 1), ("y", 2)], &[(1, &["chore"]), (2, &["feature"])]), {
        "minor; #2 labelled `feature`: title 2"
    });
    // Directly on the branch.
    assert_eq!(advice(ask, &[("fix: x", 0), ("y", 2)], &[(2, &["chore"])]), "patch; commit 0");
    assert_eq!(advice(ask, &[("docs: x", 0)], &[]), "nothing");
    // Without a label that counts.
    assert_eq!(
        advice(ask, &[("x", 1), ("y", 2), ("z", 3)], &[(1, &["Feature"]), (2, &["chore"]), (3, &[])]),
        { "ask: #1 #3" }
    );
    let commits = Unlabelled::Commits;
    assert_eq!(advice(commits, &[("feat: x", 1), ("fix: y", 2)], &[(1, &[]), (2, &["chore"])]), {
        "minor; commit 0"
    });
    let patch = Unlabelled::Counts(Some(Bump::Patch));
    assert_eq!(advice(patch, &[("feat: x", 1)], &[(1, &[])]), {
        "patch; #1 without a label that counts: title 1"
    });
    assert_eq!(advice(Unlabelled::Counts(None), &[("feat: x", 1)], &[(1, &[])]), "nothing");
}

proptest::proptest! {
    #[test]
    fn any_message_has_one_number_or_none(message: String) {
        let title = title(&message);
        proptest::prop_assert!(!title.contains(|c: char| c.is_control()));
        if let Some(number) = PullNumber::of_message(&message) {
            proptest::prop_assert!(message.contains(&number.get().to_string()));
        }
    }

    #[test]
    fn any_answer_is_read_or_refused(answer: Vec<u8>, pointer in "(/[a-z0-9~]{0,3}){0,3}") {
        for how in [FactRead::Text, FactRead::Json(pointer.clone())] {
            match read(&how, &answer) {
                Ok(labels) => proptest::prop_assert!(labels.iter().all(|one| !one.contains(|c: char| c.is_control()))),
                Err(why) => proptest::prop_assert!(!why.is_empty() && !why.contains(|c: char| c.is_control())),
            }
        }
    }
}
