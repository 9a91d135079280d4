//! A health report as Prometheus reads it.

use jiff::Timestamp;
use prometheus::core::Collector;
use prometheus::{CounterVec, GaugeVec, Opts, Registry, TextEncoder};

use super::report::HealthReport;
use super::service::ServiceState;
use crate::record::Loss;
use crate::system::ClockStatus;

const MB: f64 = 1e6;

/// The report in Prometheus' text format 0.0.4, by its conventions: base units, counters that end in `_total`, and no line
/// for what the device does not tell. `reads` and `alerts` are counted since the start.
pub fn metrics(report: &HealthReport, reads: u64, alerts: u64) -> String {
    let mut page = Page::default();
    let kind = serde_json::to_value(report.place.kind).unwrap_or_default();
    let about = [
        ("unit", report.unit.as_str()),
        ("version", &report.version),
        ("kind", kind.as_str().unwrap_or_default()),
    ];
    page.gauge("info", "Which unit this is, with which program.", &about, 1.0);
    page.gauge("uptime_seconds", "Since the program started.", &[], report.uptime_s as f64);
    page.counter("reads_total", "Reads since the program started.", &[], reads as f64);
    page.counter("alerts_total", "Alerts since the program started.", &[], alerts as f64);
    service(&mut page, report);
    cameras(&mut page, report);
    lists(&mut page, report);
    records(&mut page, report);
    device(&mut page, report);
    page.text()
}

fn service(page: &mut Page, report: &HealthReport) {
    for state in [ServiceState::InService, ServiceState::Degraded, ServiceState::OutOfService] {
        let name = state.to_string();
        let now = report.service.state == state;
        page.gauge("service_state", "1 for the state that the unit is in.", &[("state", &name)], now.into());
    }
    let since = seconds(report.service.since);
    page.gauge("service_state_since_timestamp_seconds", "When that state began.", &[], since);
    for standing in &report.service.reasons {
        let reason = serde_json::to_value(standing.reason).unwrap_or_default();
        let camera = standing.camera.as_ref().map_or("", |camera| camera.as_str());
        let labels = [("reason", reason.as_str().unwrap_or_default()), ("camera", camera)];
        page.gauge("service_reason", "1 for each reason in force.", &labels, 1.0);
    }
}

fn cameras(page: &mut Page, report: &HealthReport) {
    for camera in &report.cameras {
        let of = [("camera", camera.camera.as_str())];
        let rate = f64::from(camera.frames_per_s);
        page.gauge("camera_streaming", "Whether the camera gives pictures.", &of, camera.streaming.into());
        page.gauge("camera_frames_per_second", "Pictures that come.", &of, rate);
        page.gauge(
            "camera_look_seconds",
            "The last look for plates.",
            &of,
            f64::from(camera.vision_ms) / 1e3,
        );
        let skipped = camera.frames_skipped as f64;
        page.counter(
            "camera_frames_skipped_total",
            "Pictures without a look, for want of time.",
            &of,
            skipped,
        );
    }
}

fn lists(page: &mut Page, report: &HealthReport) {
    for list in &report.lists {
        let of = [("list", list.list.as_str())];
        let version = list.version.map(|version| version as f64);
        page.known("list_age_seconds", "By the list's own date.", &of, list.age_s.map(|age| age as f64));
        page.known("list_version", "The edition in force.", &of, version);
        page.gauge("list_entries", "Entries in it.", &of, list.entries as f64);
    }
}

fn records(page: &mut Page, report: &HealthReport) {
    let records = &report.records;
    let oldest = records.oldest_waiting_s.map(|age| age as f64);
    page.gauge("records_waiting", "Records that nobody has confirmed yet.", &[], records.waiting as f64);
    page.known("records_oldest_waiting_seconds", "How long the oldest of them has waited.", &[], oldest);
    page.counter(
        "records_delivered_total",
        "Records that a receiver confirmed.",
        &[],
        records.delivered as f64,
    );
    page.counter("records_purged_total", "Records whose keys were destroyed.", &[], records.purged as f64);
    for loss in Loss::ALL {
        let count = records.lost_by_reason.get(&loss).copied().unwrap_or(0);
        let reason = loss.to_string();
        let labels = [("reason", reason.as_str())];
        page.counter("records_lost_total", "Records lost before anybody had them.", &labels, count as f64);
    }
    page.gauge(
        "broker_connected",
        "Whether the link to the broker stands.",
        &[],
        report.broker.connected.into(),
    );
    let left = report.broker.certificate_days_left.map(|days| days as f64 * 86_400.0);
    page.known("certificate_left_seconds", "Until the unit's certificate ends.", &[], left);
}

fn device(page: &mut Page, report: &HealthReport) {
    let (device, place) = (&report.device, &report.place);
    let bytes = |megabytes: Option<u64>| megabytes.map(|megabytes| megabytes as f64 * MB);
    let flag = |told: Option<bool>| told.map(f64::from);
    let worn = device.storage.storage_worn_percent.map(|percent| f64::from(percent) / 100.0);
    let written = device.storage.storage_written_gb.map(|gigabytes| gigabytes * 1e9);
    let kept = device.clock == ClockStatus::Synchronised;
    page.known("storage_free_bytes", "Room for records.", &[], bytes(device.disk_free_mb));
    page.known("storage_worn_ratio", "Share of the medium's life that is used.", &[], worn);
    page.known(
        "storage_written_bytes",
        "Written to the medium in its life, or since it was switched on.",
        &[],
        written,
    );
    page.known("memory_resident_bytes", "Memory of the program.", &[], bytes(device.memory_mb));
    page.known("memory_available_bytes", "Memory that is left.", &[], bytes(device.memory_free_mb));
    page.known("temperature_celsius", "The hottest sensor.", &[], device.temperature_c.map(f64::from));
    page.known("supply_volts", "The supply or battery.", &[], device.power.supply_v.map(f64::from));
    page.known("undervoltage", "Whether the voltage is too low.", &[], flag(device.power.undervoltage));
    page.known("throttled", "Whether the processor is slowed down.", &[], flag(device.power.throttled));
    page.gauge("clock_synchronised", "Whether a time service keeps the clock.", &[], kept.into());
    let error = device.clock_error_ms.map(|error| error / 1e3);
    page.known("clock_error_seconds", "The most that it may be wrong by.", &[], error);
    let age = place.position.and_then(|position| position.age_s).map(|age_s| age_s as f64);
    page.known("position_age_seconds", "Since the receiver's last fix.", &[], age);
    page.known("site_distance_meters", "From the deployed site.", &[], place.from_site_m);
    let tilt = place.tilted_deg.map(|degrees| f64::from(degrees).to_radians());
    page.known("tilt_radians", "Against how the unit stood when its aim was verified.", &[], tilt);
}

fn seconds(at: Timestamp) -> f64 {
    at.as_millisecond() as f64 / 1e3
}

/// The families of one answer. Values are taken from a report, so each answer has a registry of its own.
#[derive(Default)]
struct Page {
    registry: Registry,
    gauges: std::collections::BTreeMap<&'static str, GaugeVec>,
    counters: std::collections::BTreeMap<&'static str, CounterVec>,
}

impl Page {
    fn gauge(&mut self, name: &'static str, help: &str, labels: &[(&str, &str)], value: f64) {
        let (names, values) = split(labels);
        let family = self.gauges.entry(name).or_insert_with(|| {
            let made = GaugeVec::new(options(name, help), &names);
            registered(&self.registry, made)
        });
        family.with_label_values(&values).set(value);
    }

    fn counter(&mut self, name: &'static str, help: &str, labels: &[(&str, &str)], value: f64) {
        let (names, values) = split(labels);
        let family = self.counters.entry(name).or_insert_with(|| {
            let made = CounterVec::new(options(name, help), &names);
            registered(&self.registry, made)
        });
        family.with_label_values(&values).inc_by(value);
    }

    /// What is not told is left out: Prometheus knows absence.
    fn known(&mut self, name: &'static str, help: &str, labels: &[(&str, &str)], value: Option<f64>) {
        if let Some(value) = value {
            self.gauge(name, help, labels, value);
        }
    }

    fn text(&self) -> String {
        let encoded = TextEncoder::new().encode_to_string(&self.registry.gather());
        encoded.expect("names and labels are fixed, and the metrics were just made")
    }
}

fn options(name: &str, help: &str) -> Opts {
    Opts::new(name, help).namespace("milepost")
}

fn split<'a>(labels: &[(&'a str, &'a str)]) -> (Vec<&'a str>, Vec<&'a str>) {
    labels.iter().copied().unzip()
}

fn registered<T: Collector + Clone + 'static>(registry: &Registry, made: prometheus::Result<T>) -> T {
    let family = made.expect("the name is a valid one");
    registry.register(Box::new(family.clone())).expect("each name is registered once");
    family
}
