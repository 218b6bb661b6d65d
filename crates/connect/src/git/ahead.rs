//! How far a commit is ahead of each tag it contains, for all tags in one walk.
//!
//! A commit is ahead of a tag by the commits that lead to it and not to the tag. Asking git once for each tag costs a
//! walk each. Here every commit gets the set of tags that contain it, which is the union of its children's sets. Sets
//! are kept once: along a line of commits without merges and tags it is the same one, and most repositories have few.

use std::collections::HashMap;
use std::ops::ControlFlow;

use tollgate_engine::ports::{ObjectId, PortError, Repository};

use super::Git;
use super::fault::permanent;
use super::history::looking;
use super::read::object;
use super::refresh::need_clone;

/// Longest line of the walk: an id and many parents.
const LINE_BYTES: usize = 64 << 10;

/// For each of some commits, how many commits are in `from` and not in it; `None` where `from` does not descend from it.
pub(super) async fn distances(
    git: &Git,
    repository: &Repository,
    from: &ObjectId,
    commits: &[ObjectId],
) -> Result<Vec<Option<u64>>, PortError> {
    let what = format!("measure how far {from} is ahead of {} commits", commits.len());
    need_clone(repository, &what)?;
    let from = object(from)?;
    if commits.is_empty() {
        return Ok(Vec::new());
    }
    let mut walk = Walk::new(commits.iter());
    let mut broken = false;
    looking(git, repository, &what)
        .args(["rev-list", "--topo-order", "--parents", from, "--"])
        .records(b'\n', LINE_BYTES, |line| {
            broken = walk.visit(line).is_none();
            if broken { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .await?;
    if broken {
        return Err(permanent(what, "git printed something unexpected", None));
    }
    let distances = walk.distances();
    Ok(commits.iter().map(|commit| distances.get(&key(commit.0.as_bytes())?).copied()).collect())
}

/// An object id in binary, padded.
type Key = [u8; 32];

fn key(hex: &[u8]) -> Option<Key> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    if !matches!(hex.len(), 40 | 64) {
        return None;
    }
    let mut key = [0; 32];
    for (byte, pair) in key.iter_mut().zip(hex.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(key)
}

/// Number of a set of tagged commits.
type SetId = u32;
/// The set with nothing in it.
const NOTHING: SetId = 0;

/// The walk from a commit to its ancestors, children first.
struct Walk {
    /// Tagged commits, and the bit each got when the walk came by.
    tagged: HashMap<Key, Option<usize>>,
    bits: usize,
    /// Every different set, as bits.
    sets: Vec<Vec<u64>>,
    ids: HashMap<Vec<u64>, SetId>,
    unions: HashMap<(SetId, SetId), SetId>,
    /// How many commits have a set.
    counts: Vec<u64>,
    /// Sets of commits whose children came by and which did not themselves.
    waiting: HashMap<Key, SetId>,
    commits: u64,
}

impl Walk {
    fn new<'a>(tagged: impl Iterator<Item = &'a ObjectId>) -> Walk {
        Walk {
            tagged: tagged.filter_map(|id| Some((key(id.0.as_bytes())?, None))).collect(),
            bits: 0,
            sets: vec![Vec::new()],
            ids: HashMap::from([(Vec::new(), NOTHING)]),
            unions: HashMap::new(),
            counts: vec![0],
            waiting: HashMap::new(),
            commits: 0,
        }
    }

    /// Takes a line of `rev-list --parents`: a commit and its parents. `None` if it is not one.
    fn visit(&mut self, line: &[u8]) -> Option<()> {
        let mut ids = line.split(|byte| *byte == b' ');
        let commit = key(ids.next()?)?;
        let mut set = self.waiting.remove(&commit).unwrap_or(NOTHING);
        if let Some(bit) = self.tagged.get_mut(&commit) {
            let own = *bit.get_or_insert(self.bits);
            self.bits += 1;
            set = self.with(set, own);
        }
        self.counts[set as usize] += 1;
        self.commits += 1;
        for parent in ids {
            let parent = key(parent)?;
            let waiting = self.waiting.get(&parent).copied().unwrap_or(NOTHING);
            let union = self.union(waiting, set);
            self.waiting.insert(parent, union);
        }
        Some(())
    }

    fn with(&mut self, set: SetId, bit: usize) -> SetId {
        let mut words = self.sets[set as usize].clone();
        if words.len() <= bit / 64 {
            words.resize(bit / 64 + 1, 0);
        }
        words[bit / 64] |= 1 << (bit % 64);
        self.keep(words)
    }

    fn union(&mut self, a: SetId, b: SetId) -> SetId {
        if a == b || b == NOTHING {
            return a;
        }
        if a == NOTHING {
            return b;
        }
        let pair = (a.min(b), a.max(b));
        if let Some(known) = self.unions.get(&pair) {
            return *known;
        }
        let (long, short) = {
            let (x, y) = (&self.sets[a as usize], &self.sets[b as usize]);
            if x.len() >= y.len() { (x, y) } else { (y, x) }
        };
        let mut words = long.clone();
        words.iter_mut().zip(short).for_each(|(word, other)| *word |= other);
        let union = self.keep(words);
        self.unions.insert(pair, union);
        union
    }

    /// The number of a set. Its last word is never zero, so that equal sets are equal here.
    fn keep(&mut self, words: Vec<u64>) -> SetId {
        if let Some(known) = self.ids.get(&words) {
            return *known;
        }
        // More than four thousand million different sets do not fit into memory.
        let id = SetId::try_from(self.sets.len()).unwrap_or(SetId::MAX);
        self.sets.push(words.clone());
        self.counts.push(0);
        self.ids.insert(words, id);
        id
    }

    /// How far the start is ahead of each tagged commit that the walk met.
    fn distances(&self) -> HashMap<Key, u64> {
        let mut contained = vec![0_u64; self.bits];
        for (set, count) in self.sets.iter().zip(&self.counts).filter(|(_, count)| **count > 0) {
            for (at, word) in set.iter().enumerate() {
                let mut word = *word;
                while word != 0 {
                    contained[at * 64 + word.trailing_zeros() as usize] += count;
                    word &= word - 1;
                }
            }
        }
        let met = self.tagged.iter().filter_map(|(commit, bit)| Some((*commit, (*bit)?)));
        met.map(|(commit, bit)| (commit, self.commits - contained[bit])).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn id(n: usize) -> String {
        format!("{n:040x}")
    }

    /// Commits are numbers; parents have lower ones. The walk goes from the highest down, which is topological.
    fn check(parents: &[Vec<usize>], tagged: &[usize]) {
        let ids: Vec<ObjectId> = tagged.iter().map(|n| ObjectId(id(*n))).collect();
        let mut walk = Walk::new(ids.iter());
        let ancestors = |start: usize| {
            let mut seen = HashSet::new();
            let mut todo = vec![start];
            while let Some(n) = todo.pop() {
                if seen.insert(n) {
                    todo.extend(&parents[n]);
                }
            }
            seen
        };
        let all = ancestors(parents.len() - 1);
        for n in (0..parents.len()).rev().filter(|n| all.contains(n)) {
            let mut line = id(n);
            for parent in &parents[n] {
                line.push_str(&format!(" {}", id(*parent)));
            }
            walk.visit(line.as_bytes()).unwrap();
        }
        let got = walk.distances();
        for tag in tagged {
            let want = all.contains(tag).then(|| (all.len() - ancestors(*tag).len()) as u64);
            assert_eq!(got.get(&key(id(*tag).as_bytes()).unwrap()).copied(), want, "{parents:?} {tag}");
        }
    }

    #[test]
    fn distances_are_those_of_counting() {
        check(&[vec![]], &[0]);
        check(&[vec![], vec![0], vec![1]], &[0, 1, 2]);
        // A merge, a side branch that is not reached, two roots.
        check(&[vec![], vec![0], vec![0], vec![1, 2], vec![1], vec![], vec![3, 5]], &[0, 1, 2, 3, 4, 5]);
        // Many shapes from a small generator.
        let mut state = 7_u64;
        let mut next = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        for _ in 0..200 {
            let count = 2 + next(150);
            let mut parents: Vec<Vec<usize>> = vec![vec![]];
            for n in 1..count {
                let mut own: Vec<usize> = (0..next(3) + 1).map(|_| n - 1 - next(n.min(9))).collect();
                own.sort_unstable();
                own.dedup();
                parents.push(own);
            }
            let tagged: Vec<usize> = (0..count).filter(|_| next(2) == 0).collect();
            check(&parents, &tagged);
        }
    }

    #[test]
    fn other_lines_are_refused() {
        let mut walk = Walk::new(std::iter::empty());
        assert_eq!(walk.visit(b"commit abc"), None);
        assert_eq!(walk.visit(b""), None);
    }
}
