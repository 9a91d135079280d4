//! `milepost read` as programs and people use it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

#[path = "support/datasets.rs"]
mod datasets;

fn read(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_milepost"))
        .arg("read")
        .args(arguments)
        .output()
        .expect("the program starts")
}

fn lines(output: &Output) -> Vec<Value> {
    let text = std::str::from_utf8(&output.stdout).expect("the output is text");
    text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

fn text(path: &Path) -> &str {
    path.to_str().expect("the path is text")
}

/// A US scene whose plate is large and clear.
fn scene() -> PathBuf {
    datasets::folder().join("us-scenes/images/wts-lg-000051.jpg")
}

#[test]
fn a_picture_gives_one_line_with_its_plates() {
    let output = read(&["--format", "jsonl", text(&scene())]);
    assert!(output.status.success(), "{output:?}");
    let [line] = &lines(&output)[..] else { panic!("one line for one picture: {output:?}") };
    assert_eq!(line["source"], text(&scene()));
    assert!(line["width"].as_u64() > Some(0) && line["height"].as_u64() > Some(0));
    assert!(line["ms"].as_f64().expect("a number") > 0.0);
    let plate = &line["plates"][0];
    assert_eq!(plate["candidates"][0]["text"], plate["text"]);
    assert_eq!(plate["candidates"][0]["confidence"], plate["confidence"]);
    let corners = plate["corners"].as_array().expect("corners");
    assert_eq!(corners.len(), 4);
    // Clockwise from the top left.
    let at = |corner: usize, axis: usize| corners[corner][axis].as_f64().expect("a coordinate");
    assert!(at(0, 0) < at(1, 0) && at(1, 1) < at(2, 1) && at(3, 0) < at(2, 0) && at(0, 1) < at(3, 1));
    assert!(plate["state"].is_null() || plate["state"].as_str().is_some_and(|code| code.len() == 2));
    assert!(plate["state_confidence"].is_number());
}

#[test]
fn a_crop_gives_the_plate_it_shows() {
    let crop = datasets::folder().join("us-plates/images/ak1165.jpg");
    let output = read(&["--format", "jsonl", "--crop", text(&crop)]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(lines(&output)[0]["plates"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_clip_gives_one_line_for_its_vehicle() {
    let clip = datasets::folder().join("clips/uk-approach.mp4");
    let output = read(&["--format", "jsonl", text(&clip)]);
    assert!(output.status.success(), "{output:?}");
    let lines = lines(&output);
    let seconds = |line: &Value, key: &str| line[key].as_f64().expect("a number");
    // A red car comes into view at the very end, its plate 42 pixels wide: it may be read or not.
    let (last, first): (Vec<&Value>, Vec<&Value>) =
        lines.iter().partition(|line| seconds(line, "start_s") > 4.0);
    let [line] = first[..] else { panic!("one passage of the one vehicle: {lines:?}") };
    assert!(last.len() <= 1, "{last:?}");
    assert_eq!(line["plates"].as_array().map(Vec::len), Some(1));
    assert_eq!(line["plates"][0]["text"], "LS15EBC");
    let (start, end) = (seconds(line, "start_s"), seconds(line, "end_s"));
    assert!((0.0..end).contains(&start) && end < 5.0, "{start} to {end}");
}

#[test]
fn what_cannot_be_read_is_said_after_the_rest_is_done() {
    let folder = tempfile::tempdir().expect("a folder");
    let damaged = folder.path().join("damaged.jpg");
    std::fs::write(&damaged, "no picture").expect("written");
    let output = read(&["--format", "jsonl", text(&damaged), "/no/such.jpg", text(&scene())]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(lines(&output).len(), 1, "the sound picture is read");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(errors.contains(text(&damaged)) && errors.contains("/no/such.jpg"), "{errors}");
}

#[test]
fn the_table_names_the_file_and_a_folder_is_walked() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::copy(scene(), folder.path().join("car.jpg")).expect("copied");
    let output = read(&[text(folder.path())]);
    assert!(output.status.success(), "{output:?}");
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(table.starts_with("SOURCE") && table.contains("car.jpg"), "{table}");
}
