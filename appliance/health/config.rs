use std::num::NonZeroU32;

use serde::Deserialize;

/// Limits that departments differ in. Section `[health]` of the configuration.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Seconds between two reports; a change is reported at once. Default 60.
    pub report_every_s: u32,
    /// Less free storage than this many megabytes degrades the unit. Default 500.
    pub disk_low_mb: u64,
    /// A storage medium that calls so much of its life used, in per cent, degrades the unit. Default 90.
    pub storage_worn_percent: u8,
    /// Less free memory than this many megabytes degrades the unit. Default 50.
    pub memory_low_mb: u64,
    /// Hotter than this many degrees Celsius degrades the unit. Default 85.
    pub too_hot_c: u32,
    /// A supply or battery under this many volts degrades the unit. Default none: only the device's own alarm counts.
    pub supply_low_v: Option<f32>,
    /// A clock that may be wrong by more than this many milliseconds degrades the unit. Default 2000: timesyncd looks
    /// at its server every half hour, and until then the kernel allows for a second.
    pub clock_error_ms: u32,
    /// Days before its end from which the unit's certificate is reported. Default 21.
    pub certificate_warning_days: u32,
    /// A record that has waited for its receipt for this many hours degrades the unit. Default 24.
    pub backlog_late_h: u32,
    /// A unit that leans so many degrees from how it stood when its aim was verified is out of service. Default 2.
    pub tilted_deg: f32,
    /// A blow harder than this many g, beyond gravity, is told. Default 1.
    pub knock_g: f32,
    /// Seconds between two test plates, which must come through every stage from the camera's picture to the broker
    /// and back; 0 turns them off. Default 300.
    pub canary_every_s: u32,
    /// Seconds that the broker, and then the receiver, may take to confirm one. Default 60. Raise it on slow links.
    pub canary_patience_s: NonZeroU32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            report_every_s: 60,
            disk_low_mb: 500,
            storage_worn_percent: 90,
            memory_low_mb: 50,
            too_hot_c: 85,
            supply_low_v: None,
            clock_error_ms: 2000,
            certificate_warning_days: 21,
            backlog_late_h: 24,
            tilted_deg: 2.0,
            knock_g: 1.0,
            canary_every_s: 300,
            canary_patience_s: NonZeroU32::new(60).expect("60 is not zero"),
        }
    }
}
