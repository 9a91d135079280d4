//! What the dashboard answers: pages, what changed on them, and the same for programs.

pub mod api;
pub mod assets;
pub mod list;
mod row;
pub mod unit;
