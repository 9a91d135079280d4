use serde::{Deserialize, Serialize};

use super::tree::Tree;

/// Voltage, and what the device does when it gets too little of it or too hot.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PowerFacts {
    /// The supply or battery, where something measures it (a power monitor of the INA family, a battery gauge).
    pub supply_v: Option<f32>,
    /// The device's own alarm for too low a voltage (a Raspberry Pi under 4.63 V).
    pub undervoltage: Option<bool>,
    /// Whether the processor is slowed down, for heat or for want of power.
    pub throttled: Option<bool>,
}

/// Where a Raspberry Pi's firmware tells (bits 0 to 3 are of now; those from 16 on of any time since it was switched on).
const PI_THROTTLED: &str = "sys/devices/platform/soc/soc:firmware/get_throttled";
const UNDERVOLTAGE_NOW: u64 = 1;
const SLOWED_NOW: u64 = 0b1110;

pub fn facts(tree: &Tree) -> PowerFacts {
    let monitors = tree.folders("sys/class/hwmon", "hwmon");
    let firmware = tree.hexadecimal(PI_THROTTLED);
    let alarms = monitors.iter().flat_map(|monitor| tree.files(monitor, "in", "_lcrit_alarm"));
    let alarms = alarms.filter_map(|alarm| tree.number(&alarm)).map(|alarm| alarm != 0.0);
    PowerFacts {
        supply_v: supply(tree, &monitors),
        undervoltage: any(alarms.chain(firmware.map(|bits| bits & UNDERVOLTAGE_NOW != 0))),
        throttled: any(cooling(tree).into_iter().chain(firmware.map(|bits| bits & SLOWED_NOW != 0))),
    }
}

fn supply(tree: &Tree, monitors: &[String]) -> Option<f32> {
    let supplies = tree.folders("sys/class/power_supply", "");
    let gauges = supplies.iter().filter_map(|supply| tree.number(&format!("{supply}/voltage_now")));
    let is_ina =
        |monitor: &&String| tree.text(&format!("{monitor}/name")).is_some_and(|name| name.starts_with("ina"));
    // The bus voltage; in0 is what falls off at the shunt.
    let measured =
        monitors.iter().filter(is_ina).filter_map(|monitor| tree.number(&format!("{monitor}/in1_input")));
    let volts = gauges.map(|microvolts| microvolts / 1e6).chain(measured.map(|millivolts| millivolts / 1e3));
    volts.map(|volts| volts as f32).next()
}

/// The processor as a cooling device: a state above 0 is a lower frequency.
fn cooling(tree: &Tree) -> Vec<bool> {
    let devices = tree.folders("sys/class/thermal", "cooling_device");
    let is_processor = |device: &&String| {
        let kind = tree.text(&format!("{device}/type")).unwrap_or_default().to_lowercase();
        kind.contains("cpufreq") || kind == "processor"
    };
    let states =
        devices.iter().filter(is_processor).filter_map(|device| tree.number(&format!("{device}/cur_state")));
    states.map(|state| state > 0.0).collect()
}

/// None where nobody says.
fn any(told: impl Iterator<Item = bool>) -> Option<bool> {
    told.reduce(|one, other| one || other)
}

#[cfg(test)]
mod tests {
    use super::super::tree::fixture;
    use super::*;

    #[test]
    fn a_raspberry_pi_on_a_thin_cable_says_so() {
        let root = fixture(&[
            ("sys/class/hwmon/hwmon1/name", "rpi_volt\n"),
            ("sys/class/hwmon/hwmon1/in0_lcrit_alarm", "1\n"),
            (PI_THROTTLED, "50005\n"),
        ]);
        let facts = facts(&Tree::new(root.path()));
        assert_eq!((facts.undervoltage, facts.throttled), (Some(true), Some(true)));
    }

    #[test]
    fn trouble_of_yesterday_is_none_of_today() {
        let root = fixture(&[(PI_THROTTLED, "0x50000\n")]);
        let facts = facts(&Tree::new(root.path()));
        assert_eq!((facts.undervoltage, facts.throttled), (Some(false), Some(false)));
    }

    #[test]
    fn a_battery_a_monitor_and_a_cooled_processor_are_seen() {
        let root = fixture(&[
            ("sys/class/hwmon/hwmon0/name", "ina226\n"),
            ("sys/class/hwmon/hwmon0/in0_input", "3\n"),
            ("sys/class/hwmon/hwmon0/in1_input", "12160\n"),
            ("sys/class/thermal/cooling_device0/type", "cpufreq-cpu0\n"),
            ("sys/class/thermal/cooling_device0/cur_state", "0\n"),
            ("sys/class/thermal/cooling_device1/type", "gpio-fan\n"),
            ("sys/class/thermal/cooling_device1/cur_state", "1\n"),
        ]);
        let expected = PowerFacts { supply_v: Some(12.16), undervoltage: None, throttled: Some(false) };
        assert_eq!(facts(&Tree::new(root.path())), expected);
        let root = fixture(&[("sys/class/power_supply/BAT0/voltage_now", "11800000\n")]);
        assert_eq!(facts(&Tree::new(root.path())).supply_v, Some(11.8));
    }
}
