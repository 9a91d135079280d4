//! Commands that the department signs: take out of service, return, verify the aim, send a snapshot, renew the
//! certificate, roll back the configuration.
//!
//! Owns the signed message, who may command what, the memory that lets no command act twice, and the result message.
//! Must not know how a command is carried out, nor MQTT: it is handed bytes and the time.
//!
//! ```text
//! bytes ─► signature ─► this unit ─► role ─► time ─► not seen before ─► noted, durably ─► carried out ─► result, kept
//! ```
//!
//! The promise: a command acts at most once, also over a power cut between its note and its result; it acts only
//! before its expiry; and restored storage forgets none that the broker's copy of the memory names ([`memory`]).

mod config;
mod memory;
mod message;
mod result;

use std::path::Path;

use jiff::Timestamp;

pub use config::{Commander, Config};
pub use memory::{Memory, OverRestart};
pub use message::{Act, Command, CommandRefusal};
pub use result::{CommandResult, Outcome, Snapshot};

use crate::crypto::{SealedFileError, UnitKey};
use crate::system::ClockStatus;
use crate::words::{PersonName, UnitId, sentence};

/// The one owner of commands: judges what arrives, and remembers.
pub struct Commands {
    unit: UnitId,
    people: Vec<Commander>,
    memory: Memory,
}

/// What a message leads to.
#[derive(Debug)]
pub enum Judgement {
    /// Noted; to be carried out now, and then told by [`Commands::done`].
    CarryOut { command: Command, by: PersonName },
    /// It came before: answered as then, and nothing is done.
    Again(CommandResult),
    /// Nothing is done. The sender is answered if it is one of ours.
    Refused { why: CommandRefusal, answer: Option<CommandResult> },
}

impl Commands {
    pub fn open(
        folder: &Path,
        key: &UnitKey,
        unit: UnitId,
        config: &Config,
    ) -> Result<Self, SealedFileError> {
        Ok(Self { unit, people: config.people.clone(), memory: Memory::open(folder, key)? })
    }

    pub fn judge(&mut self, payload: &[u8], now: Timestamp, clock: ClockStatus) -> Judgement {
        let (command, person) = match Command::open(payload, &self.unit, &self.people) {
            Ok(opened) => opened,
            Err(why) => return Judgement::Refused { why, answer: None },
        };
        let by = person.name.clone();
        if let Some(result) = self.memory.result_of(&command) {
            return Judgement::Again(result.unwrap_or_else(|| {
                let cut_short =
                    "The unit was cut off while it carried this out: see its state, and command anew.";
                CommandResult::of(&command, &by, Outcome::Refused, cut_short, now)
            }));
        }
        let allowed = if command.act.admits(person.role) {
            Ok(())
        } else {
            Err(CommandRefusal::NotAllowed { name: by.clone(), role: person.role })
        };
        match allowed.and_then(|()| self.memory.admit(&command, now, clock)) {
            Ok(()) => Judgement::CarryOut { command, by },
            Err(why) => {
                let answer = CommandResult::of(&command, &by, Outcome::Refused, &sentence(&why), now);
                Judgement::Refused { why, answer: Some(answer) }
            }
        }
    }

    /// Keeps the result, so that the same message is answered alike.
    pub fn done(&mut self, command: &Command, result: &CommandResult) -> Result<(), SealedFileError> {
        self.memory.keep_result(command, result)
    }

    /// Notes that the result of this command comes after the program has started anew: until then nothing is known of it
    /// but that, and it was not cut off.
    pub fn leave_open(&mut self, over_restart: OverRestart) -> Result<(), SealedFileError> {
        self.memory.leave_open(over_restart)
    }

    /// Commands whose result was left open before this start.
    pub fn left_open(&self) -> Vec<OverRestart> {
        self.memory.left_open()
    }

    /// What the broker is to keep for this unit: sealed. To be handed over after each command.
    pub fn for_the_broker(&self) -> Vec<u8> {
        self.memory.for_the_broker()
    }

    /// Takes what the broker kept. False if it does not open.
    pub fn recall(&mut self, kept: &[u8]) -> Result<bool, SealedFileError> {
        self.memory.recall(kept)
    }
}

#[cfg(test)]
mod tests;
