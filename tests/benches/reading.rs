//! How long a look at one frame takes, on one thread.

use criterion::{Criterion, criterion_group, criterion_main};
use milepost::vision::{Config, Picture, Vision};

#[path = "../support/datasets.rs"]
mod datasets;

/// A 1280x720 frame with one plate: find and read, the picture already decoded.
fn read_frame(criterion: &mut Criterion) {
    let path = datasets::folder().join("us-scenes/images/12c6cb72-3ea3-49e7-b381-e0cdfc5e8960.jpg");
    let picture = Picture::decode(&std::fs::read(path).expect("the picture is there")).expect("it is sound");
    assert_eq!((picture.luma().width, picture.luma().height), (1280, 720));
    let mut vision = Vision::load(&Config::default()).expect("the networks are part of the program");
    criterion.bench_function("read_frame", |bencher| {
        bencher.iter(|| vision.look(picture.luma()).expect("the picture can be looked at"));
    });
}

criterion_group!(benches, read_frame);
criterion_main!(benches);
