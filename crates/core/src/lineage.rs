//! Which release each commit belongs to: the oldest one that contains it.
//!
//! One pass over history is enough, children before their parents: what a release contains are its own commit and all before
//! it, so a commit is in the releases that stand on it and in all that its children are in. Of those the oldest counts. Only
//! commits that were named as parents and have not come yet are kept, so it costs the same however many releases there are.

use std::collections::HashMap;

/// A release, by when it was met: 1 is the newest, and a higher number an older one. 0 stands for what is not released yet.
pub type Label = usize;

/// The walk from a commit to all before it.
#[derive(Debug)]
pub struct Lineage {
    /// Commits whose children came and which did not themselves, with the oldest label among those.
    pending: HashMap<Box<str>, Label>,
    /// For each label how many of them have it, and the release that was met first in its own commits.
    labels: Vec<(usize, Option<Label>)>,
}

impl Default for Lineage {
    fn default() -> Self {
        Self { pending: HashMap::new(), labels: vec![(0, None)] }
    }
}

impl Lineage {
    /// Takes a commit with its parents, all of whose children came before, and tells what it belongs to. So many releases
    /// stand on it: they get the next labels, and the commit belongs to the last of them.
    pub fn visit<'a>(
        &mut self,
        commit: &str,
        parents: impl IntoIterator<Item = &'a str>,
        releases: usize,
    ) -> Label {
        let mut label = self.pending.remove(commit).inspect(|label| self.labels[*label].0 -= 1).unwrap_or(0);
        for _ in 0..releases {
            let next = self.labels.len();
            self.labels[label].1.get_or_insert(next);
            self.labels.push((0, None));
            label = next;
        }
        for parent in parents {
            match self.pending.get_mut(parent) {
                Some(other) if *other >= label => {}
                Some(other) => {
                    self.labels[*other].0 -= 1;
                    self.labels[label].0 += 1;
                    *other = label;
                }
                None => {
                    self.pending.insert(parent.into(), label);
                    self.labels[label].0 += 1;
                }
            }
        }
        label
    }

    /// Whether no commit can come any more that belongs to a release that was met, or to none.
    pub fn is_over(&self, label: Label) -> bool {
        self.labels.get(label).is_some_and(|(pending, _)| *pending == 0)
    }

    /// The release before one: the one whose commit was met first among those that would belong to it else. `None` as long as
    /// none was met.
    pub fn before(&self, label: Label) -> Option<Label> {
        self.labels.get(label)?.1
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// Commits are numbers, parents have lower ones, the head is the last; for each its parents and how many releases stand on it.
    fn graphs() -> impl Strategy<Value = Vec<(BTreeSet<usize>, usize)>> {
        let commit =
            (prop::collection::vec(0_usize..8, 0..4), prop_oneof![4 => Just(0_usize), 1 => 1..3_usize]);
        prop::collection::vec(commit, 1..40).prop_map(|commits| {
            let parents =
                |n: usize, back: Vec<usize>| back.iter().filter_map(|back| n.checked_sub(back + 1)).collect();
            commits
                .into_iter()
                .enumerate()
                .map(|(n, (back, releases))| (parents(n, back), releases))
                .collect()
        })
    }

    fn ancestors(graph: &[(BTreeSet<usize>, usize)], of: usize) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        let mut todo = vec![of];
        while let Some(next) = todo.pop() {
            if found.insert(next) {
                todo.extend(&graph[next].0);
            }
        }
        found
    }

    proptest! {
        #[test]
        fn a_commit_belongs_to_the_oldest_release_that_contains_it(graph in graphs()) {
            let head = graph.len() - 1;
            let reached = ancestors(&graph, head);
            let names: Vec<String> = (0..graph.len()).map(|n| n.to_string()).collect();
            let mut lineage = Lineage::default();
            // The releases in the order of their labels: what each contains.
            let mut releases: Vec<BTreeSet<usize>> = Vec::new();
            let mut belongs = Vec::new();
            for n in reached.iter().rev().copied() {
                let (parents, count) = &graph[n];
                releases.extend(vec![ancestors(&graph, n); *count]);
                let label = lineage.visit(&names[n], parents.iter().map(|n| names[*n].as_str()), *count);
                for over in (0..=releases.len()).filter(|label| lineage.is_over(*label)) {
                    belongs.push((usize::MAX, over));
                }
                belongs.push((n, label));
            }
            for (at, (n, label)) in belongs.iter().enumerate() {
                if *n == usize::MAX {
                    let after = belongs[at + 1..].iter().skip_while(|(n, _)| *n == usize::MAX).skip(1);
                    prop_assert!(after.into_iter().all(|(n, later)| *n == usize::MAX || later != label));
                    continue;
                }
                let oldest = (1..=releases.len()).rev().find(|label| releases[label - 1].contains(n));
                prop_assert_eq!(*label, oldest.unwrap_or(0), "commit {}", n);
            }
            for label in 1..=releases.len() {
                if let Some(before) = lineage.before(label) {
                    prop_assert!(before > label);
                    prop_assert!(releases[label - 1].is_superset(&releases[before - 1]));
                }
            }
        }
    }

    #[test]
    fn a_line_with_two_tags_on_a_commit() {
        let mut lineage = Lineage::default();
        assert_eq!(lineage.visit("d", ["c"], 0), 0);
        assert!(!lineage.is_over(0));
        assert_eq!(lineage.visit("c", ["b"], 2), 2);
        assert_eq!(lineage.visit("b", ["a"], 0), 2);
        assert!(lineage.is_over(0) && lineage.is_over(1) && !lineage.is_over(2));
        assert_eq!(lineage.visit("a", [], 1), 3);
        assert_eq!([0, 1, 2, 3].map(|label| lineage.before(label)), [Some(1), Some(2), Some(3), None]);
    }
}
