//! The edition folder: a list, signed and cut into messages, ready to be published.
//!
//! | file | what |
//! |---|---|
//! | `edition.json` | which list and version, how many chunks; for `publish` and people, not signed |
//! | `manifest.json` | the signed manifest, as it travels; absent if only a delta was made |
//! | `chunks/0`, `chunks/1`, ... | the chunks, as they travel |
//! | `delta` | the signed delta, as it travels, if there is one |

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::keys::{self, Passphrase};
use super::{list_file, number};
use crate::crypto::{Digest, SigningKey, VerifyingKey};
use crate::hotlist::{
    Category, Delta, ENTRIES_MAX, Entry, Listed, MANUAL_LIST, MESSAGE_MAX, Manifest, PATTERNS_MAX, Removal,
    SAME_PLATE_MAX, digest_of_chunks, pack_list, unpack_chunk,
};
use crate::words::ListName;

#[derive(Debug, clap::Args)]
pub struct Sign {
    /// The list file
    file: PathBuf,
    /// The name of the list, as units are configured with it
    #[arg(long)]
    list: ListName,
    /// A private key that signs; give it twice for two signatures
    #[arg(long, required = true, value_name = "FILE")]
    key: Vec<PathBuf>,
    #[command(flatten)]
    passphrase: Passphrase,
    /// The edition folder to make
    #[arg(long, short, value_name = "FOLDER")]
    out: PathBuf,
    /// Must be higher than every version before; without it the present time in seconds
    #[arg(long)]
    version: Option<u64>,
    /// The date of the list's content, if it is not now; its age counts from here
    #[arg(long)]
    issued: Option<Timestamp>,
    /// Hours after which the list is to be called out of date (it still matches)
    #[arg(long, value_name = "HOURS")]
    expires_h: Option<u32>,
    /// The list file of the edition before, so that a delta is made too
    #[arg(long, value_name = "FILE", requires = "previous_version")]
    previous: Option<PathBuf>,
    /// The version of the edition before
    #[arg(long, value_name = "VERSION", requires = "previous")]
    previous_version: Option<u64>,
    /// Make the delta alone: units that hold the edition before follow, new ones keep taking the last snapshot
    #[arg(long, requires = "previous")]
    delta_only: bool,
    /// Sign even a list without entries
    #[arg(long)]
    allow_empty: bool,
}

#[derive(Debug, clap::Args)]
pub struct Inspect {
    /// An edition folder or a list file
    path: PathBuf,
    /// The public key that must have signed the edition; give it twice for either of two
    #[arg(long, value_parser = VerifyingKey::parse, value_name = "BASE64")]
    key: Vec<VerifyingKey>,
}

/// `edition.json`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Summary {
    pub list: ListName,
    pub version: u64,
    pub base: Option<u64>,
    pub issued: Timestamp,
    pub entries: u64,
    pub chunks: Option<u32>,
    pub delta: bool,
}

/// What leads from one list to another.
pub struct Changes {
    pub gone: Vec<Entry>,
    pub added: Vec<Entry>,
    pub unchanged: usize,
}

/// Compares two lists. A removal takes out every entry of a plate and state, so if one of them changed, all
/// of them count as gone and the new ones as added.
pub fn changes(old: &[Entry], new: &[Entry]) -> Changes {
    let mut both: BTreeMap<Removal, (Vec<&Entry>, Vec<&Entry>)> = BTreeMap::new();
    old.iter().for_each(|entry| both.entry(Removal::of(entry)).or_default().0.push(entry));
    new.iter().for_each(|entry| both.entry(Removal::of(entry)).or_default().1.push(entry));
    let mut changes = Changes { gone: Vec::new(), added: Vec::new(), unchanged: 0 };
    for (mut before, mut after) in both.into_values() {
        before.sort();
        after.sort();
        if before == after {
            changes.unchanged += before.len();
        } else {
            changes.gone.extend(before.into_iter().cloned());
            changes.added.extend(after.into_iter().cloned());
        }
    }
    changes
}

impl Sign {
    pub fn run(self) -> anyhow::Result<()> {
        let open =
            |path: &PathBuf| keys::open(path, &self.passphrase).context("the signing key is of no use");
        let keys = self.key.iter().map(open).collect::<anyhow::Result<Vec<SigningKey>>>()?;
        let public: Vec<VerifyingKey> = keys.iter().map(SigningKey::verifying_key).collect();
        let keys: Vec<&SigningKey> = keys.iter().collect();
        ensure!(self.list.as_str() != MANUAL_LIST, "the name {MANUAL_LIST} is kept for units' own entries");
        let entries = list_file::read(&self.file)?;
        ensure!(
            !entries.is_empty() || self.allow_empty,
            "{} has no entries: an empty list takes every vehicle off it (--allow-empty if that is meant)",
            self.file.display()
        );
        check(&entries).with_context(|| format!("units would refuse {}", self.file.display()))?;
        let issued = self.issued.unwrap_or_else(Timestamp::now);
        let now = u64::try_from(Timestamp::now().as_second()).context("the clock is before 1970")?;
        let version = self.version.unwrap_or(now);
        let expires =
            self.expires_h.map(|hours| issued.checked_add(SignedDuration::from_hours(hours.into())));
        let expires = expires.transpose().context("--expires-h leads beyond the year 9999")?;
        if let Some(base) = self.previous_version {
            ensure!(base < version, "version {version} must be higher than {base}, the one before");
        }
        ensure!(
            !self.out.exists(),
            "{} is there already; an edition is never overwritten",
            self.out.display()
        );

        let chunks = if self.delta_only { Vec::new() } else { pack_list(&entries) };
        let digests: Vec<Digest> = chunks.iter().map(|chunk| Digest::of(chunk)).collect();
        let count = entries.len() as u64;
        let mut steps = String::new();
        let delta = match (&self.previous, self.previous_version) {
            (Some(previous), Some(base)) => {
                let changes = changes(&list_file::read(previous)?, &entries);
                let mut remove: Vec<Removal> = changes.gone.iter().map(Removal::of).collect();
                remove.dedup();
                let list = self.list.clone();
                let delta = Delta { list, base, version, issued, expires, count, remove, add: changes.added };
                steps = format!(
                    "; delta from version {base}: {} out, {} in",
                    delta.remove.len(),
                    delta.add.len()
                );
                let signed = delta.sign(&keys);
                ensure!(
                    signed.len() <= MESSAGE_MAX,
                    "the delta would have {} bytes, more than a message may have; publish a snapshot alone",
                    signed.len()
                );
                Delta::open(&signed, &self.list, version, &public, Timestamp::now())
                    .context("units would refuse the delta")?;
                Some(signed)
            }
            _ => None,
        };
        let manifest = Manifest {
            list: self.list.clone(),
            version,
            base: self.previous_version,
            issued,
            expires,
            count,
            digest: digest_of_chunks(&digests),
            chunks: digests,
        };
        let manifest = (!self.delta_only).then(|| manifest.sign(&keys));
        if let Some(signed) = &manifest {
            Manifest::open(signed, &self.list, &public, Timestamp::now())
                .context("units would refuse the manifest")?;
        }
        let summary = Summary {
            list: self.list.clone(),
            version,
            base: self.previous_version,
            issued,
            entries: count,
            chunks: (!self.delta_only).then_some(chunks.len() as u32),
            delta: delta.is_some(),
        };
        self.write(&summary, manifest, &chunks, delta)
            .with_context(|| format!("cannot write the edition {}", self.out.display()))?;
        let chunks = match chunks.len() {
            0 => String::new(),
            count => format!(" in {}", number(count, "chunk", "chunks")),
        };
        println!(
            "{}: {} version {version}, {}{chunks}{steps}",
            self.out.display(),
            self.list,
            number(entries.len(), "entry", "entries")
        );
        Ok(())
    }

    /// `edition.json` comes last, so that a folder with it is whole.
    fn write(
        &self,
        summary: &Summary,
        manifest: Option<Vec<u8>>,
        chunks: &[Vec<u8>],
        delta: Option<Vec<u8>>,
    ) -> anyhow::Result<()> {
        let folder = self.out.join("chunks");
        std::fs::create_dir_all(&folder)?;
        for (index, chunk) in chunks.iter().enumerate() {
            std::fs::write(folder.join(index.to_string()), chunk)?;
        }
        for (name, message) in [("manifest.json", manifest), ("delta", delta)] {
            if let Some(message) = message {
                std::fs::write(self.out.join(name), message)?;
            }
        }
        std::fs::write(self.out.join("edition.json"), serde_json::to_vec_pretty(summary)?)?;
        Ok(())
    }
}

/// What only the whole list shows: its bounds.
fn check(entries: &[Entry]) -> anyhow::Result<()> {
    let count = entries.len();
    ensure!(count as u64 <= ENTRIES_MAX, "it has {count} entries; at most {ENTRIES_MAX} make a list");
    let patterns = entries.iter().filter(|entry| matches!(entry.plate, Listed::Pattern(_))).count();
    ensure!(patterns <= PATTERNS_MAX, "it has {patterns} patterns; at most {PATTERNS_MAX} make a list");
    let mut times: HashMap<Listed, usize> = HashMap::new();
    for entry in entries {
        let times = times.entry(entry.plate).or_default();
        *times += 1;
        ensure!(*times <= SAME_PLATE_MAX, "it lists {} more than {SAME_PLATE_MAX} times", entry.plate);
    }
    Ok(())
}

impl Summary {
    pub fn read(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join("edition.json");
        let json = std::fs::read(&path).with_context(|| {
            format!(
                "{} is no edition: it has no edition.json (make one with `milepost hotlist sign`)",
                folder.display()
            )
        })?;
        serde_json::from_slice(&json).with_context(|| format!("{} is damaged", path.display()))
    }
}

impl Inspect {
    pub fn run(self) -> anyhow::Result<()> {
        if !self.path.is_dir() {
            return inspect_entries(&list_file::read(&self.path)?);
        }
        if self.key.is_empty() {
            bail!(
                "give the public key that must have signed the edition: --key BASE64, as `keygen` printed it"
            );
        }
        let summary = Summary::read(&self.path)?;
        let Summary { list, version, .. } = &summary;
        println!("list       {list}\nversion    {version}");
        let read = |name: &str| {
            let path = self.path.join(name);
            std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
        };
        if summary.delta {
            let (delta, by) = Delta::open(&read("delta")?, list, *version, &self.key, Timestamp::now())
                .context("a unit would refuse the delta")?;
            println!("signed by  {by} (delta)\nbase       {}", delta.base);
            println!("delta      {} out, {} in, {} after", delta.remove.len(), delta.add.len(), delta.count);
        }
        if summary.chunks.is_none() {
            return Ok(());
        }
        let (manifest, by) = Manifest::open(&read("manifest.json")?, list, &self.key, Timestamp::now())
            .context("a unit would refuse manifest.json")?;
        println!("signed by  {by} (snapshot)\nissued     {}", manifest.issued);
        if let Some(expires) = manifest.expires {
            println!("expires    {expires}");
        }
        let mut entries = Vec::new();
        for (index, announced) in manifest.chunks.iter().enumerate() {
            let chunk = read(&format!("chunks/{index}"))?;
            ensure!(Digest::of(&chunk) == *announced, "chunk {index} is not the one that was signed");
            unpack_chunk(&chunk, |entry| {
                entries.push(entry);
                Ok::<_, crate::hotlist::ChunkError>(())
            })
            .with_context(|| format!("chunk {index} is of no use"))?;
        }
        let announced = manifest.count;
        ensure!(
            entries.len() as u64 == announced,
            "it has {} entries and announces {announced}",
            entries.len()
        );
        println!("chunks     {}, all as signed", manifest.chunks.len());
        inspect_entries(&entries)
    }
}

fn inspect_entries(entries: &[Entry]) -> anyhow::Result<()> {
    println!("entries    {}", entries.len());
    for category in Category::ALL {
        let count = entries.iter().filter(|entry| entry.category == category).count();
        if count > 0 {
            println!("  {:24} {count:>9}  {}", category, category.level());
        }
    }
    let now = Timestamp::now();
    let patterns = entries.iter().filter(|entry| matches!(entry.plate, Listed::Pattern(_))).count();
    let any_state = entries.iter().filter(|entry| entry.state.is_none()).count();
    let idle = entries.iter().filter(|entry| !entry.in_force(now)).count();
    println!("patterns   {patterns}\nany state  {any_state}\nnot in force now {idle}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::words::State;

    #[test]
    fn a_change_of_one_entry_replaces_all_of_its_plate_and_state() {
        let entry = |plate: &str, state, case: &str| Entry {
            state,
            case: case.parse().unwrap(),
            ..Entry::new(Listed::parse(plate).unwrap(), Category::Stolen)
        };
        let old = [
            entry("A1", None, "1"),
            entry("A1", None, "2"),
            entry("A1", Some(State::Ma), "3"),
            entry("B1", None, "4"),
        ];
        let new = [
            entry("A1", None, "2"),
            entry("A1", None, "5"),
            entry("A1", Some(State::Ma), "3"),
            entry("C1", None, "6"),
        ];
        let changes = changes(&old, &new);
        assert_eq!(changes.gone, [old[0].clone(), old[1].clone(), old[3].clone()]);
        assert_eq!(changes.added, [new[0].clone(), new[1].clone(), new[3].clone()]);
        assert_eq!(changes.unchanged, 1);
    }

    #[derive(clap::Parser)]
    struct Arguments {
        #[command(flatten)]
        sign: Sign,
    }

    #[test]
    fn signs_nothing_that_units_would_refuse() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        SigningKey::generate().save(&folder.path().join("key")).unwrap();
        let entry = |plate: &str, case: usize| Entry {
            case: case.to_string().parse().unwrap(),
            ..Entry::new(Listed::parse(plate).unwrap(), Category::Stolen)
        };
        let list =
            |name: &str, entries: &[Entry]| list_file::write(&folder.path().join(name), entries).unwrap();
        list("good", &[entry("A1", 0)]);
        list("crowd", &(0..33).map(|case| entry("A1", case)).collect::<Vec<_>>());
        list("patterns", &(0..257).map(|number| entry(&format!("?{number:03}"), 0)).collect::<Vec<_>>());
        list("empty", &[]);
        let sign = |list: &str, more: &[&str]| {
            let (list, key, out) = (path(list), path("key"), path("edition"));
            let basic = ["sign", &list, "--key", &key, "--out", &out, "--list"];
            Arguments::parse_from(basic.iter().chain(more)).sign.run()
        };
        for (file, more, said) in [
            ("crowd", &["state"][..], "lists A1 more than 32 times"),
            ("patterns", &["state"], "257 patterns"),
            ("empty", &["state"], "--allow-empty"),
            ("good", &["manual"], "kept for units"),
            ("good", &["state", "--version", "0"], "do not rise"),
            ("good", &["state", "--issued", "2400-01-01T00:00:00Z"], "ahead of"),
            ("good", &["state", "--issued", "9999-12-30T00:00:00Z", "--expires-h", "99"], "year 9999"),
        ] {
            let error = format!("{:#}", sign(file, more).expect_err(said));
            assert!(error.contains(said), "{error}");
            assert!(!folder.path().join("edition").exists(), "{said}");
        }
        sign("good", &["state", "--issued", "1900-01-01T00:00:00Z"]).unwrap();
        assert!(format!("{:#}", sign("good", &["state"]).unwrap_err()).contains("never overwritten"));
    }
}
