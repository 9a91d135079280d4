use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Form, State};
use axum::response::Response;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::{Frame, wording};
use crate::console::answer::{Failure, page, see};
use crate::console::desk::Desk;
use crate::console::gate::Visit;
use crate::console::unit::ClockChange;

/// What another time would mean, before it is set.
#[derive(Template)]
#[template(path = "clock.html", config = "appliance/console/askama.toml")]
struct Page {
    frame: Frame,
    change: ClockChange,
    /// The page that a person came from, under which the clock is set.
    from: &'static str,
    /// The time goes on while a person reads: what is set is by how much the clock is wrong.
    ahead_ms: i64,
}

/// What a person is shown, on any port that has a clock to set.
pub fn show(frame: Frame, change: ClockChange, from: &'static str) -> Result<Response, Failure> {
    let ahead_ms = change.ahead_ms();
    page(&Page { frame, change, from, ahead_ms })
}

/// A time as a person reads it off another clock.
#[derive(Deserialize)]
pub struct ClockForm {
    /// By the unit's own time zone, as in `2026-11-26T14:05:30`.
    #[serde(default)]
    at: String,
    /// By the clock of the browser's device, which counts before what was typed.
    #[serde(default)]
    device_ms: Option<String>,
}

impl ClockForm {
    pub fn time(&self) -> Result<Timestamp, Failure> {
        self.read().map_err(Failure::Refused)
    }

    fn read(&self) -> Result<Timestamp, String> {
        let device = self.device_ms.as_deref().map(str::trim).filter(|text| !text.is_empty());
        if let Some(text) = device {
            let time = text.parse().ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
            return time.ok_or_else(|| format!("{text:?} is no time of a device."));
        }
        let text = self.at.trim();
        let civil = text.replacen(' ', "T", 1).parse::<DateTime>();
        let zoned = civil.and_then(|civil| civil.to_zoned_datetime(TimeZone::system()));
        zoned.map(|zoned| zoned.timestamp()).map_err(|_| {
            format!(
                "{text:?} is no date and time: write it as in 2026-11-26 14:05:30, by the unit's time zone."
            )
        })
    }
}

pub async fn look(
    State(desk): State<Arc<Desk>>,
    Extension(visit): Extension<Visit>,
    Form(form): Form<ClockForm>,
) -> Result<Response, Failure> {
    let to = form.time()?;
    let (frame, _) = Frame::new(&desk, visit, "Clock").await?;
    let change = desk.ask(move |unit| unit.look_at_time(to)).await??;
    show(frame, change, "/network")
}

/// How a person answers that.
#[derive(Deserialize)]
pub struct Setting {
    ahead_ms: i64,
    /// Ticked where something speaks against it.
    #[serde(default)]
    sure: Option<String>,
}

impl Setting {
    /// What it is to show, and whether the person is sure of it.
    pub fn read(self, now: Timestamp) -> Result<(Timestamp, bool), Failure> {
        let to = now.checked_add(SignedDuration::from_millis(self.ahead_ms));
        let to = to.map_err(|_| Failure::Refused("That is beyond all calendars.".to_owned()))?;
        Ok((to, self.sure.is_some()))
    }
}

pub async fn set(
    State(desk): State<Arc<Desk>>,
    Extension(visit): Extension<Visit>,
    Form(setting): Form<Setting>,
) -> Result<Response, Failure> {
    let (to, sure) = setting.read(desk.clock.now().wall)?;
    desk.ask(move |unit| unit.set_time(to, sure, &visit.person.name)).await??;
    Ok(see("/network"))
}

/// As a field for date and time has it.
pub fn typed(at: &Timestamp) -> String {
    at.to_zoned_datetime(TimeZone::system()).strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

/// The unit's time zone at this time: "UTC", or "EST (-05:00)".
pub fn zone(at: &Timestamp) -> String {
    at.to_zoned_datetime(TimeZone::system()).strftime("%Z (%:z)").to_string().replace("UTC (+00:00)", "UTC")
}

/// What a department's tool sends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeAsked {
    pub to: Timestamp,
    /// Whatever speaks against it.
    #[serde(default)]
    pub sure: bool,
}

impl ClockChange {
    fn ahead_ms(&self) -> i64 {
        self.to.duration_since(self.from).as_millis().try_into().unwrap_or(i64::MAX)
    }

    /// "forward by 3 h 5 min"
    fn way(&self) -> String {
        let way = if self.to < self.from { "back" } else { "forward" };
        format!("{way} by {}", wording::duration(&(self.ahead_ms().unsigned_abs() / 1000)))
    }

    fn goes_back(&self) -> bool {
        self.to < self.from
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_typed_or_taken_from_the_device() {
        let time = |at: &str, device_ms: Option<&str>| {
            ClockForm { at: at.to_owned(), device_ms: device_ms.map(str::to_owned) }.read()
        };
        let due: DateTime = "2026-11-26T14:05:30".parse().unwrap();
        let due = due.to_zoned_datetime(TimeZone::system()).unwrap().timestamp();
        assert_eq!(time("2026-11-26T14:05:30", None), Ok(due));
        assert_eq!(time(" 2026-11-26 14:05:30 ", Some("")), Ok(due));
        assert!(time("2026-11-26T14:05", None).is_ok(), "as a browser sends it without seconds");
        assert_eq!(time("", Some("1795700730000")).unwrap().as_second(), 1_795_700_730);
        for wrong in ["", "14:05", "2026-13-01 00:00", "tomorrow"] {
            assert!(time(wrong, None).unwrap_err().contains("14:05:30"), "{wrong:?}");
        }
        assert!(time("2026-11-26 14:05", Some("soon")).unwrap_err().contains("soon"));
    }
}
