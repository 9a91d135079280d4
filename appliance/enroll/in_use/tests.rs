use std::time::{Duration, SystemTime};

use super::*;
use crate::enroll::Authority;

/// A unit that was enrolled, and its department.
struct Post {
    folder: tempfile::TempDir,
    key: UnitKey,
    unit: UnitId,
    authority: Authority,
    broker: Broker,
}

impl Post {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::create("Test Department").unwrap();
        std::fs::write(folder.path().join("authority.pem"), authority.certificate_pem()).unwrap();
        authority.issue_client("north-7").unwrap().save(folder.path(), "unit").unwrap();
        let [ca, certificate, key] =
            ["authority.pem", "unit.pem", "unit.key"].map(|name| folder.path().join(name));
        let broker = Broker { authority: ca, certificate, key, ..Broker::default() };
        let unit = UnitId::parse("north-7").unwrap();
        Self { folder, key: UnitKey::generate(), unit, authority, broker }
    }

    fn open(&self) -> InUse {
        self.try_open().unwrap()
    }

    fn try_open(&self) -> Result<InUse, SealedFileError> {
        InUse::open(self.folder.path(), &self.key, self.unit.clone(), &self.broker)
    }

    fn sign(&self, request: &str) -> String {
        self.authority.sign(request, &self.unit).unwrap()
    }
}

fn by() -> PersonName {
    PersonName::parse("Tess Grant").unwrap()
}

fn certificate(text: &str) -> Offer {
    Offer { certificate: text.to_owned(), authority: String::new() }
}

fn authority(text: &str) -> Offer {
    Offer { certificate: String::new(), authority: text.to_owned() }
}

/// What the broker would be shown.
fn shown(in_use: &InUse) -> String {
    in_use.identity().unwrap().certificate.facts().unwrap().fingerprint
}

#[test]
fn a_signed_request_counts_once_kept_and_until_another_is_installed() {
    let post = Post::new();
    let in_use = post.open();
    let installed = shown(&in_use);
    assert_eq!(in_use.origin(), Origin::Installed);
    let (asked, is_new) = in_use.request(&by(), Timestamp::now()).unwrap();
    assert!(is_new);
    let again = post.open().request(&by(), Timestamp::now()).unwrap();
    assert_eq!((again.0.request, again.1), (asked.request.clone(), false), "it outlives a restart");

    let accepted = in_use.judge(&certificate(&post.sign(&asked.request)), Timestamp::now()).unwrap();
    accepted.identity.client_config().unwrap();
    assert_eq!(shown(&post.open()), installed, "nothing counts before it is kept");
    in_use.keep(&accepted, &by(), Timestamp::now()).unwrap();
    for in_use in [&in_use, &post.open()] {
        assert_eq!(shown(in_use), accepted.facts.fingerprint);
        assert_eq!(in_use.ends(), Some(accepted.facts.not_after));
        assert!(matches!(in_use.origin(), Origin::Changed { .. }) && in_use.requested().is_none());
    }
    let file = std::fs::read(post.folder.path().join("identity")).unwrap();
    assert!(!file.windows(11).any(|part| part == b"PRIVATE KEY"), "sealed");

    // A renewed certificate over the same key, without a request.
    let renewed = certificate(&post.sign(&asked.request));
    let accepted = in_use.judge(&renewed, Timestamp::now()).unwrap();
    in_use.keep(&accepted, &by(), Timestamp::now()).unwrap();
    assert!(matches!(in_use.judge(&renewed, Timestamp::now()), Err(OfferError::Same)));

    let other = post.authority.issue_client("north-7").unwrap();
    std::fs::write(&post.broker.certificate, &other.certificate_pem).unwrap();
    std::fs::write(&post.broker.key, &other.key_pem).unwrap();
    for in_use in [&in_use, &post.open()] {
        assert_eq!(in_use.origin(), Origin::Installed);
        in_use.identity().unwrap().client_config().unwrap();
        assert_ne!(shown(in_use), accepted.facts.fingerprint);
    }
}

#[test]
fn a_request_can_be_withdrawn_and_what_was_signed_for_it_is_worth_nothing() {
    let post = Post::new();
    let in_use = post.open();
    assert!(!in_use.withdraw().unwrap());
    let (asked, _) = in_use.request(&by(), Timestamp::now()).unwrap();
    assert!(in_use.withdraw().unwrap());
    assert!(post.open().requested().is_none());
    let late = in_use.judge(&certificate(&post.sign(&asked.request)), Timestamp::now());
    assert!(matches!(late, Err(OfferError::OtherKey)));
}

#[test]
fn every_refusal_names_its_reason_and_its_mend() {
    let post = Post::new();
    let in_use = post.open();
    let (asked, _) = in_use.request(&by(), Timestamp::now()).unwrap();
    let signed = post.sign(&asked.request);
    let stranger = Authority::create("Somebody Else").unwrap();
    let refused =
        |offer: &Offer| in_use.judge(offer, Timestamp::now()).err().expect("it is refused").to_string();
    let past = SystemTime::now() - Duration::from_secs(3600);
    let own_key = std::fs::read_to_string(&post.broker.key).unwrap();
    let other_name = UnitId::parse("south-1").unwrap();
    let long = "x".repeat(20_001);
    for (offer, says) in [
        (Offer::default(), "neither a certificate nor an authority"),
        (certificate("no certificate"), "from -----BEGIN CERTIFICATE----- on"),
        (certificate(&long), "at most 20000"),
        (authority("no certificate"), "the authority is no certificate in PEM"),
        (
            certificate("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
            "belongs to no key of this unit",
        ),
        (
            authority("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
            "in the authority cannot be understood",
        ),
        (
            certificate(include_str!("../../../tests/fixtures/version-1-certificate.pem")),
            "of X.509 version 1",
        ),
        (certificate(&own_key), "A unit's key never travels"),
        (certificate(&format!("{signed}{own_key}")), "A unit's key never travels"),
        (
            certificate(&post.authority.issue_client("north-7").unwrap().certificate_pem),
            "make a request here",
        ),
        (
            certificate(&post.authority.sign(&asked.request, &other_name).unwrap()),
            "is for \"south-1\", and this unit is north-7",
        ),
        (certificate(&stranger.sign(&asked.request, &post.unit).unwrap()), "by the authority in use"),
        (authority(&stranger.certificate_pem()), "by the new authority"),
    ] {
        let said = refused(&offer);
        assert!(said.contains(says), "{said}");
    }
    let ended = post.authority.issue_client_until("north-7", past).unwrap();
    std::fs::write(&post.broker.certificate, &ended.certificate_pem).unwrap();
    std::fs::write(&post.broker.key, &ended.key_pem).unwrap();
    let said = refused(&Offer {
        certificate: String::new(),
        authority: format!("{}{}", post.authority.certificate_pem(), stranger.certificate_pem()),
    });
    assert!(said.contains("ended on"), "{said}");
    let good = certificate(&signed);
    let early = Timestamp::now() - jiff::SignedDuration::from_hours(72);
    let said = in_use.judge(&good, early).err().unwrap().to_string();
    assert!(said.contains("valid only from") && said.contains("see to the clock"), "{said}");
    in_use.judge(&good, Timestamp::now()).expect("that ended one is mended by it");
}

#[test]
fn an_authority_is_changed_in_steps_and_a_chain_may_come_in_any_order() {
    let post = Post::new();
    let in_use = post.open();
    let next = Authority::create("Next Department").unwrap();
    let both = format!("{}{}", post.authority.certificate_pem(), next.certificate_pem());
    let accepted = in_use.judge(&authority(&both), Timestamp::now()).unwrap();
    assert_eq!(accepted.trusted.len(), 2);
    in_use.keep(&accepted, &by(), Timestamp::now()).unwrap();

    let (asked, _) = in_use.request(&by(), Timestamp::now()).unwrap();
    let signed = next.sign(&asked.request, &post.unit).unwrap();
    let turned = format!("{}\n{signed}", next.certificate_pem());
    let accepted = in_use.judge(&certificate(&turned), Timestamp::now()).unwrap();
    in_use.keep(&accepted, &by(), Timestamp::now()).unwrap();
    let alone = in_use.judge(&authority(&next.certificate_pem()), Timestamp::now()).unwrap();
    in_use.keep(&alone, &by(), Timestamp::now()).unwrap();
    post.open().identity().unwrap().client_config().unwrap();
    assert!(in_use.judge(&authority(&post.authority.certificate_pem()), Timestamp::now()).is_err());
}

#[test]
fn a_cut_between_two_writes_leaves_one_whole_identity() {
    let post = Post::new();
    let in_use = post.open();
    let (asked, _) = in_use.request(&by(), Timestamp::now()).unwrap();
    let request_file = post.folder.path().join("identity-request");
    let waiting = std::fs::read(&request_file).unwrap();
    let accepted = in_use.judge(&certificate(&post.sign(&asked.request)), Timestamp::now()).unwrap();
    in_use.keep(&accepted, &by(), Timestamp::now()).unwrap();
    std::fs::write(&request_file, waiting).unwrap();
    let after = post.open();
    assert!(after.requested().is_none(), "its key is in use");
    assert_eq!(shown(&after), accepted.facts.fingerprint);

    // The new file half-written beside the old one, as a cut within the write leaves it.
    std::fs::write(post.folder.path().join("identity.new"), b"half").unwrap();
    assert_eq!(shown(&post.open()), accepted.facts.fingerprint);
}

#[test]
fn what_another_unit_sealed_does_not_open() {
    let post = Post::new();
    let in_use = post.open();
    in_use.request(&by(), Timestamp::now()).unwrap();
    let other = InUse::open(post.folder.path(), &UnitKey::generate(), post.unit.clone(), &post.broker);
    let Err(SealedFileError::Damaged { path }) = other else { panic!("it opened") };
    std::fs::remove_file(path).unwrap();
    assert!(post.open().requested().is_none());
}
