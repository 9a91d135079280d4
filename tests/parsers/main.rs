//! No bytes from outside make a parser panic, and good ones are taken.

mod list;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// A change that a broken link, a broken program or a liar makes.
#[derive(Debug, Clone)]
enum Change {
    Flip { at: usize, bit: u8 },
    Put { at: usize, bytes: Vec<u8> },
    Cut { from: usize, length: usize },
    Double { from: usize, length: usize },
}

fn change() -> impl Strategy<Value = Change> {
    // What parsers stumble over: bounds of numbers and texts, nesting, other alphabets, zero.
    let odd: [&[u8]; 12] = [
        b"\0",
        b"\"",
        b"\\u0000",
        b"{",
        b"[[[[",
        b"-1",
        b"18446744073709551616",
        b"1e400",
        "\u{410}".as_bytes(),
        b"\xff\xfe",
        b"null",
        b"9999-12-31T23:59:60Z",
    ];
    let odd: Vec<Vec<u8>> = odd.iter().map(|bytes| bytes.to_vec()).collect();
    let at = 0..4096usize;
    prop_oneof![
        (at.clone(), 0..8u8).prop_map(|(at, bit)| Change::Flip { at, bit }),
        (at.clone(), proptest::sample::select(odd)).prop_map(|(at, bytes)| Change::Put { at, bytes }),
        (at.clone(), 1..64usize).prop_map(|(from, length)| Change::Cut { from, length }),
        (at, 1..64usize).prop_map(|(from, length)| Change::Double { from, length }),
    ]
}

fn changed(mut bytes: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    for change in changes {
        let within = |at: usize| at % (bytes.len() + 1);
        match change {
            Change::Flip { at, bit } => {
                let at = within(*at);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << bit;
                }
            }
            Change::Put { at, bytes: put } => {
                let at = within(*at);
                bytes.splice(at..at, put.iter().copied());
            }
            Change::Cut { from, length } => {
                let from = within(*from);
                bytes.drain(from..(from + length).min(bytes.len()));
            }
            Change::Double { from, length } => {
                let from = within(*from);
                let part = bytes[from..(from + length).min(bytes.len())].to_vec();
                bytes.splice(from..from, part);
            }
        }
    }
    bytes
}

#[test]
fn every_example_is_taken() {
    for parser in list::all() {
        for example in &parser.examples {
            assert!((parser.takes)(example), "{}: {}", parser.name, String::from_utf8_lossy(example));
        }
    }
}

#[test]
fn nothing_makes_a_parser_panic() {
    for parser in list::all() {
        let cases = if parser.name == "configuration" { 2_000 } else { 20_000 };
        let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
        let example = proptest::sample::select(parser.examples.clone());
        let near = (example, proptest::collection::vec(change(), 1..6))
            .prop_map(|(example, changes)| changed(example, &changes));
        let any = proptest::collection::vec(any::<u8>(), 0..300);
        let tried = runner.run(&prop_oneof![4 => near, 1 => any], |bytes| {
            (parser.takes)(&bytes);
            Ok(())
        });
        tried.unwrap_or_else(|error| panic!("{}: {error}", parser.name));
    }
}
