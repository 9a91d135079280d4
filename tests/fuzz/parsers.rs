//! The parser that the environment variable `PARSER` names, fed by libFuzzer.
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

fuzz_target!(|bytes: &[u8]| {
    PARSER.with(|parser| (parser.takes)(bytes));
});
