//! How well plates are read, on photographs that the networks were never trained on.
//!
//! Prints a table by data set and plate width, writes `target/accuracy/summary.json`, and fails below
//! what the product promises.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;
use milepost::vision::{Config, Picture, Sighting, Vision};
use milepost::words::{Plate, Probability, State};

#[path = "support/datasets.rs"]
mod datasets;

/// One labelled plate: where it is in its picture (left, top, right, bottom), what it says, who issued it.
struct Truth {
    bounds: Option<(f32, f32, f32, f32)>,
    plate: Option<Plate>,
    state: Option<State>,
}

/// What happened with the labelled plates of a slice.
#[derive(Default)]
struct Tally {
    plates: u32,
    found: u32,
    exact: u32,
    /// As exact, with O and 0 taken for one character.
    exact_o_is_zero: u32,
    among_ten: u32,
    states: u32,
    state_named: u32,
    state_right: u32,
}

#[test]
fn plates_are_found_and_read_as_promised() {
    let mut vision = Vision::load(&Config::default()).expect("the networks are part of the program");
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();

    let scenes = evaluation_pictures("us-scenes");
    let mut others = 0;
    for (path, truths) in &scenes {
        let picture = decode(path);
        let sightings = vision.look(picture.luma()).expect("a photograph can be looked at");
        others +=
            sightings.iter().filter(|sighting| !truths.iter().any(|truth| shows(sighting, truth))).count();
        for truth in truths {
            let sighting = sightings.iter().find(|sighting| shows(sighting, truth));
            for slice in ["us-scenes".to_owned(), width_slice(truth)] {
                tallies.entry(slice).or_default().count(truth, sighting);
            }
        }
    }
    for crops in ["us-plates", "plates-br"] {
        for (path, truths) in evaluation_pictures(crops) {
            let sighting = vision.read_crop(decode(&path).luma()).expect("a crop can be read");
            tallies.entry(crops.to_owned()).or_default().count(&truths[0], sighting.as_ref());
        }
    }

    print_table(&tallies);
    let others_per_frame = others as f64 / scenes.len() as f64;
    println!("us-scenes: {others} other things read as plates in {} frames", scenes.len());
    write_summary(&tallies, others_per_frame);
    let us = &tallies["us-scenes"];
    assert!(us.found * 100 >= us.plates * 85, "at least 85 % of the plates of US scenes must be found");
    assert!(
        us.exact * 100 >= us.plates * 60,
        "at least 60 % of the plates of US scenes must be read exactly"
    );
}

/// The evaluation part of a data set, as drawn by the training code.
fn evaluation_pictures(dataset: &str) -> Vec<(PathBuf, Vec<Truth>)> {
    let folder = datasets::folder().join(dataset);
    let scenes = us_scenes_evaluate();
    let is_evaluated = |name: &str| match dataset {
        "us-scenes" => scenes.iter().any(|start| name.starts_with(start.as_str())),
        "us-plates" => hash_bucket(dataset, name) < 20,
        _ => hash_bucket(dataset, name) < 5,
    };
    let mut truths: BTreeMap<String, Vec<Truth>> = BTreeMap::new();
    let mut rows = csv::Reader::from_path(folder.join("truth.csv")).expect("the data set has its truth");
    for row in rows.deserialize::<BTreeMap<String, String>>() {
        let row = row.expect("the truth is a table");
        if is_evaluated(&row["image"]) {
            truths.entry(row["image"].clone()).or_default().push(Truth::of(&row));
        }
    }
    assert!(!truths.is_empty(), "{dataset} has an evaluation part");
    truths.into_iter().map(|(name, truths)| (folder.join("images").join(name), truths)).collect()
}

/// The beginnings of the names that the training code keeps for evaluation.
fn us_scenes_evaluate() -> Vec<String> {
    let splits = Path::new(env!("CARGO_MANIFEST_DIR")).join("appliance/training/splits.py");
    let splits = std::fs::read_to_string(splits).expect("the training code says what it never trains on");
    let list = splits.lines().skip_while(|line| !line.starts_with("US_SCENES_EVALUATE = (")).skip(1);
    let names = list.take_while(|line| !line.starts_with(')')).filter(|line| !line.trim().starts_with('#'));
    names.flat_map(|line| line.split('"').skip(1).step_by(2)).map(str::to_owned).collect()
}

fn hash_bucket(dataset: &str, name: &str) -> u32 {
    let digest = digest::digest(&digest::SHA256, format!("{dataset}/{name}").as_bytes());
    let first: [u8; 4] = digest.as_ref()[..4].try_into().expect("a digest has 32 bytes");
    u32::from_be_bytes(first) % 100
}

fn decode(path: &Path) -> Picture {
    Picture::decode(&std::fs::read(path).expect("the picture is there")).expect("the picture is sound")
}

impl Truth {
    fn of(row: &BTreeMap<String, String>) -> Self {
        let number = |key: &str| row.get(key).and_then(|text| text.parse::<f32>().ok());
        let bounds = || {
            let (x, y) = (number("x")?, number("y")?);
            Some((x, y, x + number("width")?, y + number("height")?))
        };
        Self {
            bounds: bounds(),
            plate: row.get("plate").and_then(|text| Plate::parse(text).ok()),
            state: row.get("state").and_then(|code| State::from_code(code)),
        }
    }
}

/// Whether a sighting is where the label says (half of the joint area is shared).
fn shows(sighting: &Sighting, truth: &Truth) -> bool {
    let Some(bounds) = truth.bounds else { return true };
    let found = sighting.corners.bounds();
    let area =
        |(left, top, right, bottom): (f32, f32, f32, f32)| (right - left).max(0.0) * (bottom - top).max(0.0);
    let shared =
        area((found.0.max(bounds.0), found.1.max(bounds.1), found.2.min(bounds.2), found.3.min(bounds.3)));
    shared / (area(found) + area(bounds) - shared) >= 0.5
}

fn width_slice(truth: &Truth) -> String {
    let width = truth.bounds.map_or(0.0, |(left, _, right, _)| right - left);
    let slice = if width < 60.0 {
        "under 60 px"
    } else if width <= 90.0 {
        "60 to 90 px"
    } else {
        "over 90 px"
    };
    format!("us-scenes, {slice}")
}

impl Tally {
    fn count(&mut self, truth: &Truth, sighting: Option<&Sighting>) {
        self.plates += 1;
        self.states += u32::from(truth.state.is_some());
        let Some(sighting) = sighting else { return };
        self.found += 1;
        if let Some(truth) = truth.plate {
            let texts: Vec<Plate> = sighting
                .reading
                .candidates(10, Probability::NEVER)
                .iter()
                .map(|candidate| candidate.plate)
                .collect();
            let alike = |text: &Plate| text.as_str().replace('O', "0") == truth.as_str().replace('O', "0");
            self.exact += u32::from(texts.first() == Some(&truth));
            self.exact_o_is_zero += u32::from(texts.first().is_some_and(alike));
            self.among_ten += u32::from(texts.contains(&truth));
        }
        if let (Some(truth), Some((state, _))) = (truth.state, sighting.state.best()) {
            self.state_named += 1;
            self.state_right += u32::from(state == truth);
        }
    }

    fn shares(&self) -> [(&'static str, u32, u32); 6] {
        [
            ("found", self.found, self.plates),
            ("exact", self.exact, self.plates),
            ("exact_o_is_zero", self.exact_o_is_zero, self.plates),
            ("among_ten", self.among_ten, self.plates),
            ("state_named", self.state_named, self.states),
            ("state_right", self.state_right, self.state_named),
        ]
    }
}

fn print_table(tallies: &BTreeMap<String, Tally>) {
    println!("Shares in per cent, with the 95 % interval of each");
    print!("{:24}{:>5}", "slice", "n");
    Tally::default().shares().iter().for_each(|(name, ..)| print!("  {name:>16}"));
    println!();
    for (slice, tally) in tallies {
        print!("{slice:24}{:>5}", tally.plates);
        for (_, hits, of) in tally.shares() {
            let cell = match of {
                0 => "-".to_owned(),
                _ => {
                    let (low, high) = interval(hits, of);
                    format!("{:.1} ({low:.0}-{high:.0})", 100.0 * f64::from(hits) / f64::from(of))
                }
            };
            print!("  {cell:>16}");
        }
        println!();
    }
}

/// Wilson's interval at 95 %, in per cent.
fn interval(hits: u32, of: u32) -> (f64, f64) {
    const Z: f64 = 1.96;
    let (n, share) = (f64::from(of), f64::from(hits) / f64::from(of));
    let middle = share + Z * Z / (2.0 * n);
    let spread = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 100.0 / (1.0 + Z * Z / n);
    ((middle - spread) * scale, (middle + spread) * scale)
}

fn write_summary(tallies: &BTreeMap<String, Tally>, others_per_frame: f64) {
    let mut summary = serde_json::Map::new();
    summary.insert("us_scenes_others_per_frame".to_owned(), others_per_frame.into());
    for (slice, tally) in tallies {
        let slice = slice.replace(", ", "_").replace([' ', '-'], "_");
        summary.insert(format!("{slice}_n"), tally.plates.into());
        for (name, hits, of) in tally.shares().into_iter().filter(|(_, _, of)| *of > 0) {
            summary.insert(format!("{slice}_{name}_share"), (f64::from(hits) / f64::from(of)).into());
        }
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("accuracy");
    std::fs::create_dir_all(&folder).expect("the target folder can be written");
    let json = serde_json::to_string_pretty(&summary).expect("names and numbers are JSON");
    std::fs::write(folder.join("summary.json"), json).expect("the target folder can be written");
}
