//! What the department's policy asks for is answered, and every answer is proved by a test that exists.

use std::path::Path;

#[test]
fn every_clause_names_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = std::fs::read_to_string(root.join("config/policy/traceability.md")).unwrap();
    let rows: Vec<&str> = table.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    assert!(rows.len() >= 12, "the table has lost rows: {}", rows.len());
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [clause, _, proofs] = cells[..] else { panic!("not three cells: {row}") };
        let proofs: Vec<&str> = proofs.split('`').filter(|proof| proof.contains(".rs: ")).collect();
        assert!(!proofs.is_empty(), "{clause}: no test is named");
        for proof in proofs {
            let (file, test) = proof.split_once(": ").expect("FILE: TEST");
            let source =
                std::fs::read_to_string(root.join(file)).unwrap_or_else(|_| panic!("{file} is gone"));
            let (before, _) = source
                .split_once(&format!("fn {test}("))
                .unwrap_or_else(|| panic!("{clause}: {file} has no test {test}"));
            let attributes = before.rsplit("}\n").next().unwrap_or_default();
            assert!(attributes.contains("#[test]"), "{clause}: {test} in {file} is not a test");
        }
    }
}
