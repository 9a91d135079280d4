//! What the program's subcommands do: arguments in, the rooms do the work, words and an exit status out.

pub mod hotlist;
