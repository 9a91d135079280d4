use std::fmt::Display;

/// What was made to stand behind a colon, as errors are, as a sentence of its own.
pub fn sentence(told: impl Display) -> String {
    let text = told.to_string();
    let mut characters = text.trim_end_matches('.').chars();
    let capital = characters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{capital}{}.", characters.as_str())
}

/// What is wrong with JSON that came from outside, without quoting it: serde's own words may hold a plate, or as much as
/// whoever sent it likes.
pub fn json_mistake(error: &serde_json::Error) -> &'static str {
    use serde_json::error::Category;
    match error.classify() {
        Category::Data => "a field is missing, unknown or out of its range",
        Category::Eof => "it ends early",
        Category::Syntax | Category::Io => "it is not JSON",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capital_and_one_full_stop() {
        assert_eq!(sentence("the disk is full"), "The disk is full.");
        assert_eq!(sentence("The disk is full."), "The disk is full.");
        assert_eq!(sentence("écluse"), "Écluse.");
    }
}
