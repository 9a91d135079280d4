use std::fmt::Display;

/// What was made to stand behind a colon, as errors are, as a sentence of its own.
pub fn sentence(told: impl Display) -> String {
    let text = told.to_string();
    let mut characters = text.trim_end_matches('.').chars();
    let capital = characters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{capital}{}.", characters.as_str())
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
