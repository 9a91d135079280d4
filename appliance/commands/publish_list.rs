//! Publishing a hot list for the demo and for simulated units, by the commands that a department would use.

use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};

/// Publishes the list `name` with the vehicles of `export` (CSV). `folder` holds `lists.key`, `authority.pem`, and
/// `publisher.pem` with its key; what an earlier run has left there is replaced.
pub fn publish_list(folder: &Path, name: &str, port: u16, export: &str) -> anyhow::Result<()> {
    let gone = |removed: std::io::Result<()>| match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    gone(std::fs::remove_file(folder.join("list.jsonl")))?;
    gone(std::fs::remove_dir_all(folder.join("edition")))?;
    std::fs::write(folder.join("export.csv"), export)?;
    for words in [
        "import export.csv --out list.jsonl --authority Demo".to_owned(),
        format!("sign list.jsonl --list {name} --key lists.key --out edition"),
        format!(
            "publish edition --broker localhost:{port} --ca authority.pem --cert publisher.pem --key publisher.key"
        ),
    ] {
        hotlist_command(folder, &words)?;
    }
    Ok(())
}

fn hotlist_command(folder: &Path, words: &str) -> anyhow::Result<()> {
    println!("  $ milepost hotlist {words}");
    let program = std::env::current_exe().context("this program does not know where it lies")?;
    let mut command = Command::new(program);
    let output = command.arg("hotlist").args(words.split(' ')).current_dir(folder).output()?;
    ensure!(
        output.status.success(),
        "milepost hotlist {words} failed:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
