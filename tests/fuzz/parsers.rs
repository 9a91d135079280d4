//! The parser that the environment variable `PARSER` names, fed by libFuzzer; `CORPUS` is the folder that it begins from.
#![no_main]

#[path = "../parsers/list.rs"]
mod list;

use libfuzzer_sys::fuzz_target;

thread_local! {
    static PARSER: list::Parser = {
        let wanted = std::env::var("PARSER").expect("PARSER names the parser to be fuzzed");
        let known: Vec<&str> = list::all().iter().map(|parser| parser.name).collect();
        let found = list::all().into_iter().find(|parser| parser.name == wanted);
        found.unwrap_or_else(|| panic!("{wanted} is not one of {known:?}"))
    };
}

/// Before libFuzzer reads its corpus.
fn begin_from_examples() {
    let corpus = std::path::PathBuf::from(std::env::var_os("CORPUS").expect("CORPUS names a folder"));
    PARSER.with(|parser| {
        for (number, example) in parser.examples.iter().enumerate() {
            let path = corpus.join(format!("example-{number}"));
            std::fs::write(path, example).expect("the folder is there and can be written");
        }
    });
}

fuzz_target!(
    init: begin_from_examples(),
    |bytes: &[u8]| {
        PARSER.with(|parser| (parser.takes)(bytes));
    }
);
