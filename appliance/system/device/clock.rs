use serde::{Deserialize, Serialize};

/// Whether the wall clock can be relied on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ClockStatus {
    /// The kernel's clock is disciplined by a time service (NTP, PTP or GPS).
    Synchronised,
    /// Nobody keeps it: it may be off by any amount.
    Free,
    /// The kernel does not tell (as in some containers).
    #[default]
    Unknown,
}

/// What the kernel knows of its clock.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClockFacts {
    pub status: ClockStatus,
    /// The most that it may be wrong by, in milliseconds; None while nobody keeps it.
    pub error_ms: Option<f64>,
}

pub fn clock_status() -> ClockStatus {
    look().status
}

/// By adjtimex(2), which works the same under chrony, timesyncd and ntpd. Each of them sets the error; between two
/// looks at its server the kernel lets it grow by 500 ppm.
pub fn look() -> ClockFacts {
    // SAFETY: `timex` is plain integers, for which zero bytes are valid; with `modes` = 0 the call only
    // reads the kernel's state into the buffer that it is given.
    let (answer, timex) = unsafe {
        let mut timex: libc::timex = std::mem::zeroed();
        (libc::adjtimex(&raw mut timex), timex)
    };
    judged(answer, timex.status, timex.maxerror as f64, offset_us(&timex))
}

/// What is still to be slewed, in microseconds.
fn offset_us(timex: &libc::timex) -> f64 {
    let unit = if timex.status & libc::STA_NANO != 0 { 1e-3 } else { 1.0 };
    timex.offset as f64 * unit
}

fn judged(answer: i32, status: i32, maxerror_us: f64, offset_us: f64) -> ClockFacts {
    let status = match answer {
        -1 => ClockStatus::Unknown,
        _ if status & libc::STA_UNSYNC != 0 => ClockStatus::Free,
        _ => ClockStatus::Synchronised,
    };
    let error_ms = maxerror_us.max(offset_us.abs()) / 1000.0;
    ClockFacts { status, error_ms: (status == ClockStatus::Synchronised).then_some(error_ms) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_clock_tells_its_error_and_a_free_one_none() {
        let kept = judged(0, 0, 1500.0, -20_000.0);
        assert_eq!(kept, ClockFacts { status: ClockStatus::Synchronised, error_ms: Some(20.0) });
        let free = judged(libc::TIME_ERROR, libc::STA_UNSYNC, 16e6, 0.0);
        assert_eq!(free, ClockFacts { status: ClockStatus::Free, error_ms: None });
        assert_eq!(judged(-1, 0, 0.0, 0.0).status, ClockStatus::Unknown);
    }
}
