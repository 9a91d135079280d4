//! The real photographs that tests and benchmarks need; they are not part of the repository.

use std::path::PathBuf;

/// `$MILEPOST_DATASETS`, or `../shared/datasets`.
///
/// # Panics
/// With a sentence that says what is missing: a test without its pictures proves nothing.
pub fn folder() -> PathBuf {
    let given = std::env::var_os("MILEPOST_DATASETS").map(PathBuf::from);
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/datasets");
    let folder = given.unwrap_or(beside);
    assert!(
        folder.join("us-scenes/truth.csv").is_file(),
        "the photographs are not at {}: set MILEPOST_DATASETS to the folder that holds us-scenes, us-plates, ...",
        folder.display()
    );
    folder
}
