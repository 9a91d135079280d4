use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What a process opens besides its connections.
const BESIDES: u64 = 100;

/// Why there are too few open files for so many connections.
#[derive(Debug, thiserror::Error)]
#[error(
    "{connections} connections take {} open files, and this machine lets a program have {most}: raise the hard limit \
     (`ulimit -Hn`, /etc/security/limits.conf, LimitNOFILE= of a systemd unit), or simulate fewer units",
    connections + BESIDES
)]
pub struct FilesError {
    connections: u64,
    most: u64,
}

/// Lets this process, and those that it starts from now on, have so many connections.
pub fn allow_open_files(connections: u64) -> Result<(), FilesError> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = connections + BESIDES;
    if current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    let most = maximum.unwrap_or(u64::MAX);
    let raised =
        most >= wanted && setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum }).is_ok();
    if raised { Ok(()) } else { Err(FilesError { connections, most }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raises_what_may_be_raised_and_says_what_may_not() {
        let before = getrlimit(Resource::Nofile);
        allow_open_files(10).unwrap();
        assert_eq!(getrlimit(Resource::Nofile).current, before.current, "there were enough");
        let error = allow_open_files(u64::MAX - BESIDES).map(|()| unreachable!()).unwrap_err();
        assert!(error.to_string().contains("raise the hard limit"));
    }
}
