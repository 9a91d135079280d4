//! What the department's policy asks for is answered, what the threat model promises is kept, and each is proved by
//! a test or a file that exists.

use std::path::Path;

#[test]
fn every_clause_of_the_policy_names_tests_that_exist() {
    for [clause, _, proofs] in rows("config/policy/traceability.md", 12) {
        let tests: Vec<&str> = quoted(&proofs).filter(|proof| proof.contains(".rs: ")).collect();
        assert!(!tests.is_empty(), "{clause}: no test is named");
        tests.into_iter().for_each(|test| assert_is_test(&clause, test));
    }
}

#[test]
fn every_line_of_the_threat_model_names_proofs_that_exist() {
    for [attack, _, proofs] in rows("config/policy/threat-model.md", 28) {
        let proofs: Vec<&str> = quoted(&proofs).collect();
        assert!(!proofs.is_empty(), "{attack}: no proof is named");
        for proof in proofs {
            match proof.contains(": ") {
                true => assert_is_test(&attack, proof),
                false => assert!(root().join(proof).is_file(), "{attack}: {proof} is gone"),
            }
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The rows of all tables of a page, which have three columns; at least so many.
fn rows(page: &str, at_least: usize) -> Vec<[String; 3]> {
    let text = std::fs::read_to_string(root().join(page)).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let is_row = |index: &usize| {
        let is_head = lines.get(index + 1).is_some_and(|next| next.starts_with("|---"));
        lines[*index].starts_with("| ") && !is_head
    };
    let rows: Vec<[String; 3]> = (0..lines.len())
        .filter(is_row)
        .map(|index| {
            let cells = lines[index].trim_matches('|').split('|').map(|cell| cell.trim().to_owned());
            cells
                .collect::<Vec<_>>()
                .try_into()
                .unwrap_or_else(|_| panic!("not three cells: {}", lines[index]))
        })
        .collect();
    assert!(rows.len() >= at_least, "{page} has lost rows: {}", rows.len());
    rows
}

/// What stands in backticks.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// `FILE: TEST` is a test in that file.
fn assert_is_test(clause: &str, proof: &str) {
    let (file, test) = proof.split_once(": ").expect("FILE: TEST");
    let source = std::fs::read_to_string(root().join(file)).unwrap_or_else(|_| panic!("{file} is gone"));
    let (before, _) = source
        .split_once(&format!("fn {test}("))
        .unwrap_or_else(|| panic!("{clause}: {file} has no test {test}"));
    let attributes = before.rsplit("}\n").next().unwrap_or_default();
    assert!(attributes.contains("#[test]"), "{clause}: {test} in {file} is not a test");
}
