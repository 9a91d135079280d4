use std::path::PathBuf;

use clap::Args;

use super::Folder;
use super::keep::{What, WhoAndWhy};
use crate::hotlist::Text;
use crate::receive::export;

/// Export records for the state's central repository: a folder of JSON lines and pictures that explains itself
///
/// README.txt in it says what each file is, manifest.json who exported it, when, for whom and why, and SHA256SUMS
/// lets anybody check it. The folder's log says that the records left, and a list of their ids stays.
#[derive(Debug, Args)]
pub struct Export {
    /// The folder to make
    #[arg(long, value_name = "FOLDER")]
    to: PathBuf,
    /// Who gets it, as it is to stand in the log
    #[arg(long, value_name = "RECIPIENT")]
    recipient: Text<100>,
    #[command(flatten)]
    who: WhoAndWhy,
    #[command(flatten)]
    what: What,
    /// Only alerts, the answers to them, and reads that matched a list, with their pictures
    #[arg(long)]
    hits: bool,
    #[command(flatten)]
    folder: Folder,
}

impl Export {
    pub fn run(self) -> anyhow::Result<()> {
        let (ledger, clock) = self.folder.open()?;
        let selection = self.what.selection(self.hits);
        let manifest = export(&ledger, &clock, selection, self.recipient, self.who.deed(), &self.to)?;
        println!("Exported {} to {} (export {}).", manifest.amount, self.to.display(), manifest.id);
        if !manifest.missing_pictures.is_empty() {
            println!(
                "{} pictures that these records name are not here; manifest.json lists them.",
                manifest.missing_pictures.len()
            );
        }
        println!(
            "One file for sending: tar -cf {0}.tar {0}. Whoever gets it checks: sha256sum --check SHA256SUMS",
            self.to.display()
        );
        Ok(())
    }
}
