//! Does the camera still look where it was aimed?
//!
//! The street without its traffic is registered against the references every two seconds; what is told is the
//! middle of the last few measurements, so that a pole in the wind averages out.

use std::collections::VecDeque;

use jiff::Timestamp;
use opencv::core::{Mat, Size};
use opencv::prelude::*;

use super::HealthError;
use super::background::Background;
use super::displacement::{Displacement, Lens};
use super::grid::{self, Cell, Texture};
use super::references::{Light, Reference, References};
use super::registration::{Fit, Pattern, Registrar};
use super::similarity::Similarity;
use crate::words::PersonName;

/// Looks from one measurement to the next.
const MEASURE_EVERY: u32 = 2;

/// Measurements of which the middle one is told.
const WINDOW: usize = 5;

/// A smaller share of the scene agrees by chance, or is a lorry's side.
const AGREEING: f32 = 0.15;

/// From this share on no other reference is asked.
const SURE: f32 = 0.3;

/// After so many measurements in vain only every fifth looks far, which costs ten times as much.
const VAIN_MAX: u32 = 5;

/// Measurements, over five minutes and more, after which a cell that was hardly ever recognised shows no street: a vehicle
/// stood there when the view was taken.
const PROVEN_AFTER: u32 = 150;
const PROVEN_SHARE: u32 = 5;

/// Weight of a new measurement in what agreed of late.
const STRENGTH_FADE: f32 = 0.1;

/// From this likeness on a cell is recognised.
const RECOGNISED: f32 = 0.3;

/// Follows one camera's view against its references.
pub(super) struct AlignmentWatch {
    references: Option<References>,
    background: Background,
    registrar: Option<Registrar>,
    size: Size,
    looks: u32,
    /// The references made ready; None where one was taken of a picture of another shape.
    anchors: Vec<Option<Anchor>>,
    /// Where the scene last was, from the person's view to now, and by which reference.
    last: Similarity,
    by: usize,
    recent: VecDeque<Option<Fit>>,
    vain: u32,
    /// The agreement of late, as it was when the view was last recognised.
    strength: Option<f32>,
    present: Option<Present>,
    has_proven: bool,
}

struct Anchor {
    pattern: Pattern,
    texture: Texture,
    offset: Similarity,
    street: Vec<bool>,
    /// Measurements by this reference, and how often each cell was recognised.
    measured: u32,
    recognised: Vec<u32>,
}

/// The newest measurement.
pub(super) struct Present {
    /// The street without its traffic.
    pub picture: Mat,
    pub is_textured: bool,
    pub matched: Option<Matched>,
}

/// What the view was recognised by.
pub(super) struct Matched {
    /// Which of the references' views.
    pub view: usize,
    pub fit: Fit,
    /// What each cell of that view showed, and shows now.
    pub cells: Vec<Cell>,
}

impl AlignmentWatch {
    pub fn new(references: Option<References>) -> Self {
        Self {
            references,
            background: Background::default(),
            registrar: None,
            size: Size::default(),
            looks: 0,
            anchors: Vec::new(),
            last: Similarity::IDENTITY,
            by: 0,
            recent: VecDeque::new(),
            vain: 0,
            strength: None,
            present: None,
            has_proven: false,
        }
    }

    pub fn references(&self) -> Option<&References> {
        self.references.as_ref()
    }

    pub fn references_mut(&mut self) -> Option<&mut References> {
        self.references.as_mut()
    }

    /// Takes in one look, about once a second. True when there is a new measurement.
    pub fn look(&mut self, look: &Mat) -> Result<bool, HealthError> {
        if look.size()? != self.size {
            *self = Self::new(self.references.take());
            self.size = look.size()?;
            self.registrar = Registrar::new(self.size)?;
            self.prepare()?;
        }
        self.background.take(look)?;
        self.looks = self.looks.wrapping_add(1);
        if !self.looks.is_multiple_of(MEASURE_EVERY) {
            return Ok(false);
        }
        let Some(picture) = self.background.picture()? else { return Ok(false) };
        let Some(registrar) = &self.registrar else { return Ok(false) };
        let pattern = registrar.pattern(&picture)?;
        let matched =
            if pattern.is_textured() { self.recognised(registrar, &picture, &pattern)? } else { None };
        self.vain = if matched.is_some() { 0 } else { self.vain.saturating_add(1) };
        let total = matched.as_ref().map(|matched| {
            let similarity = self.total(matched.view, &matched.fit);
            Fit { similarity, agreement: matched.fit.agreement }
        });
        if let (Some(total), Some(matched)) = (total, &matched) {
            (self.last, self.by) = (total.similarity, matched.view);
            let before = self.strength.unwrap_or(total.agreement);
            self.strength = Some(before + STRENGTH_FADE * (total.agreement - before));
            self.prove(matched.view, &matched.cells);
        }
        if self.recent.len() == WINDOW {
            self.recent.pop_front();
        }
        self.recent.push_back(total);
        self.present = Some(Present { picture, is_textured: pattern.is_textured(), matched });
        Ok(true)
    }

    /// The present view as the one that this person verified, in place of all others; false until the view has
    /// settled, about ten seconds after the camera's start. `shown`: what its cells show, and in which no vehicle stands.
    pub fn verify(
        &mut self,
        by: PersonName,
        at: Timestamp,
        light: Light,
        shown: (Texture, Vec<bool>),
    ) -> Result<bool, HealthError> {
        let Some(picture) = self.background.picture()? else { return Ok(false) };
        let view = Reference::new(light, at, false, &picture, shown, Similarity::IDENTITY)?;
        self.references = Some(References::new(by, at, view));
        self.prepare()?;
        self.recent.clear();
        (self.last, self.by, self.vain) = (Similarity::IDENTITY, 0, 0);
        (self.strength, self.present) = (None, None);
        Ok(true)
    }

    /// The present view as what the verified aim looks like in this light.
    pub fn learn(
        &mut self,
        at: Timestamp,
        light: Light,
        shown: (Texture, Vec<bool>),
    ) -> Result<(), HealthError> {
        let (Some(references), Some(present)) = (&mut self.references, &self.present) else { return Ok(()) };
        let view = Reference::new(light, at, true, &present.picture, shown, self.last)?;
        references.learn(view);
        self.by = 0;
        self.prepare()
    }

    pub fn present(&self) -> Option<&Present> {
        self.present.as_ref()
    }

    /// A look of some eight seconds ago.
    pub fn before(&self) -> Option<&Mat> {
        self.background.oldest()
    }

    /// Measurements since the view was last recognised.
    pub fn in_vain(&self) -> u32 {
        self.vain
    }

    /// How much of the scene agreed in the last minute in which the view was recognised; None if it never was.
    pub fn strength(&self) -> Option<f32> {
        self.strength
    }

    /// Whether no reference fits the picture's shape.
    pub fn is_incomparable(&self) -> bool {
        !self.anchors.is_empty() && self.anchors.iter().all(Option::is_none)
    }

    /// The middle of the last measurements in each respect; None while most of them failed. `factor` leads from a look's
    /// pixels to the frame's.
    pub fn displacement(&self, factor: f64, lens: Lens) -> Option<Displacement> {
        let fits: Vec<&Fit> = self.recent.iter().flatten().collect();
        if fits.len() < WINDOW.div_ceil(2) || fits.len() * 2 < self.recent.len() {
            return None;
        }
        let centre = (f64::from(self.size.width - 1) / 2.0, f64::from(self.size.height - 1) / 2.0);
        let middle = |of: &dyn Fn(&Fit) -> f64| {
            let mut values: Vec<f64> = fits.iter().map(|fit| of(fit)).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2] as f32
        };
        Some(Displacement::new(
            (
                middle(&|fit| fit.similarity.shift_at(centre).0 * factor),
                middle(&|fit| fit.similarity.shift_at(centre).1 * factor),
            ),
            middle(&|fit| fit.similarity.turned_deg()),
            middle(&|fit| fit.similarity.scale()),
            middle(&|fit| f64::from(fit.agreement)),
            lens,
        ))
    }

    /// What was in the view when it was taken and has left since is not missed for ever.
    fn prove(&mut self, view: usize, cells: &[Cell]) {
        let Some(Some(anchor)) = self.anchors.get_mut(view) else { return };
        if anchor.measured > PROVEN_AFTER {
            return;
        }
        anchor.measured += 1;
        for (times, cell) in anchor.recognised.iter_mut().zip(cells) {
            *times += u32::from(cell.likeness > RECOGNISED);
        }
        if anchor.measured == PROVEN_AFTER
            && let Some(reference) = self.references.as_mut().and_then(|all| all.view_mut(view))
        {
            for (street, times) in reference.street.iter_mut().zip(&anchor.recognised) {
                *street &= times * PROVEN_SHARE >= PROVEN_AFTER;
            }
            self.has_proven |= anchor.street != reference.street;
            anchor.street.clone_from(&reference.street);
        }
    }

    /// Whether the references have changed by that since the last call.
    pub fn take_proven(&mut self) -> bool {
        std::mem::take(&mut self.has_proven)
    }

    fn prepare(&mut self) -> Result<(), HealthError> {
        self.anchors.clear();
        let (Some(registrar), Some(references)) = (&self.registrar, &self.references) else { return Ok(()) };
        for view in references.views() {
            let picture = view.picture()?;
            let fits = picture.size()? == self.size;
            let anchor = if fits {
                let texture = Texture::of(&picture, 0.0)?;
                Some(Anchor {
                    pattern: registrar.pattern(&picture)?,
                    offset: view.offset,
                    street: view.street.clone(),
                    measured: 0,
                    recognised: vec![0; texture.cells()],
                    texture,
                })
            } else {
                None
            };
            self.anchors.push(anchor);
        }
        Ok(())
    }

    fn total(&self, view: usize, fit: &Fit) -> Similarity {
        let offset = self.anchors[view].as_ref().map_or(Similarity::IDENTITY, |anchor| anchor.offset);
        fit.similarity.after(&offset)
    }

    /// The reference that agrees best, the last one asked first.
    fn recognised(
        &self,
        registrar: &Registrar,
        picture: &Mat,
        now: &Pattern,
    ) -> Result<Option<Matched>, HealthError> {
        let look_far = self.vain < VAIN_MAX || self.vain.is_multiple_of(VAIN_MAX);
        let mut best: Option<(usize, Fit)> = None;
        let others = (0..self.anchors.len()).filter(|view| *view != self.by);
        for view in std::iter::once(self.by).chain(others) {
            let Some(Some(anchor)) = self.anchors.get(view) else { continue };
            let guess = self.last.after(&anchor.offset.inverse());
            let fit = registrar.register(&anchor.pattern, now, guess, look_far)?;
            if let Some(fit) = fit.filter(|fit| fit.agreement >= AGREEING)
                && best.is_none_or(|(_, best)| fit.agreement > best.agreement)
            {
                best = Some((view, fit));
            }
            if best.is_some_and(|(_, best)| best.agreement >= SURE) {
                break;
            }
        }
        let Some((view, fit)) = best else { return Ok(None) };
        let anchor = self.anchors[view].as_ref().expect("it was just compared with");
        let field = registrar.aligned(&now.field, &fit.similarity)?;
        let texture = Texture::of(&registrar.aligned(picture, &fit.similarity)?, 0.0)?;
        let mut cells = grid::compared(&anchor.pattern.field, &anchor.texture, &field, &texture)?;
        cells.iter_mut().zip(&anchor.street).for_each(|(cell, street)| cell.is_street = *street);
        Ok(Some(Matched { view, fit, cells }))
    }
}
