//! What happens in the demo, one line each.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::receive;
use crate::unit::{Glance, News};
use crate::words::State;

pub fn unit(news: &News) {
    match news {
        News::Read(Glance { plate, confidence, state, sightings, width_px, .. }) => {
            let state = state.map_or("state unknown".to_owned(), |state: State| state.name().to_owned());
            line(&format!(
                "read   {plate:<8} {state}, {confidence}, {sightings} frames, {width_px:.0} px wide"
            ));
        }
        News::Alert(alert) => {
            let entry = &alert.matched.entry;
            let again = if alert.revision > 1 { " (read again)" } else { "" };
            line(&format!(
                "ALERT  {:<8} {:?} hit, level {:?}: {:?}, {}{again}",
                alert.text, alert.hit, alert.level, entry.category, entry.reason
            ));
        }
        News::Service(change) => {
            let reasons: Vec<&str> =
                change.reasons.iter().map(|standing| standing.reason.sentence()).collect();
            line(&format!("unit   {} {}", change.to, reasons.join(" ")));
        }
    }
}

pub fn department(news: &receive::News) {
    println!("            department <- {news}");
}

pub fn note(text: &str) {
    line(&format!("       {text}"));
}

fn line(text: &str) {
    let now = Timestamp::now().to_zoned_datetime(TimeZone::system());
    println!("{}  {text}", now.strftime("%H:%M:%S"));
}
