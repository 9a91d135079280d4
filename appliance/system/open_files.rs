use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Lets this process have as many open files as it wants and the machine allows; says how many that are.
pub fn open_files(wanted: u64) -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let allowed = wanted.min(maximum.unwrap_or(u64::MAX));
    match current {
        Some(current) if current < allowed => {
            let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(allowed), maximum });
            raised.map_or(current, |()| allowed)
        }
        current => current.unwrap_or(u64::MAX),
    }
}
