//! How two pictures of one scene lie against each other: shift, turn and scale, with the share that agrees.
//!
//! The scene is cut into tiles. Each tile's own shift is found by phase correlation (Kuglin and Hines, 1975), and
//! most of them agree on one similarity: traffic, shadows and drops do not. Where the pictures lie too far apart
//! for tiles to find themselves, turn and scale come from the log-polar spectrum (Reddy and Chatterji, 1996).

use opencv::core::{self, BORDER_REPLICATE, CV_32F, Mat, Point2d, Point2f, Rect, Scalar, Size};
use opencv::imgproc::{self, INTER_AREA, INTER_LINEAR, WARP_INVERSE_MAP, WARP_POLAR_LOG};
use opencv::prelude::*;

use super::HealthError;
use super::similarity::{Pair, Point, Similarity};

/// Side of a tile: large enough for a shift of a quarter of it, small enough that a turn is none within it.
const TILE: i32 = 64;

/// Tiles start about so far apart.
const PITCH: f64 = 52.0;

/// The most textured tiles are enough.
const TILES_MAX: usize = 40;

/// Standard deviation of the field within a tile below which there is nothing to find again.
const TEXTURED: f64 = 0.06;

/// Fewer tiles than this can agree by chance.
const AGREEING_MIN: usize = 5;

/// From this share on nothing better is looked for.
const SURE: f32 = 0.3;

/// Neighbourhood, in pixels, against which an edge is strong or weak: makes light and shade alike.
const NEIGHBOURHOOD: i32 = 31;

/// Gradient, in luma steps a pixel, that noise makes by itself.
const NOISE_GRADIENT: f64 = 2.0;

/// Columns and rows of the log-polar spectrum: radius, and angle over the half turn that is not repeated.
const POLAR: i32 = 180;

/// What lasts of a picture in any light: how strong each edge is among its neighbours, 0-1.
pub(super) struct Pattern {
    pub field: Mat,
    /// Left upper corners, the most textured first.
    tiles: Vec<(i32, i32)>,
    small: Mat,
    spectrum: Mat,
}

impl Pattern {
    /// Whether there is anything to recognise.
    pub fn is_textured(&self) -> bool {
        self.tiles.len() > 2 * AGREEING_MIN
    }
}

/// Where the scene is now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fit {
    /// From then to now.
    pub similarity: Similarity,
    /// Share of the tiles in view that agree.
    pub agreement: f32,
}

/// Registers pictures of one size.
pub(super) struct Registrar {
    size: Size,
    tile_window: Mat,
    small_window: Mat,
    /// With alternating signs, which move the spectrum's origin to its middle.
    signed_window: Mat,
    polar_window: Mat,
}

impl Registrar {
    /// None where the pictures are too small to be cut into tiles.
    pub fn new(size: Size) -> Result<Option<Self>, HealthError> {
        if size.width < 3 * TILE || size.height < 2 * TILE {
            return Ok(None);
        }
        let small = Size::new(size.width / 2, size.height / 2);
        let hanning = |size| -> Result<Mat, opencv::Error> {
            let mut window = Mat::default();
            imgproc::create_hanning_window(&mut window, size, CV_32F)?;
            Ok(window)
        };
        let small_window = hanning(small)?;
        let mut signed_window = small_window.try_clone()?;
        for row in 0..small.height {
            for (column, value) in signed_window.at_row_mut::<f32>(row)?.iter_mut().enumerate() {
                if (row as usize + column) % 2 == 1 {
                    *value = -*value;
                }
            }
        }
        // Angles go round; only the radius has ends.
        let square = hanning(Size::new(POLAR, POLAR))?;
        let middle = square.row(POLAR / 2)?.try_clone()?;
        let polar_window = core::repeat(&middle, POLAR, 1)?;
        let tile_window = hanning(Size::new(TILE, TILE))?;
        Ok(Some(Self { size, tile_window, small_window, signed_window, polar_window }))
    }

    pub fn pattern(&self, picture: &Mat) -> Result<Pattern, HealthError> {
        let field = field(picture)?;
        let mut small = Mat::default();
        let size = Size::new(self.size.width / 2, self.size.height / 2);
        imgproc::resize(&field, &mut small, size, 0.0, 0.0, INTER_AREA)?;
        let spectrum = self.spectrum(&small)?;
        Ok(Pattern { tiles: self.textured(&field)?, field, small, spectrum })
    }

    fn textured(&self, field: &Mat) -> Result<Vec<(i32, i32)>, HealthError> {
        let places = |side: i32| {
            let count = (f64::from(side - TILE) / PITCH).ceil().max(1.0) as i32;
            (0..=count).map(move |step| step * (side - TILE) / count)
        };
        let mut tiles = Vec::new();
        for y in places(self.size.height) {
            for x in places(self.size.width) {
                let (mut mean, mut deviation) = (Mat::default(), Mat::default());
                let tile = Mat::roi(field, Rect::new(x, y, TILE, TILE))?;
                core::mean_std_dev(&tile, &mut mean, &mut deviation, &core::no_array())?;
                tiles.push((*deviation.at::<f64>(0)?, (x, y)));
            }
        }
        tiles.retain(|(texture, _)| *texture >= TEXTURED);
        tiles.sort_by(|a, b| b.0.total_cmp(&a.0));
        tiles.truncate(TILES_MAX);
        Ok(tiles.into_iter().map(|(_, corner)| corner).collect())
    }

    /// Where `now` lies against `then`; `guess` is tried first, which is cheap. None where nothing agrees.
    pub fn register(
        &self,
        then: &Pattern,
        now: &Pattern,
        guess: Similarity,
        look_far: bool,
    ) -> Result<Option<Fit>, HealthError> {
        let near = self.refined(then, now, guess)?;
        if near.is_some_and(|fit| fit.agreement >= SURE) || !look_far {
            return Ok(near);
        }
        let far = match self.coarse(then, now)? {
            Some(coarse) => self.refined(then, now, coarse)?,
            None => None,
        };
        Ok([near, far].into_iter().flatten().max_by(|a, b| a.agreement.total_cmp(&b.agreement)))
    }

    /// `now` brought to where `then` has it.
    pub fn aligned(&self, now: &Mat, similarity: &Similarity) -> Result<Mat, HealthError> {
        let mut aligned = Mat::default();
        imgproc::warp_affine(
            now,
            &mut aligned,
            &similarity.matrix()?,
            self.size,
            INTER_LINEAR | WARP_INVERSE_MAP,
            BORDER_REPLICATE,
            Scalar::default(),
        )?;
        Ok(aligned)
    }

    fn refined(&self, then: &Pattern, now: &Pattern, guess: Similarity) -> Result<Option<Fit>, HealthError> {
        // The first round finds the tiles, the second measures where they lie.
        let Some(first) = self.round(then, now, guess, 6.0, 2.0)? else { return Ok(None) };
        let centre = (f64::from(self.size.width) / 2.0, f64::from(self.size.height) / 2.0);
        let corner = (0.0, 0.0);
        let correction = [centre, corner].map(|place| {
            let (before, after) = (guess.apply(place), first.similarity.apply(place));
            (after.0 - before.0).hypot(after.1 - before.1)
        });
        if correction.iter().all(|pixels| *pixels < 0.5) && first.agreement >= SURE {
            return Ok(Some(first));
        }
        self.round(then, now, first.similarity, 2.5, 1.0)
    }

    fn round(
        &self,
        then: &Pattern,
        now: &Pattern,
        guess: Similarity,
        apart: f64,
        within: f64,
    ) -> Result<Option<Fit>, HealthError> {
        let aligned = self.aligned(&now.field, &guess)?;
        let mut pairs = Vec::with_capacity(then.tiles.len());
        for &(x, y) in &then.tiles {
            let middle = (f64::from(x + TILE / 2), f64::from(y + TILE / 2));
            if !self.shows(guess.apply(middle)) {
                continue;
            }
            let place = Rect::new(x, y, TILE, TILE);
            let (before, after) = (Mat::roi(&then.field, place)?, Mat::roi(&aligned, place)?);
            let shift = shift_between(&before, &after, &self.tile_window)?.0;
            pairs.push((middle, (middle.0 + shift.x, middle.1 + shift.y)));
        }
        let Some((step, agreeing)) = consensus(&pairs, apart, within) else { return Ok(None) };
        let agreement = agreeing as f32 / pairs.len() as f32;
        Ok(Some(Fit { similarity: guess.after(&step), agreement }))
    }

    /// Whether at least half of a tile around this place is in the picture.
    fn shows(&self, (x, y): Point) -> bool {
        let margin = f64::from(TILE) / 8.0;
        (margin..f64::from(self.size.width) - margin).contains(&x)
            && (margin..f64::from(self.size.height) - margin).contains(&y)
    }

    /// Finds a view that lies far off, to a few pixels.
    fn coarse(&self, then: &Pattern, now: &Pattern) -> Result<Option<Similarity>, HealthError> {
        let (Point2d { x, y }, _) = shift_between(&then.spectrum, &now.spectrum, &self.polar_window)?;
        let reach = f64::from(then.small.cols().max(then.small.rows())) / 2.0;
        let scale = (-x * reach.ln() / f64::from(POLAR)).exp();
        let (sin, cos) = (y * 180.0 / f64::from(POLAR)).to_radians().sin_cos();
        let centre = (f64::from(then.small.cols() - 1) / 2.0, f64::from(then.small.rows() - 1) / 2.0);
        let mut best: Option<(f64, Similarity)> = None;
        for (re, im) in [(1.0, 0.0), (scale * cos, scale * sin)] {
            let turn = Similarity { re, im, x: 0.0, y: 0.0 };
            let (turned_x, turned_y) = turn.apply(centre);
            let turn = Similarity { x: centre.0 - turned_x, y: centre.1 - turned_y, ..turn };
            let mut warped = Mat::default();
            imgproc::warp_affine(
                &now.small,
                &mut warped,
                &turn.matrix()?,
                now.small.size()?,
                INTER_LINEAR | WARP_INVERSE_MAP,
                core::BORDER_CONSTANT,
                Scalar::default(),
            )?;
            let (shift, response) = shift_between(&then.small, &warped, &self.small_window)?;
            if best.is_none_or(|(before, _)| response > before) {
                let moved = Similarity { x: shift.x, y: shift.y, ..Similarity::IDENTITY };
                best = Some((response, turn.after(&moved).enlarged(2.0)));
            }
        }
        Ok(best.map(|(_, similarity)| similarity))
    }

    /// Magnitudes of the spectrum over the logarithm of the frequency and its direction: a turn and a change of
    /// scale are shifts there, and a shift is nothing.
    fn spectrum(&self, small: &Mat) -> Result<Mat, HealthError> {
        let mean = core::mean(small, &core::no_array())?;
        let mut centred = Mat::default();
        core::subtract_def(small, &mean, &mut centred)?;
        let mut windowed = Mat::default();
        core::multiply_def(&centred, &self.signed_window, &mut windowed)?;
        let side = small.cols().max(small.rows());
        let side = core::get_optimal_dft_size(side)?;
        let mut square = Mat::default();
        core::copy_make_border_def(
            &windowed,
            &mut square,
            0,
            side - small.rows(),
            0,
            side - small.cols(),
            core::BORDER_CONSTANT,
        )?;
        let mut transformed = Mat::default();
        core::dft(&square, &mut transformed, core::DFT_COMPLEX_OUTPUT, small.rows())?;
        let mut parts = core::Vector::<Mat>::new();
        core::split(&transformed, &mut parts)?;
        let mut strength = Mat::default();
        core::magnitude(&parts.get(0)?, &parts.get(1)?, &mut strength)?;
        let mut raised = Mat::default();
        core::add_def(&strength, &Scalar::all(1.0), &mut raised)?;
        core::log(&raised, &mut strength)?;
        let middle = side as f32 / 2.0;
        let mut polar = Mat::default();
        imgproc::warp_polar(
            &strength,
            &mut polar,
            Size::new(POLAR, 2 * POLAR),
            Point2f::new(middle, middle),
            f64::from(small.cols().max(small.rows())) / 2.0,
            WARP_POLAR_LOG | INTER_LINEAR,
        )?;
        // The other half turn shows the same.
        Ok(Mat::roi(&polar, Rect::new(0, 0, POLAR, POLAR))?.try_clone()?)
    }
}

/// How far `now` is shifted against `then`, and how sharply that shows, 0-1.
fn shift_between(
    then: &impl MatTraitConstManual,
    now: &impl MatTraitConstManual,
    window: &Mat,
) -> Result<(Point2d, f64), HealthError> {
    let mut response = 0.0;
    // OpenCV 4.6 lays the window over the very pictures that it is given, where they need no padding.
    let (then, now) = (then.try_clone()?, now.try_clone()?);
    let shift = imgproc::phase_correlate(&then, &now, window, Some(&mut response))?;
    Ok((shift, response))
}

/// How strong each edge is among its neighbours: the same by day, in the shade and under a lamp.
fn field(picture: &Mat) -> Result<Mat, HealthError> {
    let mut smooth = Mat::default();
    imgproc::gaussian_blur_def(picture, &mut smooth, Size::new(7, 7), 1.2)?;
    let (mut across, mut down) = (Mat::default(), Mat::default());
    // Sobel's 3x3 kernel sums to four steps of gradient.
    imgproc::sobel(&smooth, &mut across, CV_32F, 1, 0, 3, 0.25, 0.0, core::BORDER_DEFAULT)?;
    imgproc::sobel(&smooth, &mut down, CV_32F, 0, 1, 3, 0.25, 0.0, core::BORDER_DEFAULT)?;
    let mut strength = Mat::default();
    core::magnitude(&across, &down, &mut strength)?;
    let mut around = Mat::default();
    imgproc::blur_def(&strength, &mut around, Size::new(NEIGHBOURHOOD, NEIGHBOURHOOD))?;
    let mut both = Mat::default();
    core::add_weighted_def(&strength, 1.0, &around, 1.0, NOISE_GRADIENT, &mut both)?;
    let mut field = Mat::default();
    core::divide2_def(&strength, &both, &mut field)?;
    Ok(field)
}

/// The similarity that most pairs agree on, and how many do.
fn consensus(pairs: &[Pair], apart: f64, within: f64) -> Option<(Similarity, usize)> {
    let shift = |pair: &Pair| (pair.1.0 - pair.0.0, pair.1.1 - pair.0.1);
    let near = |centre: Point| {
        let agrees = move |pair: &&Pair| {
            let own = shift(pair);
            (own.0 - centre.0).hypot(own.1 - centre.1) < apart
        };
        pairs.iter().filter(agrees).copied().collect::<Vec<_>>()
    };
    let mut agreeing = pairs.iter().map(|pair| near(shift(pair))).max_by_key(Vec::len)?;
    let mut similarity = Similarity::IDENTITY;
    for _ in 0..4 {
        if agreeing.len() < AGREEING_MIN {
            return None;
        }
        similarity = Similarity::fitted(&agreeing);
        let agrees = |pair: &&Pair| {
            let (x, y) = similarity.apply(pair.0);
            (x - pair.1.0).hypot(y - pair.1.1) < within
        };
        agreeing = pairs.iter().filter(agrees).copied().collect();
    }
    (agreeing.len() >= AGREEING_MIN).then_some((similarity, agreeing.len()))
}

#[cfg(test)]
mod tests {
    use super::super::scenes::{Camera, Pose};
    use super::*;

    fn look(camera: &mut Camera, pose: Pose) -> Mat {
        let frame = camera.frame(pose);
        let luma = frame.luma();
        let full = Mat::new_rows_cols_with_bytes::<u8>(720, 1280, luma.data).unwrap();
        let mut look = Mat::default();
        imgproc::resize(&full, &mut look, Size::new(640, 360), 0.0, 0.0, INTER_AREA).unwrap();
        look
    }

    /// What should be measured at the middle of a look of half the frame's size.
    fn error(fit: Fit, pose: Pose) -> (f64, f64, f64) {
        let (x, y) = fit.similarity.shift_at((319.5, 179.5));
        (
            (2.0 * x - pose.x).hypot(2.0 * y - pose.y),
            (fit.similarity.turned_deg() - pose.turned_deg).abs(),
            (fit.similarity.scale() / pose.scale - 1.0).abs(),
        )
    }

    #[test]
    fn a_view_is_found_again_however_it_was_turned_and_lit() {
        let mut camera = Camera::over("wts-lg-000021.jpg");
        let registrar = Registrar::new(Size::new(640, 360)).unwrap().unwrap();
        let then = registrar.pattern(&look(&mut camera, Pose::default())).unwrap();
        for pose in [
            Pose { gain: 0.35, x: 5.0, ..Pose::default() },
            Pose { x: -83.0, gain: 0.7, ..Pose::default() },
            Pose { x: -60.0, y: 30.0, turned_deg: 2.0, scale: 1.05, ..Pose::default() },
            Pose { x: 20.0, y: -90.0, turned_deg: -8.0, scale: 0.85, ..Pose::default() },
        ] {
            let now = registrar.pattern(&look(&mut camera, pose)).unwrap();
            let fit = registrar.register(&then, &now, Similarity::IDENTITY, true).unwrap().unwrap();
            let (shift, turn, scale) = error(fit, pose);
            assert!(shift < 1.0 && turn < 0.1 && scale < 0.003, "{shift} {turn} {scale} {fit:?}");
            let again = registrar.register(&then, &now, fit.similarity, false).unwrap().unwrap();
            assert!(again.agreement >= fit.agreement - 0.1, "measuring changes nothing: {fit:?} {again:?}");
        }
    }

    #[test]
    fn two_views_with_nothing_in_common_agree_on_nothing() {
        let registrar = Registrar::new(Size::new(640, 360)).unwrap().unwrap();
        let pattern = |name| registrar.pattern(&look(&mut Camera::over(name), Pose::default())).unwrap();
        let (then, now) = (pattern("wts-lg-000021.jpg"), pattern("car3.jpg"));
        let fit = registrar.register(&then, &now, Similarity::IDENTITY, true).unwrap();
        assert!(fit.is_none_or(|fit| fit.agreement < 0.15), "{fit:?}");
    }
}
