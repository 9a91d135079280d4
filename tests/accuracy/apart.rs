//! What judges does not train.

use std::collections::BTreeSet;
use std::process::Command;

use super::pictures;

/// Asks the training code, without its libraries, for each set: what trains, what chooses, what judges, and
/// the text and state of flat plates that train although they judge.
const QUESTION: &str = "
import sys
from training import splits, truths
judged = truths.judged()
for dataset in sys.argv[1:]:
    flat = truths.of_flat_plates(dataset)
    for part in (splits.TRAIN, splits.VALIDATE, splits.EVALUATE):
        for name in truths.names(dataset, part):
            again = part != splits.EVALUATE and flat.get(name) in judged
            print(dataset, part, name, 'again' if again else '')
";

#[test]
fn no_picture_that_judges_trains_or_chooses() {
    let sets = ["us-scenes", "us-plates", "us-states", "plates-br"];
    let output = Command::new("python3")
        .args(["-c", QUESTION])
        .args(sets)
        .env("PYTHONPATH", pictures::training().parent().expect("it lies in the appliance's folder"))
        .env("MILEPOST_DATASETS", pictures::datasets())
        .output()
        .expect("python3 starts");
    let answer = String::from_utf8(output.stdout).expect("the answer is text");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines: Vec<Vec<&str>> = answer.lines().map(|line| line.split(' ').collect()).collect();
    for set in sets {
        let part = |part: &str| -> BTreeSet<String> {
            let lines = lines.iter().filter(|line| line[0] == set && line[1] == part);
            lines.map(|line| line[2].to_owned()).collect()
        };
        let (train, validate, evaluate) = (part("train"), part("validate"), part("evaluate"));
        assert!(!train.is_empty() && !evaluate.is_empty(), "{set} has both parts");
        assert!(
            train.is_disjoint(&evaluate) && validate.is_disjoint(&evaluate) && train.is_disjoint(&validate)
        );
        let judged: BTreeSet<String> = pictures::evaluation(set).iter().map(pictures::Judged::name).collect();
        assert_eq!(judged, evaluate, "this test judges on what the training code keeps for it");
    }
    let again: Vec<_> = lines.iter().filter(|line| line[3] == "again").collect();
    assert!(again.is_empty(), "another photograph of a plate that judges trains: {again:?}");
}
