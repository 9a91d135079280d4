use super::ScenePlate;
use super::canvas::{Colour, grey};
use crate::words::State;

/// A US plate in metres: 12 by 6 inches.
pub(super) const WIDTH_M: f32 = 0.3048;
pub(super) const HEIGHT_M: f32 = 0.1524;

/// The largest picture of a plate; half as high as wide. The camera sees none wider than 220 pixels whole.
const WIDTH: usize = 240;

/// The 36 characters as coverage, in the order `0-9A-Z`; what they are made from stands beside the file.
const ATLAS: &[u8] = include_bytes!("glyphs.pgm");
const ATLAS_HEADER: &[u8] = b"P5\n1440 64\n255\n";
const CELL_WIDTH: usize = 40;
const CELL_HEIGHT: usize = 64;

// A regenerated atlas of another size must not compile.
const _: () = assert!(ATLAS.len() == ATLAS_HEADER.len() + 36 * CELL_WIDTH * CELL_HEIGHT);

/// Steps small enough that a plate is never reduced by more than a third when it is looked at.
const WIDTHS: [usize; 6] = [WIDTH, 160, 120, 80, 60, 40];

/// A drawn plate at several sizes, so that one look is enough for each pixel, near and far.
pub(super) struct PlatePicture {
    /// Largest first.
    sizes: [Size; WIDTHS.len()],
}

struct Size {
    pixels: Vec<Colour>,
    width: usize,
    height: usize,
}

impl PlatePicture {
    pub fn draw(plate: &ScenePlate, light: f32) -> Self {
        let (ground, ink) = colours(plate.state);
        let state = plate.state.name().to_ascii_uppercase();
        let largest = Size::of(WIDTH, 2, |x, y| {
            let inked = ink_at(plate.plate.as_str(), &state, x, y);
            // The middle of a plate bulges a little and catches more light.
            let bulge = 1.0 - 0.08 * (x - 0.5).abs() - 0.10 * (y - 0.45).abs();
            if is_hole(x, y) { grey(50.0) } else { ground.mixed(ink, inked).lit(light * bulge) }
        });
        let sizes = WIDTHS.map(|width| Size::of(width, WIDTH.div_ceil(width), |x, y| largest.at(x, y)));
        Self { sizes }
    }

    /// The colour at a place of the plate, both 0 to 1 from its top left, when it is seen `width_px` wide.
    pub fn at(&self, x: f32, y: f32, width_px: f32) -> Colour {
        let fitting = self.sizes.iter().rev().find(|size| size.width as f32 >= width_px);
        fitting.unwrap_or(&self.sizes[0]).at(x, y)
    }
}

impl Size {
    /// Each pixel is the mean of `looks` by `looks` places.
    fn of(width: usize, looks: usize, colour: impl Fn(f32, f32) -> Colour) -> Self {
        let height = width / 2;
        let pixels = (0..width * height)
            .map(|index| {
                let place = |start: usize, look: usize| start as f32 + (look as f32 + 0.5) / looks as f32;
                let mut mean = grey(0.0);
                for look in 0..looks * looks {
                    let x = place(index % width, look % looks) / width as f32;
                    let y = place(index / width, look / looks) / height as f32;
                    mean = mean.mixed(colour(x, y), 1.0 / (look + 1) as f32);
                }
                mean
            })
            .collect();
        Self { pixels, width, height }
    }

    /// Bilinear.
    fn at(&self, x: f32, y: f32) -> Colour {
        let x = (x * self.width as f32 - 0.5).clamp(0.0, self.width as f32 - 1.001);
        let y = (y * self.height as f32 - 0.5).clamp(0.0, self.height as f32 - 1.001);
        let (column, row) = (x as usize, y as usize);
        let (dx, dy) = (x - column as f32, y - row as f32);
        let pixel = |dx: usize, dy: usize| self.pixels[(row + dy) * self.width + column + dx];
        pixel(0, 0).mixed(pixel(1, 0), dx).mixed(pixel(0, 1).mixed(pixel(1, 1), dx), dy)
    }
}

/// Ground and ink, after the states' usual plates; a rough likeness is enough for traffic.
fn colours(state: State) -> (Colour, Colour) {
    const WHITE: Colour = Colour::rgb(232.0, 234.0, 236.0);
    const NAVY: Colour = Colour::rgb(24.0, 34.0, 92.0);
    const RED: Colour = Colour::rgb(158.0, 26.0, 34.0);
    const GREEN: Colour = Colour::rgb(16.0, 70.0, 44.0);
    const BLACK: Colour = Colour::rgb(26.0, 26.0, 28.0);
    match state {
        State::Ma | State::Oh => (WHITE, RED),
        State::Ny | State::Nj => (Colour::rgb(236.0, 196.0, 92.0), BLACK),
        State::Vt => (Colour::rgb(26.0, 92.0, 60.0), WHITE),
        State::Nh | State::Co | State::Wa | State::Or => (WHITE, GREEN),
        State::Tx | State::Fl | State::Ga | State::Va => (WHITE, BLACK),
        _ => (WHITE, NAVY),
    }
}

/// How much ink lies at a place of the plate, 0 to 1: border, state, characters.
fn ink_at(characters: &str, state: &str, x: f32, y: f32) -> f32 {
    let (from_left, from_top) = (x.min(1.0 - x) * 2.0, y.min(1.0 - y));
    let edge = from_left.min(from_top);
    if (0.02..0.035).contains(&edge) {
        return 0.8;
    }
    let name = Line { middle: 0.5, top: 0.075, height: 0.115, pitch: 0.052, filled: 0.86 };
    let pitch = (0.86 / characters.len() as f32).min(0.135);
    let text = Line { middle: 0.5, top: 0.295, height: 0.46, pitch, filled: 0.84 };
    (name.ink(state, x, y) * 0.9).max(text.ink(characters, x, y))
}

/// Two bolts above, two below.
fn is_hole(x: f32, y: f32) -> bool {
    let (dx, dy) = ((x - 0.5).abs() - 0.38, (y - 0.5).abs() - 0.41);
    (dx * 2.0).hypot(dy) < 0.03 && dx.abs() < 0.03
}

/// One line of text, in shares of the plate's width (across) and height (down).
struct Line {
    middle: f32,
    top: f32,
    height: f32,
    /// From one character to the next.
    pitch: f32,
    /// The share of the pitch that a character takes.
    filled: f32,
}

impl Line {
    fn ink(&self, text: &str, x: f32, y: f32) -> f32 {
        let down = (y - self.top) / self.height;
        let along = (x - self.middle) / self.pitch + text.len() as f32 / 2.0;
        if !(0.0..1.0).contains(&down) || along < 0.0 {
            return 0.0;
        }
        let Some(character) = text.as_bytes().get(along as usize) else { return 0.0 };
        let within = (along.fract() - 0.5) / self.filled + 0.5;
        if (0.0..1.0).contains(&within) { coverage(*character, within, down) } else { 0.0 }
    }
}

/// Bilinear in the atlas; a space, and all that is not in it, has none.
fn coverage(character: u8, x: f32, y: f32) -> f32 {
    let cell = match character {
        b'0'..=b'9' => character - b'0',
        b'A'..=b'Z' => character - b'A' + 10,
        _ => return 0.0,
    };
    let x = (x * CELL_WIDTH as f32 - 0.5).clamp(0.0, CELL_WIDTH as f32 - 1.001);
    let y = (y * CELL_HEIGHT as f32 - 0.5).clamp(0.0, CELL_HEIGHT as f32 - 1.001);
    let (column, row) = (x as usize, y as usize);
    let (dx, dy) = (x - column as f32, y - row as f32);
    let sample = |dx: usize, dy: usize| {
        let column = usize::from(cell) * CELL_WIDTH + column + dx;
        f32::from(ATLAS[ATLAS_HEADER.len() + (row + dy) * 36 * CELL_WIDTH + column])
    };
    let upper = sample(0, 0) * (1.0 - dx) + sample(1, 0) * dx;
    let lower = sample(0, 1) * (1.0 - dx) + sample(1, 1) * dx;
    (upper * (1.0 - dy) + lower * dy) / 255.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Plate;

    #[test]
    fn the_atlas_is_what_the_code_takes_it_for() {
        assert!(ATLAS.starts_with(ATLAS_HEADER));
        // The middle of an I is ink, the middle of an O is not.
        assert!(coverage(b'I', 0.5, 0.5) > 0.9);
        assert!(coverage(b'O', 0.5, 0.5) < 0.1);
        assert_eq!(coverage(b' ', 0.5, 0.5), 0.0);
    }

    #[test]
    fn a_plate_shows_its_characters_dark_on_light() {
        let plate = ScenePlate { plate: Plate::parse("IIIIIII").unwrap(), state: State::Ma };
        let picture = PlatePicture::draw(&plate, 1.0);
        let pitch = 0.86 / 7.0;
        assert!(picture.at(0.5, 0.5, 240.0).y < 90.0, "the middle of the fourth I");
        assert!(picture.at(0.5 + pitch / 2.0, 0.5, 240.0).y > 180.0, "between two of them");
    }
}
