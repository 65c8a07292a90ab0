//! Walks and look-ups over many images, cheap enough to be made for each of them in every plan.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap, btree_map};
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::iter::Peekable;

/// A map that is only asked, never walked. Its hashes are the same in every process, so that planning stays a pure
/// function down to its cost.
pub(super) type Hashed<K, V> = HashMap<K, V, BuildHasherDefault<DefaultHasher>>;

/// A map that is walked abreast of another one with the same order: two maps of all images cost one pass over both,
/// where a look-up each would search the second anew for every image.
pub(super) struct Abreast<'a, K, V> {
    rest: Peekable<btree_map::Iter<'a, K, V>>,
}

impl<'a, K: Ord, V> Abreast<'a, K, V> {
    /// At the beginning of `map`.
    pub(super) fn of(map: &'a BTreeMap<K, V>) -> Self {
        Self { rest: map.iter().peekable() }
    }

    /// What the map has under `key`. Keys are asked for in rising order, each once.
    pub(super) fn at(&mut self, key: &K) -> Option<&'a V> {
        loop {
            match self.rest.peek()?.0.cmp(key) {
                Ordering::Less => drop(self.rest.next()),
                Ordering::Equal => return self.rest.next().map(|(_, value)| value),
                Ordering::Greater => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_finds_what_a_look_up_would() {
        let map: BTreeMap<u32, u32> = [2, 3, 5, 8, 13].map(|key| (key, key * 10)).into();
        let mut abreast = Abreast::of(&map);
        for key in 0..15 {
            assert_eq!(abreast.at(&key), map.get(&key), "{key}");
        }
    }
}
