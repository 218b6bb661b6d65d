//! Random histories, as they hardly ever are: several roots, merges of many lines, clocks that go wrong, tags anywhere.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::world::Chance;

/// A history. Commits are numbers, and those before a commit have lower ones; the last one is the head.
#[derive(Debug, Clone)]
pub struct Graph {
    /// The commits.
    pub commits: Vec<GraphCommit>,
    /// Tags, each with its name and commit, in the order of their names.
    pub tags: Vec<(String, usize)>,
}

/// A commit of a [`Graph`].
#[derive(Debug, Clone)]
pub struct GraphCommit {
    /// Its parents, each once.
    pub parents: Vec<usize>,
    /// The committer's date, in seconds since the epoch.
    pub at: i64,
    /// The folder that it changes a file in.
    pub folder: &'static str,
}

impl Graph {
    /// A history from a seed, of at most so many commits.
    pub fn random(seed: u64, commits_max: usize) -> Graph {
        let mut chance = Chance::new(seed, "graph");
        let count = 1 + chance.below(commits_max);
        let (linear, honest) = (chance.percent(25), chance.percent(40));
        let mut commits: Vec<GraphCommit> = Vec::new();
        for n in 0..count {
            let mut parents = BTreeSet::new();
            if n > 0 && (linear || !chance.percent(5)) {
                parents.insert(n - 1 - if linear { 0 } else { chance.below(n.min(6)) });
                while !linear && chance.percent(35) {
                    parents.insert(n - 1 - chance.below(n.min(12)));
                }
            }
            let skew = if honest { 0 } else { chance.between(-400, 400) };
            commits.push(GraphCommit {
                parents: parents.into_iter().collect(),
                at: 1_600_000_000 + 60 * n as i64 + skew - skew % 60,
                folder: chance.pick(&["web", "api", "docs"]).copied().unwrap_or("web"),
            });
        }
        let mut tags: Vec<(String, usize)> = Vec::new();
        let often = [2, 10, 60][chance.below(3)];
        for n in 0..count {
            while chance.percent(often) {
                let number = format!("{}.{}.{}", chance.below(3), chance.below(4), tags.len());
                let name = match chance.below(20) {
                    0..4 => format!("nightly-{n}-{}", tags.len()),
                    4..8 => format!("{number}-rc.{}", 1 + chance.below(3)),
                    _ => number,
                };
                tags.push((name, n));
            }
        }
        tags.sort();
        Graph { commits, tags }
    }

    /// A commit and everything before it.
    pub fn ancestors(&self, of: usize) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        let mut todo = vec![of];
        while let Some(next) = todo.pop() {
            if found.insert(next) {
                todo.extend(&self.commits[next].parents);
            }
        }
        found
    }

    /// The last commit.
    pub fn head(&self) -> usize {
        self.commits.len() - 1
    }

    /// How `git fast-import` is told of it: branch `main`, messages `feat: NUMBER`, every other tag annotated.
    pub fn fast_import(&self) -> String {
        let mut text = String::new();
        for (n, commit) in self.commits.iter().enumerate() {
            let message = format!("feat: {n}\n");
            let _ = write!(
                text,
                "reset refs/heads/main\n\ncommit refs/heads/main\nmark :{}\nauthor A{n} <a{}@example.org> {at} +0000\n\
                 committer C <c@example.org> {at} +0000\ndata {}\n{message}",
                n + 1,
                n % 5,
                message.len(),
                at = commit.at
            );
            for (place, parent) in commit.parents.iter().enumerate() {
                let _ = writeln!(text, "{} :{}", if place == 0 { "from" } else { "merge" }, parent + 1);
            }
            let content = format!("{n}\n");
            let _ =
                write!(text, "M 100644 inline {}/file\ndata {}\n{content}\n", commit.folder, content.len());
        }
        for (place, (name, commit)) in self.tags.iter().enumerate() {
            let mark = commit + 1;
            let _ = match place % 2 {
                0 => writeln!(text, "reset refs/tags/{name}\nfrom :{mark}\n"),
                _ => {
                    writeln!(text, "tag {name}\nfrom :{mark}\ntagger T <t@example.org> 1 +0000\ndata 2\nx\n")
                }
            };
        }
        text
    }
}
