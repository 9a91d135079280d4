use std::hash::{BuildHasher, RandomState};

use crate::words::Plate;

/// Says of a plate "surely not listed" or "perhaps", without touching the store.
///
/// A blocked Bloom filter: all bits of one plate lie in one cache line. With 24 bits for each entry
/// (3 MB for a million) about one plate in 5,000 that is not listed is looked up in vain, which costs
/// some 10 µs; nearly every read is answered here in well under one. Lives in memory only.
#[derive(Clone)]
pub struct Filter {
    lines: Vec<[u64; 8]>,
    hasher: RandomState,
}

const BITS_FOR_EACH: u64 = 24;
const PROBES: u32 = 6;

impl Filter {
    pub fn for_entries(count: u64) -> Self {
        let lines = (count * BITS_FOR_EACH).div_ceil(512).max(1);
        Self { lines: vec![[0; 8]; lines as usize], hasher: RandomState::new() }
    }

    pub fn insert(&mut self, plate: &Plate) {
        let (line, probes) = self.place(plate);
        for bit in probes {
            self.lines[line][bit >> 6] |= 1 << (bit & 63);
        }
    }

    pub fn may_hold(&self, plate: &Plate) -> bool {
        let (line, mut probes) = self.place(plate);
        let line = &self.lines[line];
        probes.all(|bit| line[bit >> 6] & (1 << (bit & 63)) != 0)
    }

    /// The line, and the bits in it (0-511).
    fn place(&self, plate: &Plate) -> (usize, impl Iterator<Item = usize> + use<>) {
        let hash = self.hasher.hash_one(plate);
        let line = ((u128::from(hash) * self.lines.len() as u128) >> 64) as usize;
        // The line uses up the hash's high bits; stir before taking 9 bits for each probe.
        let stirred = (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (line, (0..PROBES).map(move |probe| (stirred >> (9 * probe + 8)) as usize & 511))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plate(number: u32) -> Plate {
        Plate::parse(&format!("P{number}")).unwrap()
    }

    #[test]
    fn never_denies_what_it_holds_and_rarely_affirms_the_rest() {
        let mut filter = Filter::for_entries(50_000);
        (0..50_000).for_each(|number| filter.insert(&plate(number)));
        assert!((0..50_000).all(|number| filter.may_hold(&plate(number))));
        let wrong = (50_000..150_000).filter(|&number| filter.may_hold(&plate(number))).count();
        assert!(wrong < 200, "{wrong} of 100,000");
    }

    #[test]
    fn an_empty_list_holds_nothing() {
        assert!(!Filter::for_entries(0).may_hold(&plate(1)));
    }
}
