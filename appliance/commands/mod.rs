//! The subcommands of `milepost`, one module each: arguments and what they do.

pub mod apply_enrolment;
pub mod apply_network;
pub mod audit;
pub mod check;
pub mod command;
pub mod demo;
pub mod enroll;
pub mod fleet;
pub mod hotlist;
mod local_broker;
mod publish_list;
pub mod read;
pub mod receive;
pub mod recover;
pub mod roster;
pub mod run;
pub mod simulate;

/// An error with its causes in one line, each said once: many messages hold their cause already.
pub fn in_full(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |said, cause| {
        match (said.is_empty(), said.contains(&cause)) {
            (true, _) => cause,
            (false, true) => said,
            (false, false) => format!("{said}: {cause}"),
        }
    })
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn a_cause_is_said_once() {
        let error: anyhow::Error = std::io::Error::other("disk full").into();
        let error = Err::<(), _>(error).context("no room: disk full").context("it failed").unwrap_err();
        assert_eq!(in_full(&error), "it failed: no room: disk full");
    }
}
