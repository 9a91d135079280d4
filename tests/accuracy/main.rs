//! How well plates are read, on photographs that the networks were never trained on.
//!
//! Prints a table by data set and by what makes plates hard, how far confidence can be trusted, and what it
//! costs; writes `target/accuracy/summary.json`; fails below what the product promises.

mod apart;
mod passages;
mod pictures;
mod tally;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use milepost::vision::{Config, Sighting, Vision};

use pictures::{Judged, Luma, Truth};
use tally::Tally;

type Tallies = BTreeMap<String, Tally>;

/// Around a plate that somebody cut out of a scene, as a share of its sides.
const CROP_MARGIN: f32 = 0.05;

#[test]
fn plates_are_found_and_read_as_promised() {
    let mut vision = Vision::load(&Config::default()).expect("the networks are part of the program");
    let mut tallies = Tallies::new();
    let scenes = pictures::evaluation("us-scenes");
    let costs = judge_scenes(&mut vision, &scenes, &mut tallies);
    for set in ["us-plates", "us-states", "plates-br"] {
        judge_cut_outs(&mut vision, set, &mut tallies);
    }

    tally::print_table(&tallies);
    let mut all = Tally::default();
    ["us-scenes", "us-plates", "us-states", "plates-br, truth corrected"]
        .iter()
        .for_each(|set| all.add(&tallies[*set]));
    tally::print_reliability(&all);
    let mut figures = tally::figures(&tallies);
    figures.insert("calibration_error".to_owned(), all.calibration_error().into());
    figures.insert("us_scenes_others_per_frame".to_owned(), costs.others_per_frame.into());
    figures.insert("read_frame_ms_median".to_owned(), costs.frame_ms.into());
    figures.insert("read_peak_mb".to_owned(), peak_mb_of_read(&scenes[0].path).into());
    figures.insert("weights_mb".to_owned(), weights_mb().into());
    println!();
    for name in [
        "calibration_error",
        "us_scenes_others_per_frame",
        "read_frame_ms_median",
        "read_peak_mb",
        "weights_mb",
    ] {
        println!("{name:28} {:.3}", figures[name].as_f64().expect("a number"));
    }
    write_summary(&figures);

    let us = &tallies["us-scenes"];
    assert!(us.found_share() >= 0.93, "the plates of US scenes must be found: {:.3}", us.found_share());
    assert!(us.exact_share() >= 0.80, "the plates of US scenes must be read: {:.3}", us.exact_share());
    let flat = &tallies["us-plates"];
    assert!(flat.exact_share() >= 0.80, "flat plates must be read: {:.3}", flat.exact_share());
}

struct Costs {
    others_per_frame: f64,
    /// Median of finding and reading one scene, on one thread.
    frame_ms: f64,
}

fn judge_scenes(vision: &mut Vision, scenes: &[Judged], tallies: &mut Tallies) -> Costs {
    let (mut others, mut times) = (0, Vec::new());
    for scene in scenes {
        let luma = scene.luma();
        let started = Instant::now();
        let sightings = vision.look(luma.plane()).expect("a photograph can be looked at");
        times.push(started.elapsed().as_secs_f64() * 1000.0);
        let is_other = |sighting: &&Sighting| !scene.truths.iter().any(|truth| shows(sighting, truth));
        others += sightings.iter().filter(is_other).count();
        let lit = luma.infrared(&scene.truths);
        let by_lamp = vision.look(lit.plane()).expect("a dark photograph can be looked at");
        for truth in &scene.truths {
            let sighting = sightings.iter().find(|sighting| shows(sighting, truth));
            for slice in scene_slices(&luma, truth, sighting) {
                count(tallies, slice, truth, sighting);
            }
            for note in &truth.notes {
                count(tallies, &format!("us-scenes, {note}"), truth, sighting);
            }
            let sighting = by_lamp.iter().find(|sighting| shows(sighting, truth));
            count(tallies, "us-scenes, simulated infra-red", truth, sighting);
            let crop = luma.crop(truth, CROP_MARGIN);
            let sighting = vision.look_at_photograph(crop.plane()).expect("a crop can be looked at");
            count(tallies, "us-scenes, tight crops", truth, sighting.first());
        }
    }
    times.sort_by(f64::total_cmp);
    Costs { others_per_frame: others as f64 / scenes.len() as f64, frame_ms: times[times.len() / 2] }
}

fn judge_cut_outs(vision: &mut Vision, set: &str, tallies: &mut Tallies) {
    for picture in pictures::evaluation(set) {
        let truth = &picture.truths[0];
        // Some pictures of `us-states` show no plate, several, or a word that no slot holds.
        if truth.plate.is_none() {
            continue;
        }
        let luma = picture.luma();
        let sightings = vision.look_at_photograph(luma.plane()).expect("a photograph can be looked at");
        count(tallies, set, truth, sightings.first());
        if set == "plates-br" {
            let corrected = Truth { plate: truth.corrected.or(truth.plate), ..truth.clone() };
            count(tallies, "plates-br, truth corrected", &corrected, sightings.first());
            continue;
        }
        for note in &truth.notes {
            count(tallies, &format!("{set}, {note}"), truth, sightings.first());
        }
        if set == "us-states" && !truth.notes.iter().any(|note| note == "old") {
            count(tallies, "us-states, since about 1980", truth, sightings.first());
        }
    }
}

fn count(tallies: &mut Tallies, slice: &str, truth: &Truth, sighting: Option<&Sighting>) {
    tallies.entry(slice.to_owned()).or_default().count(truth, sighting);
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

/// The whole set and the parts of it that this plate belongs to. How far a plate is turned is known only of
/// those that were found.
fn scene_slices(luma: &Luma, truth: &Truth, sighting: Option<&Sighting>) -> Vec<&'static str> {
    let mut slices = vec!["us-scenes"];
    slices.push(match truth.width() {
        ..60.0 => "us-scenes, under 60 px",
        60.0..=90.0 => "us-scenes, 60 to 90 px",
        _ => "us-scenes, over 90 px",
    });
    let blurred = luma.sharpness(truth) < 0.8;
    slices.push(if blurred { "us-scenes, blurred" } else { "us-scenes, sharp" });
    if luma.mean() < 95.0 {
        slices.push("us-scenes, dark");
    }
    slices.extend(sighting.map(|sighting| match turned(sighting) {
        ..3.0 => "us-scenes, turned under 3 degrees",
        3.0..8.0 => "us-scenes, turned 3 to 8 degrees",
        _ => "us-scenes, turned over 8 degrees",
    }));
    slices
}

/// How far the plate's upper edge leans, in degrees.
fn turned(sighting: &Sighting) -> f32 {
    let [left, right, ..] = sighting.corners.0;
    ((right.1 - left.1) / (right.0 - left.0)).atan().to_degrees().abs()
}

/// The most memory that `milepost read` holds while it reads a scene, in megabytes.
fn peak_mb_of_read(scene: &Path) -> f64 {
    let output = Command::new("/usr/bin/time")
        .args(["--format", "%M", env!("CARGO_BIN_EXE_milepost"), "read", "--format", "jsonl"])
        .arg(scene)
        .output()
        .expect("the package `time` is installed");
    let errors = String::from_utf8_lossy(&output.stderr);
    let kilobytes = errors.lines().last().and_then(|line| line.parse::<f64>().ok());
    kilobytes.unwrap_or_else(|| panic!("the program reads a scene: {errors}")) / 1e3
}

fn weights_mb() -> f64 {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("appliance/models");
    let bytes = |name: &str| std::fs::metadata(models.join(name)).expect("the weights are there").len();
    (bytes("localiser.onnx") + bytes("reader.onnx")) as f64 / 1e6
}

fn write_summary(figures: &serde_json::Map<String, serde_json::Value>) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("accuracy");
    std::fs::create_dir_all(&folder).expect("the target folder can be written");
    let json = serde_json::to_string_pretty(figures).expect("names and numbers are JSON");
    std::fs::write(folder.join("summary.json"), json).expect("the target folder can be written");
}
