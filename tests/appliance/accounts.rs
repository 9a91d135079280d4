//! Accounts lie sealed, and whoever takes them off the disk gets nothing for it; who forgot everything has a way back.

use crate::door::{PASSPHRASE, at_console, enter};
use crate::program::{Appliance, milepost, milepost_ok, said};
use crate::site::Site;
use crate::support::eventually;

#[test]
fn taken_accounts_give_no_code_but_by_the_machine_itself() {
    let site = Site::open();
    site.configure_scene("127.0.0.1:0".parse().unwrap());
    let folder = site.folder().join("state/console");
    let unit = Appliance::start(site.folder());
    let code = unit.word_behind("one-time code code=");
    let mut ada = at_console(&unit, &folder);
    assert_eq!(enter(&mut ada, &code, "Ada Moss"), 303);
    eventually("the label is gone", || !folder.join("label.txt").exists());
    unit.terminate();
    let sealed = std::fs::read(folder.join("accounts")).unwrap();
    assert!(!sealed.windows(8).any(|window| window == b"Ada Moss"));

    // Whoever has the disk takes them away, and the log of the first start with them.
    std::fs::remove_file(folder.join("accounts")).unwrap();
    std::fs::remove_dir_all(site.folder().join("state/audit")).unwrap();
    let mut unit = Appliance::start(site.folder());
    unit.tells("READY=1");
    assert!(!unit.said().contains("one-time code code="), "{}", unit.said());
    assert!(!folder.join("label.txt").exists());
    let mut thief = at_console(&unit, &folder);
    let door = thief.get("/sign-in").text();
    assert!(door.contains("gone or damaged") && door.contains("milepost recover"), "{door}");
    assert_eq!(enter(&mut thief, &code, "Eve Roe"), 422);
    assert_eq!(thief.sign_in("Ada Moss", PASSPHRASE).status, 401);
    eventually("the department sees it", || site.department.sees("out-of-service", &["state-damaged"]));

    // Whoever has the unit's key makes a code; it counts from the next start on, once.
    let recover = ["recover", "--config", "milepost.toml", "--by", "Tess Grant", "--reason"];
    let without = milepost(&[&recover[..], &[" "]].concat(), site.folder());
    assert!(said(&without).contains("give a --reason"), "{}", said(&without));
    let told = milepost_ok(&[&recover[..], &["the accounts were stolen"]].concat(), site.folder());
    let code = told.split_whitespace().nth(2).unwrap();
    assert_eq!(enter(&mut thief, code, "Tess Grant"), 422, "not before the next start");
    unit.terminate();
    let unit = Appliance::start(site.folder());
    let mut tess = at_console(&unit, &folder);
    assert_eq!(enter(&mut tess, code, "Tess Grant"), 303);
    assert_eq!(enter(&mut at_console(&unit, &folder), code, "Eve Roe"), 422);
    let audit = tess.get("/audit").text();
    assert!(audit.contains("as root on the unit: the accounts were stolen"), "{audit}");
}
