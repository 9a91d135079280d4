//! The photographs that judge, with what stands on them: the parts that the training code keeps apart.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;
use milepost::capture::Plane;
use milepost::vision::Picture;
use milepost::words::{Plate, State};

#[path = "../support/datasets.rs"]
mod photographs;

/// One labelled plate: where it is in its picture (left, top, right, bottom), what it says, who issued it.
#[derive(Clone)]
pub struct Truth {
    pub bounds: Option<(f32, f32, f32, f32)>,
    pub plate: Option<Plate>,
    pub state: Option<State>,
    /// What it says where the published truth is wrong.
    pub corrected: Option<Plate>,
    /// What makes it hard, in the words of `appliance/training/texts`.
    pub notes: Vec<String>,
}

pub struct Judged {
    pub path: PathBuf,
    pub truths: Vec<Truth>,
}

/// A picture's luma that may be worked on.
pub struct Luma {
    pub data: Vec<u8>,
    pub width: usize,
    pub height: usize,
}

/// The evaluation part of a data set, as drawn by the training code.
pub fn evaluation(dataset: &str) -> Vec<Judged> {
    let folder = datasets().join(dataset);
    let (scenes, transcribed) = (us_scenes_evaluate(), transcribed(dataset));
    let judges = |name: &str| match dataset {
        "us-scenes" => scenes.iter().any(|start| name.starts_with(start.as_str())),
        "us-plates" => hash_bucket(dataset, name) < 20,
        _ => hash_bucket(dataset, name) < 5,
    };
    let mut pictures: BTreeMap<String, Vec<Truth>> = BTreeMap::new();
    let mut rows = csv::Reader::from_path(folder.join("truth.csv")).expect("the data set has its truth");
    for row in rows.deserialize::<BTreeMap<String, String>>() {
        let mut row = row.expect("the truth is a table");
        if let Some(read_by_eye) = transcribed.get(&row["image"]) {
            let key = if row.contains_key("plate") { "corrected" } else { "plate" };
            row.extend(read_by_eye.get("plate").map(|text| (key.to_owned(), text.clone())));
            row.insert("notes".to_owned(), read_by_eye["notes"].clone());
        }
        if judges(&row["image"]) {
            pictures.entry(row["image"].clone()).or_default().push(Truth::of(&row));
        }
    }
    assert!(!pictures.is_empty(), "{dataset} has an evaluation part");
    let judged = |(name, truths)| Judged { path: folder.join("images").join(name), truths };
    pictures.into_iter().map(judged).collect()
}

/// What was read by eye where the published truth has no text or a wrong one: the row of each picture.
fn transcribed(dataset: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let name = if dataset == "us-scenes" { "us-scenes-notes" } else { dataset };
    let path = training().join("texts").join(name).with_extension("csv");
    if !path.exists() {
        return BTreeMap::new();
    }
    let mut rows = csv::Reader::from_path(path).expect("the texts are part of the repository");
    let rows = rows.deserialize::<BTreeMap<String, String>>().map(|row| row.expect("the texts are a table"));
    rows.map(|row| (row["image"].clone(), row)).collect()
}

pub fn datasets() -> PathBuf {
    photographs::folder()
}

pub fn training() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("appliance/training")
}

/// The beginnings of the names that the training code keeps for evaluation.
fn us_scenes_evaluate() -> BTreeSet<String> {
    let splits = std::fs::read_to_string(training().join("splits.py")).expect("it says what never trains");
    let list = splits.lines().skip_while(|line| !line.starts_with("US_SCENES_EVALUATE = (")).skip(1);
    let names = list.take_while(|line| !line.starts_with(')')).filter(|line| !line.trim().starts_with('#'));
    names.flat_map(|line| line.split('"').skip(1).step_by(2)).map(str::to_owned).collect()
}

fn hash_bucket(dataset: &str, name: &str) -> u32 {
    let digest = digest::digest(&digest::SHA256, format!("{dataset}/{name}").as_bytes());
    let first: [u8; 4] = digest.as_ref()[..4].try_into().expect("a digest has 32 bytes");
    u32::from_be_bytes(first) % 100
}

impl Judged {
    pub fn name(&self) -> String {
        self.path.file_name().expect("a picture has a name").to_string_lossy().into_owned()
    }

    pub fn luma(&self) -> Luma {
        let file = std::fs::read(&self.path).expect("the picture is there");
        let picture = Picture::decode(&file).expect("the picture is sound");
        let Plane { data, width, height, .. } = picture.luma();
        Luma { data: data.to_vec(), width, height }
    }
}

impl Truth {
    fn of(row: &BTreeMap<String, String>) -> Self {
        let number = |key: &str| row.get(key).and_then(|text| text.parse::<f32>().ok());
        let plate = |key: &str| row.get(key).and_then(|text| Plate::parse(text).ok());
        let bounds = || {
            let (x, y) = (number("x")?, number("y")?);
            Some((x, y, x + number("width")?, y + number("height")?))
        };
        Self {
            bounds: bounds(),
            plate: plate("plate"),
            corrected: plate("corrected"),
            state: row.get("state").and_then(|code| State::from_code(code)),
            notes: row
                .get("notes")
                .map_or("", String::as_str)
                .split_whitespace()
                .map(str::to_owned)
                .collect(),
        }
    }

    /// The plate's width in its picture, in pixels.
    pub fn width(&self) -> f32 {
        self.bounds.map_or(0.0, |(left, _, right, _)| right - left)
    }
}

impl Luma {
    pub fn plane(&self) -> Plane<'_> {
        Plane { data: &self.data, width: self.width, height: self.height, stride: self.width }
    }

    pub fn mean(&self) -> f32 {
        self.data.iter().map(|&value| f32::from(value)).sum::<f32>() / self.data.len() as f32
    }

    /// The plate with `margin` (a share of its sides) around it, as somebody would cut it out.
    pub fn crop(&self, truth: &Truth, margin: f32) -> Luma {
        let (left, top, right, bottom) = truth.bounds.expect("a scene's plate has its place");
        let (x, y) = (margin * (right - left), margin * (bottom - top));
        let columns = self.span(left - x, right + x, self.width);
        let rows = self.span(top - y, bottom + y, self.height);
        let (width, height) = (columns.len(), rows.len());
        let data = rows.flat_map(|row| &self.data[row * self.width..][columns.clone()]).copied().collect();
        Luma { data, width, height }
    }

    fn span(&self, from: f32, to: f32, end: usize) -> std::ops::Range<usize> {
        (from.max(0.0) as usize)..(to.ceil() as usize).min(end)
    }

    /// As an infra-red lamp shows it: the plate's sheet shines back, everything else is dark.
    pub fn infrared(&self, truths: &[Truth]) -> Luma {
        let mut lit = self.data.iter().map(|&value| (f32::from(value) * 0.3) as u8).collect::<Vec<u8>>();
        for (left, top, right, bottom) in truths.iter().filter_map(|truth| truth.bounds) {
            for row in self.span(top, bottom, self.height) {
                for column in self.span(left, right, self.width) {
                    let at = row * self.width + column;
                    let shine = 255.0 / (1.0 + ((105.0 - f32::from(self.data[at])) / 22.0).exp());
                    lit[at] = shine as u8;
                }
            }
        }
        Luma { data: lit, width: self.width, height: self.height }
    }

    /// How fine the plate's detail is against its contrast: 0.3 where it is blurred, 1.5 where each stroke
    /// ends in a pixel.
    pub fn sharpness(&self, truth: &Truth) -> f32 {
        let plate = self.crop(truth, 0.0);
        let values: Vec<f32> = plate.data.iter().map(|&value| f32::from(value)).collect();
        let mean = values.iter().sum::<f32>() / values.len() as f32;
        let contrast = values.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / values.len() as f32;
        let bends =
            values.chunks(plate.width).flat_map(|row| row.windows(3).map(|at| at[0] + at[2] - 2.0 * at[1]));
        let (sum, count) = bends.fold((0.0, 0), |(sum, count), bend| (sum + bend * bend, count + 1));
        (sum / count as f32 / contrast.max(1.0)).sqrt()
    }
}
