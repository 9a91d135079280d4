//! The program's commands: arguments in, exit status out. Each only calls the library.

pub mod audit;
pub mod enroll;
pub mod hotlist;
pub mod receive;
