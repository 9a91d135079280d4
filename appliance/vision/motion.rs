use std::time::Duration;

use crate::capture::Plane;
use crate::words::Moment;

/// The picture is judged by this many blocks across and down: at 1280x720 a block is 20 pixels wide,
/// half of the smallest plate that can be read.
const BLOCKS: (usize, usize) = (64, 36);

/// Every how many pixels of a block one is looked at, in both directions: a tenth of a millisecond a
/// frame, and noise still averages out.
const STEP: usize = 3;

/// A block has changed if its mean grey, less what the whole picture's changed, differs by this much:
/// above a compressor's flicker and a sensor's noise at night.
const CHANGE: f32 = 8.0;

/// So many changed blocks are something that moves.
const CHANGED_MIN: usize = 2;

/// A still scene is looked at this often all the same: a vehicle may stand in it.
const STILL_INTERVAL: Duration = Duration::from_secs(1);

/// Tells which frames of one camera are worth a look: those in which something moved since the last
/// one looked at, and one each second.
#[derive(Default)]
pub struct MotionGate {
    looked_at: Option<(Moment, Blocks)>,
    stir: f32,
}

/// Mean grey of each block, and of all.
struct Blocks {
    size: (usize, usize),
    means: Vec<f32>,
    mean: f32,
}

impl MotionGate {
    /// Whether to look at this frame; if so, it is what the next ones are compared with.
    pub fn opens(&mut self, luma: Plane<'_>, taken: Moment) -> bool {
        let now = Blocks::of(luma);
        let (mut opens, mut moved) = (true, 0.0);
        if let Some((last, before)) = &self.looked_at {
            let changed = now.changed(before);
            let since = taken.since(last);
            if changed >= CHANGED_MIN {
                moved = changed as f32 / now.means.len() as f32 * since.min(STILL_INTERVAL).as_secs_f32();
            }
            opens = changed >= CHANGED_MIN || since >= STILL_INTERVAL;
        }
        if opens {
            self.stir += moved;
            self.looked_at = Some((taken, now));
        }
        opens
    }

    /// How much has moved since this was last asked: the share of the picture that did, summed over seconds.
    pub fn take_stir(&mut self) -> f32 {
        std::mem::take(&mut self.stir)
    }
}

impl Blocks {
    fn of(luma: Plane<'_>) -> Self {
        let columns = BLOCKS.0.min(luma.width).max(1);
        let rows = BLOCKS.1.min(luma.height).max(1);
        let mut means = Vec::with_capacity(columns * rows);
        for row in 0..rows {
            let lines = || (row * luma.height / rows..(row + 1) * luma.height / rows).step_by(STEP);
            for column in 0..columns {
                let (from, to) = (column * luma.width / columns, (column + 1) * luma.width / columns);
                let (mut sum, mut count) = (0u32, 0u32);
                for y in lines() {
                    for &grey in luma.row(y)[from..to].iter().step_by(STEP) {
                        sum += u32::from(grey);
                        count += 1;
                    }
                }
                means.push(sum as f32 / count.max(1) as f32);
            }
        }
        let mean = means.iter().sum::<f32>() / means.len() as f32;
        Self { size: (luma.width, luma.height), means, mean }
    }

    /// How many blocks differ; all of them in a picture of another size.
    fn changed(&self, before: &Self) -> usize {
        if self.size != before.size {
            return self.means.len().max(CHANGED_MIN);
        }
        // What changes everywhere alike is a cloud or the camera's exposure.
        let brightened = self.mean - before.mean;
        let changed = |(now, before): &(&f32, &f32)| (*now - *before - brightened).abs() > CHANGE;
        self.means.iter().zip(&before.means).filter(changed).count()
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    const WIDTH: usize = 640;
    const HEIGHT: usize = 360;

    fn at(ms: u64) -> Moment {
        Moment { uptime: Duration::from_millis(ms), wall: Timestamp::UNIX_EPOCH }
    }

    /// A noisy road of mean grey `grey` with a bright plate whose left edge is at `plate`, if any.
    fn opens(gate: &mut MotionGate, ms: u64, grey: u8, plate: Option<usize>) -> bool {
        let noise = |index: usize| ((index as u64 * 7919 + ms * 104_729) % 21) as u8;
        let mut data: Vec<u8> = (0..WIDTH * HEIGHT).map(|index| grey + noise(index)).collect();
        for y in plate.map_or(0..0, |_| 100..120) {
            let left = y * WIDTH + plate.unwrap_or(0);
            data[left..left + 40].fill(220);
        }
        gate.opens(Plane { data: &data, width: WIDTH, height: HEIGHT, stride: WIDTH }, at(ms))
    }

    #[test]
    fn a_still_scene_is_looked_at_once_a_second() {
        let mut gate = MotionGate::default();
        let looks: Vec<u64> = (0..30).map(|n| n * 100).filter(|&ms| opens(&mut gate, ms, 90, None)).collect();
        assert_eq!(looks, [0, 1000, 2000]);
    }

    #[test]
    fn whatever_moves_is_looked_at_even_slowly() {
        let mut gate = MotionGate::default();
        opens(&mut gate, 0, 90, None);
        assert!(opens(&mut gate, 33, 90, Some(200)), "it appears");
        assert!(!opens(&mut gate, 66, 90, Some(200)), "it stands");
        assert!((3..9).any(|n| opens(&mut gate, n * 33, 90, Some(200 + 3 * n as usize))), "it creeps");
    }

    #[test]
    fn a_cloud_is_no_motion_and_another_picture_size_is_a_new_scene() {
        let mut gate = MotionGate::default();
        opens(&mut gate, 0, 90, None);
        assert!(!opens(&mut gate, 33, 120, None));
        let other = Plane { data: &[90; 32], width: 8, height: 4, stride: 8 };
        assert!(gate.opens(other, at(66)));
    }
}
