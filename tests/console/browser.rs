//! The pages in a real browser.

use std::path::PathBuf;

use crate::chromium::Browser;
use crate::twin::{lock, stolen};
use crate::{ADMINISTRATOR, OFFICER, Site};

/// Pictures of the pages are left here, to be looked at.
pub fn album() -> PathBuf {
    let album = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("console");
    std::fs::create_dir_all(&album).unwrap();
    album
}

#[test]
fn pages_fit_a_telephone_and_a_desk_by_day_and_by_night() {
    let site = Site::peopled();
    site.unit.film();
    let address = format!("https://{}", site.console.address());
    let mut browser = Browser::start();
    browser.look_like(360, "light");
    browser.open(&format!("{address}/sign-in"));
    assert_eq!(browser.barriers(), Vec::<String>::new());
    browser.picture(&album().join("sign-in-360-light.png"));
    browser.open(&format!("{address}/set-up"));
    assert_eq!(browser.barriers(), Vec::<String>::new());
    browser.picture(&album().join("set-up-360-light.png"));

    browser.wear_session_of(&site.signed_in(ADMINISTRATOR), &address);
    let alert = format!("alerts/{}", lock(&site.unit.alerts)[0].alert.id);
    let pages = [
        "",
        "aim",
        "alerts",
        &alert,
        "screen",
        "lists",
        "records",
        "maintenance",
        "deployment",
        "network",
        "certificates",
        "accounts",
        "configuration",
        "audit",
        "recovery",
        "password",
    ];
    for (width, scheme) in [(360, "light"), (360, "dark"), (1280, "light"), (1280, "dark")] {
        browser.look_like(width, scheme);
        for page in pages {
            browser.open(&format!("{address}/{page}"));
            if page == "aim" {
                browser.wait_for("document.querySelector('.plates li') !== null");
            }
            browser.evaluate(
                "document.querySelectorAll('details').forEach((folded) => { folded.open = true; })",
            );
            assert_eq!(browser.barriers(), Vec::<String>::new(), "/{page} at {width}, {scheme}");
            // Not less innerWidth: a telephone widens that to what does not fit.
            let overhang = browser.evaluate(&format!("document.documentElement.scrollWidth - {width}"));
            assert!(overhang.as_i64().unwrap() <= 0, "/{page} at {width}: {overhang} px too wide");
            let name = match page.split_once('/') {
                Some(_) => "alert",
                None if page.is_empty() => "overview",
                None => page,
            };
            browser.picture(&album().join(format!("{name}-{width}-{scheme}.png")));
        }
    }
    assert_eq!(browser.complaints, Vec::<String>::new());
}

#[test]
fn an_administrators_pages_fold_behind_a_button_on_a_telephone() {
    let site = Site::peopled();
    let address = format!("https://{}", site.console.address());
    let mut browser = Browser::start();
    browser.wear_session_of(&site.signed_in(ADMINISTRATOR), &address);
    let shown = "getComputedStyle(document.getElementById('pages')).display !== 'none'";
    browser.look_like(1280, "light");
    browser.open(&format!("{address}/network"));
    assert_eq!(browser.evaluate(shown), true, "a desk has room for them");

    browser.look_like(360, "light");
    browser.open(&format!("{address}/network"));
    assert_eq!(browser.evaluate(shown), false);
    let height = browser.evaluate("document.querySelector('header').getBoundingClientRect().height");
    assert!(height.as_f64().unwrap() < 100.0, "the head of the page takes {height} px");
    browser.evaluate("document.querySelector('nav button').focus(); true");
    browser.press("Enter");
    browser.wait_for(shown);
    assert_eq!(browser.evaluate("document.querySelector('nav [aria-current]').textContent"), "Network");
    assert_eq!(browser.barriers(), Vec::<String>::new());
    browser.picture(&album().join("pages-360-light.png"));
    browser.press("Escape");
    browser.wait_for(&format!("!({shown})"));
    browser.click("nav button");
    browser.wait_for(shown);
    browser.click("nav a[href='/audit']");
    browser.wait_for("location.pathname === '/audit'");
    assert_eq!(browser.complaints, Vec::<String>::new());
}

#[test]
fn a_person_signs_in_through_the_form() {
    let site = Site::peopled();
    let address = format!("https://{}", site.console.address());
    let mut browser = Browser::start();
    browser.open(&format!("{address}/sign-in"));
    let fill = format!(
        "document.getElementById('name').value = '{OFFICER}';
         document.getElementById('password').value = '{}';
         document.querySelector('form button').click(); true",
        crate::PASSWORD
    );
    browser.evaluate(&fill);
    browser.wait_for("location.pathname === '/' && document.body.textContent.includes('Omar Fields')");
    // A form with the session's token goes through from a real page, `Origin: null` and all.
    browser.evaluate("document.querySelector('footer form button').click(); true");
    browser.wait_for("location.pathname === '/sign-in'");
    assert_eq!(browser.complaints, Vec::<String>::new());
}

#[test]
fn the_aim_page_shows_a_moving_picture_and_an_alert_is_called_out_on_it() {
    let site = Site::peopled();
    site.unit.film();
    let address = format!("https://{}", site.console.address());
    let mut browser = Browser::start();
    browser.look_like(360, "light");
    browser.wear_session_of(&site.signed_in(OFFICER), &address);
    browser.open(&format!("{address}/aim"));
    browser.wait_for("document.querySelector('.advice').textContent.startsWith('Good for standing')");
    browser
        .wait_for("Number(/, (\\d+) pictures/.exec(document.querySelector('.rate').textContent)?.[1]) >= 5");
    browser.wait_for("document.querySelector('.plates li').textContent.includes('190 px wide')");
    browser.wait_for("document.querySelector('.checks .amber').textContent.startsWith('Plate width 190 px')");

    site.unit.raise(stolen("77KLM2", 0));
    browser
        .wait_for("document.getElementById('news').textContent === 'HIGH alert: 77KLM2, lane 2, going away'");
    browser.picture(&album().join("news-360-light.png"));
    browser.open(&format!("{address}/alerts"));
    browser.wait_for("document.querySelectorAll('article').length === 3");
    assert_eq!(browser.evaluate("document.getElementById('news').hidden"), true, "called out once");
    site.unit.raise(stolen("99ZZY1", 0));
    browser.wait_for("document.querySelectorAll('article').length === 4");
    assert_eq!(browser.complaints, Vec::<String>::new());
}
