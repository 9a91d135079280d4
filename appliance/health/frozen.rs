//! Does the camera still send what it sees, or one picture for ever?
//!
//! A sensor's noise makes each look a little different. What compresses a stream hard takes that away: a quiet street
//! then repeats itself to the last sample until the next key picture, ten seconds and more, and only that brings a new
//! draw of the noise. So a repeat is judged by what this stream is used to do, and a key picture by whether it brings back
//! one that was there before: a frozen picture that is encoded anew does, noise never.

use std::collections::VecDeque;

use opencv::core::{self, Mat};
use opencv::prelude::*;

use super::HealthError;
use super::references::Light;

/// Share of samples that differ below which a picture repeats the one before: a decoder's rounding, a clock in a corner.
const REPEATED: f32 = 0.005;

/// Mean difference, in luma steps, of a repeated picture that was encoded anew.
const ENCODED_ANEW: f64 = 1.0;

/// Share of samples that differ at least where a whole picture was encoded anew.
const EVERYWHERE: f32 = 0.1;

/// Looks within which a stream that is not used to repeat itself is judged, and how many of them must repeat.
const WINDOW: usize = 8;
const REPEATS: usize = 6;

/// Looks in a row that repeat, in a stream that may be used to: at first; and between these two, twice as many as it has
/// stood still for before it went on.
const PATIENCE: u64 = 45;
const PATIENCE_LEARNED: (u64, u64) = (30, 600);

/// Looks that must have differed at first, before a repeat is out of habit; and after the light changed: a lamp
/// changes the noise.
const GETS_USED: u64 = 12;
const LIGHT_SETTLES: u64 = 60;

/// A run of repeats that a live stream made, and how many looks long it is remembered: a day.
const HABIT: u64 = 3;
const REMEMBERED: u64 = 24 * 3600;

/// Pictures, each encoded anew, of which none came back: the noise is alive.
const FRESH: u32 = 3;

/// Earlier encodings that are kept to be recognised.
const KEPT: usize = 4;

/// What became of a picture since the look before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Change {
    Repeated,
    EncodedAnew,
    Changed,
}

/// Follows one stream, a look a second.
#[derive(Default)]
pub(super) struct FreezeWatch {
    looks: u64,
    light: Option<Light>,
    recent: VecDeque<Change>,
    /// Looks in a row that repeat the one before, and the number of the first.
    run: u64,
    run_began: u64,
    /// Repeats that begin before this look may be the stream's habit.
    habit_until: u64,
    /// The longest run that a change ended, as long as it is remembered.
    longest: u64,
    /// What the picture looked like before it was encoded anew.
    earlier: VecDeque<Mat>,
    /// Encodings since the last change that did not come back.
    fresh: u32,
    is_frozen: bool,
}

impl FreezeWatch {
    pub fn is_frozen(&self) -> bool {
        self.is_frozen
    }

    /// Takes in what differs between two looks.
    pub fn take(
        &mut self,
        before: &Mat,
        now: &Mat,
        difference: &Mat,
        light: Light,
    ) -> Result<Change, HealthError> {
        self.looks += 1;
        if self.light.replace(light) != Some(light) {
            self.habit_until = self.habit_until.max(self.looks + LIGHT_SETTLES * u64::from(self.looks > 1));
        }
        let differing = share(difference)?;
        let change = match core::mean(difference, &core::no_array())?[0] {
            _ if differing <= REPEATED => Change::Repeated,
            mean if mean <= ENCODED_ANEW => Change::EncodedAnew,
            _ => Change::Changed,
        };
        if self.recent.len() == WINDOW {
            self.recent.pop_front();
        }
        self.recent.push_back(change);
        let comes_back = change != Change::Repeated && self.comes_back(now)?;
        match change {
            Change::Repeated => self.repeated(),
            _ if comes_back => self.is_frozen = true,
            Change::EncodedAnew => {
                self.fresh += 1;
                self.ended();
            }
            Change::Changed => {
                self.fresh = FRESH;
                self.ended();
                self.earlier.clear();
            }
        }
        if change == Change::EncodedAnew && differing >= EVERYWHERE {
            if self.earlier.len() == KEPT {
                self.earlier.pop_front();
            }
            self.earlier.push_back(before.try_clone()?);
        }
        Ok(change)
    }

    fn repeated(&mut self) {
        if self.run == 0 {
            self.run_began = self.looks;
        }
        self.run += 1;
        let repeats = self.recent.iter().filter(|change| **change == Change::Repeated).count();
        let out_of_habit = self.run_began >= self.habit_until.max(GETS_USED);
        let patience = match self.longest {
            0 => PATIENCE,
            run => (2 * run).clamp(PATIENCE_LEARNED.0, PATIENCE_LEARNED.1),
        };
        let stands = out_of_habit && repeats >= REPEATS && !self.recent.contains(&Change::Changed);
        if (stands && self.recent.len() == WINDOW) || self.run >= patience {
            self.is_frozen = true;
            self.fresh = 0;
        }
    }

    /// The picture is another than before: alive, or a frozen one that was encoded anew.
    fn ended(&mut self) {
        let run = std::mem::take(&mut self.run);
        if self.is_frozen && self.fresh < FRESH {
            return;
        }
        self.is_frozen = false;
        if self.looks > self.habit_until {
            self.longest = 0;
        }
        if run >= HABIT {
            self.longest = self.longest.max(run);
            self.habit_until = self.looks + REMEMBERED;
        }
    }

    fn comes_back(&self, now: &Mat) -> Result<bool, HealthError> {
        let mut difference = Mat::default();
        for earlier in &self.earlier {
            core::absdiff(earlier, now, &mut difference)?;
            if share(&difference)? <= REPEATED {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Of samples that differ.
fn share(difference: &Mat) -> Result<f32, HealthError> {
    Ok(core::count_non_zero(difference)? as f32 / difference.total() as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stream whose pictures are told apart by the draw of their noise.
    #[derive(Default)]
    struct Stream {
        watch: FreezeWatch,
        before: Option<Mat>,
    }

    impl Stream {
        /// Looks at the picture of each draw, and says at which look it was first taken for frozen.
        fn look(&mut self, draws: impl IntoIterator<Item = i32>) -> Option<usize> {
            let mut frozen = None;
            for (number, draw) in draws.into_iter().enumerate() {
                let samples: Vec<u8> =
                    (0..4800i32).map(|at| 90 + (at * 7919 + draw * 4241) as u8 % 3).collect();
                let now = Mat::new_rows_cols_with_bytes::<u8>(60, 80, &samples).unwrap().try_clone().unwrap();
                if let Some(before) = &self.before {
                    let mut difference = Mat::default();
                    core::absdiff(before, &now, &mut difference).unwrap();
                    self.watch.take(before, &now, &difference, Light::Daylight).unwrap();
                }
                self.before = Some(now);
                frozen = frozen.or(self.watch.is_frozen().then_some(number));
            }
            frozen
        }
    }

    #[test]
    fn a_stream_that_never_repeats_itself_is_frozen_once_it_does() {
        let mut stream = Stream::default();
        assert_eq!(stream.look(0..30), None);
        assert!(stream.look([29; 12]).is_some_and(|look| look <= 8));
        assert_eq!(stream.look([29, 31, 31, 31, 29, 31]), Some(0), "it is encoded anew, and stays frozen");
        stream.look(100..110);
        assert!(!stream.watch.is_frozen());
    }

    #[test]
    fn a_quiet_street_in_a_stream_that_is_compressed_hard_is_alive() {
        let mut stream = Stream::default();
        let key_pictures_apart =
            |looks: i32, keys: i32| (0..keys).flat_map(move |key| vec![key; looks as usize]);
        assert_eq!(stream.look(key_pictures_apart(12, 30)), None);
        assert!(stream.look([29; 60]).is_some_and(|look| look < 45));
    }

    #[test]
    fn a_key_picture_that_comes_back_is_no_draw_of_noise() {
        let mut stream = Stream::default();
        assert_eq!(stream.look((0..6).flat_map(|key| [key; 10])), None);
        assert!(stream.look((0..6).flat_map(|key| [40 + key % 2; 10])).is_some_and(|look| look <= 25));
    }
}
