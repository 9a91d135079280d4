//! The subcommands of `milepost`, one module each: arguments and what they do.

pub mod audit;
pub mod check;
pub mod demo;
pub mod enroll;
pub mod hotlist;
pub mod read;
pub mod receive;
pub mod run;
