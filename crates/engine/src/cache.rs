//! Caches of bounded size.

use std::collections::HashMap;
use std::hash::Hash;
use std::mem;
use std::sync::{Mutex, PoisonError};

/// Remembers what was used lately: at least the last `MAX` things, and at most twice as many. What was not asked for while
/// `MAX` others were is forgotten.
#[derive(Debug)]
pub(crate) struct Cache<K, V, const MAX: usize>(Mutex<Generations<K, V>>);

#[derive(Debug)]
struct Generations<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K, V, const MAX: usize> Default for Cache<K, V, MAX> {
    fn default() -> Self {
        Self(Mutex::new(Generations { young: HashMap::new(), old: HashMap::new() }))
    }
}

impl<K: Hash + Eq + Clone, V: Clone, const MAX: usize> Cache<K, V, MAX> {
    /// What is remembered under a key.
    pub(crate) fn get(&self, key: &K) -> Option<V> {
        let found = self.take(key)?;
        self.put(key.clone(), found.clone());
        Some(found)
    }

    /// The same, and forgets it.
    pub(crate) fn take(&self, key: &K) -> Option<V> {
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let old = generations.old.remove(key);
        generations.young.remove(key).or(old)
    }

    /// Remembers something.
    pub(crate) fn put(&self, key: K, value: V) {
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if generations.young.len() >= MAX {
            generations.old = mem::take(&mut generations.young);
        }
        generations.young.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays_and_the_rest_is_forgotten() {
        let cache: Cache<u32, u32, 4> = Cache::default();
        for number in 0..100 {
            cache.put(number, number);
            assert_eq!(cache.get(&0), Some(0), "asked for all the time, after {number}");
        }
        let kept = (0..100).filter(|number| cache.take(number).is_some()).count();
        assert!((4..=8).contains(&kept), "{kept}");
        assert_eq!(cache.take(&0), None);
    }
}
