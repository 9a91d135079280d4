use std::path::Path;

use anyhow::{Context, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::console::Member;
use crate::system::write_durably;
use crate::words::{PersonName, RosterName};

/// The roster's file. It holds hashes, no codes.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    pub roster: RosterName,
    /// The last one that was signed.
    pub version: u64,
    pub people: Vec<Member>,
}

impl Draft {
    pub fn begin(roster: RosterName, file: &Path) -> anyhow::Result<()> {
        ensure!(!file.exists(), "{} is there already: give another --file", file.display());
        Self { roster, version: 0, people: Vec::new() }.save(file)
    }

    pub fn load(file: &Path) -> anyhow::Result<Self> {
        let name = file.display();
        let text = match std::fs::read(file) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => bail!(
                "there is no {name}: begin it with `milepost roster new NAME`, or say with --file where it is"
            ),
            read => read.with_context(|| format!("cannot read {name}"))?,
        };
        serde_json::from_slice(&text).with_context(|| format!("{name} is no roster"))
    }

    /// Loads, changes and saves; nothing is saved where the change is refused.
    pub fn change<T>(file: &Path, change: impl FnOnce(&mut Self) -> anyhow::Result<T>) -> anyhow::Result<T> {
        let mut draft = Self::load(file)?;
        let changed = change(&mut draft)?;
        draft.save(file)?;
        Ok(changed)
    }

    fn save(&self, file: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_vec_pretty(self).expect("a roster is plain data with string keys");
        write_durably(file, &text).with_context(|| format!("cannot write {}", file.display()))
    }

    pub fn add(&mut self, member: Member) -> anyhow::Result<()> {
        if let Some(index) = self.find(&member.name) {
            let known = &self.people[index].name;
            bail!("{known} stands in the roster already: see `renew`, `role` and `enable`");
        }
        self.people.push(member);
        Ok(())
    }

    pub fn person(&mut self, name: &PersonName) -> anyhow::Result<&mut Member> {
        let index = self.known(name)?;
        Ok(&mut self.people[index])
    }

    pub fn remove(&mut self, name: &PersonName) -> anyhow::Result<()> {
        let index = self.known(name)?;
        self.people.remove(index);
        Ok(())
    }

    pub fn tell(&self) {
        println!("{}, last signed as version {}", self.roster, self.version);
        tell_people(&self.people);
    }

    fn known(&self, name: &PersonName) -> anyhow::Result<usize> {
        self.find(name).with_context(|| {
            let names: Vec<&str> = self.people.iter().map(|person| person.name.as_str()).collect();
            format!(
                "nobody in the roster has the name {:?}; it has {}",
                name.as_str(),
                match names[..] {
                    [] => "nobody".to_owned(),
                    _ => names.join(", "),
                }
            )
        })
    }

    /// Units take names in any case.
    fn find(&self, name: &PersonName) -> Option<usize> {
        let name = name.as_str().to_lowercase();
        self.people.iter().position(|person| person.name.as_str().to_lowercase() == name)
    }
}

pub fn tell_people(people: &[Member]) {
    for person in people {
        let disabled = if person.disabled { "  disabled" } else { "" };
        println!("  {:30} {:13}{disabled}", person.name, person.role);
    }
    if people.is_empty() {
        println!("  nobody");
    }
}
