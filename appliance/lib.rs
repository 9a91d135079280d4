//! Milepost: a roadside unit that finds and reads licence plates, compares them with hot lists, raises
//! alerts over TLS MQTT, and knows when it can no longer be trusted.
//!
//! Data flows one way: `capture` → `vision` → `passage` → (`hotlist`) → `alert` → `record` → `delivery`.
//! `health` watches them all, `audit` hears of every decision, `console` shows it on the local port.
//! `words` are the types they share. ARCHITECTURE.md tells the whole.

pub mod alert;
pub mod audit;
pub mod capture;
pub mod command;
pub mod commands;
pub mod config;
pub mod console;
#[cfg(test)]
mod contract;
pub mod crypto;
pub mod delivery;
pub mod enroll;
pub mod fleet;
pub mod health;
pub mod hotlist;
pub mod network;
pub mod passage;
pub mod receive;
pub mod record;
pub mod roster;
pub mod simulate;
pub mod system;
pub mod unenrolled;
pub mod unit;
pub mod vision;
pub mod words;
