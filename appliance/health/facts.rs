//! What of the device and the rooms besides the picture is wrong, by the department's limits.

use super::config::Config;
use super::report::{BrokerReport, CameraReport, HealthReport, PlaceReport, RecordReport};
use super::{Finding, Reason};
use crate::hotlist::{Freshness, ListSummary};
use crate::roster::RosterReport;
use crate::system::{ClockStatus, DeviceFacts, Reserve};
use crate::words::{PositionSource, UnitKind};

/// A position this old is no longer where the unit is.
const POSITION_GOOD_S: u64 = 60;

/// What the rooms and the device say, for judgement. The picture's findings come from
/// [`super::CameraWatch::findings`].
pub struct Facts<'a> {
    pub cameras: &'a [CameraReport],
    /// Each configured list; a unit may serve without any.
    pub lists: &'a [ListSummary],
    pub records: &'a RecordReport,
    pub broker: &'a BrokerReport,
    pub device: &'a DeviceFacts,
    pub place: &'a PlaceReport,
    pub roster: Option<&'a RosterReport>,
}

impl<'a> Facts<'a> {
    pub fn of(report: &'a HealthReport) -> Self {
        Self {
            cameras: &report.cameras,
            lists: &report.lists,
            records: &report.records,
            broker: &report.broker,
            device: &report.device,
            place: &report.place,
            roster: report.roster.as_ref(),
        }
    }

    /// Everything that is wrong by `config`'s limits.
    pub fn findings(&self, config: &Config) -> Vec<Finding> {
        let mut findings = Vec::new();
        self.cameras(&mut findings);
        let mut find = |reason, detail: String| findings.push(Finding { reason, camera: None, detail });
        self.lists(&mut find);
        self.device(config, &mut find);
        self.place(config, &mut find);
        if let Some(fault) = &self.records.fault {
            find(Reason::StoreFailing, fault.clone());
        }
        if self.records.lost > 0 {
            find(Reason::RecordsLost, lost(self.records));
        }
        let late = u64::from(config.backlog_late_h) * 3600;
        if let Some(waited) = self.records.oldest_waiting_s.filter(|waited| *waited > late) {
            find(Reason::BacklogOld, format!("the oldest for {} hours", waited / 3600));
        }
        if !self.broker.connected {
            find(Reason::BrokerLost, self.broker.fault.clone().unwrap_or_default());
        } else if let Some(fault) = &self.broker.fault {
            find(Reason::Unreceipted, fault.clone());
        }
        match self.broker.certificate_days_left {
            Some(days) if days < 0 => find(Reason::CertificateExpired, format!("{} days ago", -days)),
            Some(days) if days <= i64::from(config.certificate_warning_days) => {
                find(Reason::CertificateExpiring, format!("{days} days left"));
            }
            _ => {}
        }
        if let Some(why) = self.roster.and_then(|roster| roster.rests.clone()) {
            find(Reason::RosterRests, why);
        }
        findings
    }

    fn device(&self, config: &Config, find: &mut impl FnMut(Reason, String)) {
        let device = self.device;
        if device.clock == ClockStatus::Free {
            find(Reason::ClockFree, String::new());
        }
        if let Some(error) = device.clock_error_ms.filter(|error| *error > config.clock_error_ms.into()) {
            find(Reason::ClockOff, format!("up to {:.1} s", error / 1000.0));
        }
        if let Some(free) = device.disk_free_mb.filter(|free| *free < config.disk_low_mb) {
            find(Reason::DiskLow, format!("{free} MB free"));
        }
        let worn = device.storage.storage_worn_percent.filter(|worn| *worn >= config.storage_worn_percent);
        match (worn, device.storage.storage_reserve) {
            (Some(worn), _) => find(Reason::StorageWorn, format!("{worn} % of its life is used")),
            (None, Some(Reserve::Low)) => {
                find(Reason::StorageWorn, "80 % of its spare blocks are used".into())
            }
            (None, Some(Reserve::NearlyGone)) => {
                find(Reason::StorageWorn, "90 % of its spare blocks are used".into());
            }
            _ => {}
        }
        if let Some(free) = device.memory_free_mb.filter(|free| *free < config.memory_low_mb) {
            find(Reason::MemoryLow, format!("{free} MB free"));
        }
        if let Some(hot) = device.temperature_c.filter(|hot| *hot > config.too_hot_c as f32) {
            find(Reason::TooHot, format!("{hot:.0} °C"));
        }
        let low = |volts: &f32| config.supply_low_v.is_some_and(|low| *volts < low);
        match device.power.supply_v.filter(low) {
            Some(volts) => find(Reason::UnderVoltage, format!("{volts:.1} V")),
            None if device.power.undervoltage == Some(true) => find(Reason::UnderVoltage, String::new()),
            None => {}
        }
        if device.power.throttled == Some(true) {
            find(Reason::Throttled, String::new());
        }
        if let Some(motion) = device.motion.filter(|motion| motion.knock_g > config.knock_g) {
            find(Reason::Knocked, format!("with {:.1} g", motion.knock_g));
        }
    }

    fn place(&self, config: &Config, find: &mut impl FnMut(Reason, String)) {
        let place = self.place;
        if let Some(tilted) = place.tilted_deg.filter(|tilted| *tilted > config.tilted_deg) {
            find(Reason::Tilted, format!("by {tilted:.1} degrees"));
        }
        let age_s = place.position.and_then(|position| position.age_s);
        if place.kind != UnitKind::Fixed && age_s.is_none_or(|age_s| age_s > POSITION_GOOD_S) {
            let told = age_s.map(|age_s| format!("last known {} min ago", age_s / 60));
            find(Reason::PositionLost, told.unwrap_or_default());
        }
        let elsewhere = place.position.is_some_and(|position| position.source == PositionSource::Gps);
        if let Some(metres) = place.from_site_m.filter(|_| elsewhere) {
            find(Reason::SiteLeft, format!("{metres:.0} m away"));
        }
    }

    fn cameras(&self, findings: &mut Vec<Finding>) {
        let lost = self.cameras.iter().filter(|camera| camera.fault.is_some());
        findings.extend(lost.map(|camera| Finding {
            reason: Reason::CameraLost,
            camera: Some(camera.camera.clone()),
            detail: camera.fault.clone().unwrap_or_default(),
        }));
        if !findings.is_empty() && findings.len() == self.cameras.len() {
            findings.push(Finding { reason: Reason::AllCamerasLost, camera: None, detail: String::new() });
        }
    }

    fn lists(&self, find: &mut impl FnMut(Reason, String)) {
        for list in self.lists {
            let age = list.age_s.map_or_else(String::new, |age| format!(" is {} hours old", age / 3600));
            match list.freshness {
                Freshness::Fresh => {}
                Freshness::Ageing => find(Reason::ListLate, format!("{}{age}", list.list)),
                Freshness::Stale => find(Reason::ListStale, format!("{}{age}", list.list)),
                Freshness::Missing => find(Reason::NoList, list.list.to_string()),
            }
            // A refusal before the edition in force is history.
            if let Some(refusal) = &list.last_refusal
                && list.installed.is_none_or(|installed| refusal.at > installed)
            {
                find(Reason::ListRefused, format!("{}: {}", list.list, refusal.why));
            }
        }
    }
}

/// "12 records: 10 no room, 2 damaged"
fn lost(records: &RecordReport) -> String {
    let reasons: Vec<String> =
        records.lost_by_reason.iter().map(|(loss, count)| format!("{count} {loss}")).collect();
    let colon = if reasons.is_empty() { "" } else { ": " };
    format!("{} records{colon}{}", records.lost, reasons.join(", "))
}

#[cfg(test)]
#[path = "facts_tests.rs"]
mod tests;
