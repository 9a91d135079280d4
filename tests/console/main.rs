//! The local port keeps its promises: nobody gets in who should not, everybody sees what they may, and every
//! access is written down. Over real HTTPS, against a unit that the test holds in its hand.

mod alerts_live;
mod browser;
mod certificates;
#[path = "../support/browser.rs"]
mod chromium;
#[path = "../support/client.rs"]
mod client;
mod lanes;
mod network;
mod outside;
mod people;
mod rights;
mod roster;
mod site;
mod tool;
mod twin;
mod work;

pub use site::{ADMINISTRATOR, OFFICER, PASSWORD, Site, TECHNICIAN};
