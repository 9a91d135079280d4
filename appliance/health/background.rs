use std::collections::VecDeque;

use opencv::core::{self, Mat};
use opencv::prelude::*;

use super::HealthError;

/// Looks of which the middle one counts, sample by sample: what passes within half of them is not seen. Odd.
const LOOKS: usize = 9;

/// The street without its traffic: the median of the last looks.
///
/// A median forgets a view at once, in five looks, where an average would show two for long.
#[derive(Default)]
pub(super) struct Background {
    looks: VecDeque<Mat>,
}

impl Background {
    /// Takes in a look, about once a second; looks of another size start it anew.
    pub fn take(&mut self, look: &Mat) -> Result<(), HealthError> {
        if self.looks.back().is_some_and(|last| last.size().ok() != look.size().ok()) {
            self.looks.clear();
        }
        // A buffer goes round: no look allocates.
        let mut kept =
            if self.looks.len() == LOOKS { self.looks.pop_front() } else { None }.unwrap_or_default();
        look.copy_to(&mut kept)?;
        self.looks.push_back(kept);
        Ok(())
    }

    /// None before there are looks enough.
    pub fn picture(&self) -> Result<Option<Mat>, HealthError> {
        if self.looks.len() < LOOKS {
            return Ok(None);
        }
        let mut sorted = self.looks.iter().map(Mat::try_clone).collect::<Result<Vec<_>, _>>()?;
        let (mut small, mut large) = (Mat::default(), Mat::default());
        // A network of exchanges leaves the median of nine in the middle (Paeth, Graphics Gems, 1990).
        for (a, b) in MEDIAN_OF_NINE {
            core::min(&sorted[a], &sorted[b], &mut small)?;
            core::max(&sorted[a], &sorted[b], &mut large)?;
            std::mem::swap(&mut sorted[a], &mut small);
            std::mem::swap(&mut sorted[b], &mut large);
        }
        Ok(Some(sorted.swap_remove(LOOKS / 2)))
    }

    /// The oldest look that is kept, some eight looks ago.
    pub fn oldest(&self) -> Option<&Mat> {
        self.looks.front().filter(|_| self.looks.len() == LOOKS)
    }
}

const MEDIAN_OF_NINE: [(usize, usize); 19] = [
    (1, 2),
    (4, 5),
    (7, 8),
    (0, 1),
    (3, 4),
    (6, 7),
    (1, 2),
    (4, 5),
    (7, 8),
    (0, 3),
    (5, 8),
    (4, 7),
    (3, 6),
    (1, 4),
    (2, 5),
    (4, 7),
    (4, 2),
    (6, 4),
    (4, 2),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn look(value: u8) -> Mat {
        Mat::new_rows_cols_with_default(2, 3, core::CV_8UC1, f64::from(value).into()).unwrap()
    }

    #[test]
    fn the_middle_of_nine_looks_counts() {
        let mut background = Background::default();
        for value in [9, 200, 3, 7, 250, 5, 8, 1] {
            background.take(&look(value)).unwrap();
            assert!(background.picture().unwrap().is_none());
        }
        background.take(&look(6)).unwrap();
        assert_eq!(*background.picture().unwrap().unwrap().at_2d::<u8>(1, 2).unwrap(), 7);
        assert_eq!(*background.oldest().unwrap().at_2d::<u8>(0, 0).unwrap(), 9);
        for value in [40; 5] {
            background.take(&look(value)).unwrap();
        }
        assert_eq!(*background.picture().unwrap().unwrap().at_2d::<u8>(1, 2).unwrap(), 40);
    }
}
