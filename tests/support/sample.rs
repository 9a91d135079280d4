//! Bodies of records as units store them, for tests that ask how records travel and not what they say.

use milepost::delivery::Kind;
use milepost::record;

/// What a record of this kind holds. Pictures begin as a JPEG does, and hold nothing.
pub fn body(kind: Kind) -> Vec<u8> {
    let text = match kind {
        Kind::AlertPicture | Kind::ReadPicture => return jpeg(1000),
        Kind::Alert => ALERT,
        Kind::Disposition => DISPOSITION,
        Kind::ManualEntry => MANUAL_ENTRY,
        Kind::HealthChange => HEALTH_CHANGE,
        Kind::Canary => CANARY,
        Kind::Audit => AUDIT,
        Kind::PurgeCertificate => PURGE_CERTIFICATE,
        Kind::Read => READ,
    };
    text.as_bytes().to_vec()
}

/// The same of a stored record.
pub fn stored(kind: record::Kind) -> Vec<u8> {
    body(match kind {
        record::Kind::Alert | record::Kind::CriticalAlert | record::Kind::AmberAlert => Kind::Alert,
        record::Kind::Picture => Kind::ReadPicture,
        record::Kind::Health => Kind::HealthChange,
        record::Kind::Audit => Kind::Audit,
        record::Kind::Certificate => Kind::PurgeCertificate,
        record::Kind::Read => Kind::Read,
        record::Kind::Disposition => Kind::Disposition,
        record::Kind::ManualEntry => Kind::ManualEntry,
        record::Kind::Canary => Kind::Canary,
    })
}

/// The same with spaces in it, so that it has at least so many bytes.
pub fn padded(kind: record::Kind, size: usize) -> Vec<u8> {
    let mut body = stored(kind);
    let missing = size.saturating_sub(body.len());
    body.splice(1..1, std::iter::repeat_n(b' ', missing));
    body
}

/// So many bytes that begin as a JPEG does.
pub fn jpeg(size: usize) -> Vec<u8> {
    let mut bytes = vec![0xff; size];
    bytes[1] = 0xd8;
    bytes
}

const ALERT: &str = concat!(
    r#"{"id":"01975f0e-6a80-7c3a-9d52-0f6a4a1f0021","revision":1,"unit":"north-7","camera":"lane-1","#,
    r#""seen":"2026-06-01T12:00:00Z","read":"01975f0e-6a80-7c3a-9d52-0f6a4a1f0022","text":"ABC123","#,
    r#""confidence":0.97,"doubtful":[],"state":"ca","state_confidence":0.91,"level":"high","hit":"full","#,
    r#""matched":{"entry":{"plate":"ABC123","state":"ca","category":"stolen","reason":"taken from a driveway","#,
    r#""authority":"Springfield PD","case":"26-114"},"kind":"exact","probability":0.97,"read_as":"ABC123","#,
    r#""state":"equal","state_probability":0.91,"list":{"list":"state-stolen","version":1790000000,"#,
    r#""issued":"2026-06-01T06:00:00Z"}},"list_age_s":21600,"position":{"latitude":42.1015,"#,
    r#""longitude":-72.5898,"source":"site","error_m":null,"age_s":null},"lane":"1","lane_travel":"towards","#,
    r#""direction":"approaching","#,
    r#""notice":"Verify characters and state of issuance, and confirm the status in CJIS/NCIC, before any stop.","#,
    r#""pictures":[{"id":"01975f0e-6a80-7c3a-9d52-0f6a4a1f0011","kind":"crop","#,
    r#""sha256":"375676bd26868505668fce072799a6e029a37fbbe67b70b89f7b68def282344c"},{"id":"01975f0e-6a80-7c3a-9d52-0f6a4a1f0012","#,
    r#""kind":"scene","sha256":"4f48f7207cebf92638debb5694e4a8677350cf88a9e98e73c6c466b6b1d43890"}]}"#,
);

const DISPOSITION: &str = concat!(
    r#"{"alert":"01975f0e-6a80-7c3a-9d52-0f6a4a1f0021","verdict":"correct-read","verified":{"characters":true,"#,
    r#""state":true,"status":true},"by":"Ann Lee","at":"2026-06-01T12:03:00Z","from":"console"}"#,
);

const MANUAL_ENTRY: &str = concat!(
    r#"{"what":"requested","entry":{"id":"01975f0e-6a80-7c3a-9d52-0f6a4a1f0021","entry":{"plate":"XYZ7*","#,
    r#""category":"bolo","reason":"left the scene at Route 9","until":"2026-06-02T12:00:00Z"},"replaces":null,"#,
    r#""requested":{"by":"Ann Lee","key":"21fe31dfa154a261","at":"2026-06-01T12:00:00Z"},"approved":null,"#,
    r#""removal":null,"ended":null,"told":"nothing"}}"#,
);

const HEALTH_CHANGE: &str = concat!(
    r#"{"from":"in-service","to":"out-of-service","at":"2026-06-01T12:00:00Z","by":"Cy Roe","#,
    r#""said":"window broken","reasons":[{"reason":"taken-out","detail":"window broken","#,
    r#""since":"2026-06-01T12:00:00Z","by":"Cy Roe"}]}"#,
);

const CANARY: &str = concat!(
    r#"{"unit":"north-7","camera":"lane-1","laid":"2026-06-01T12:00:00Z","sightings":3,"width_px":131.5,"#,
    r#""confidence":0.98,"matched":0.98}"#,
);

const AUDIT: &str = concat!(
    r#"[{"number":1,"at":"2026-06-01T12:00:00Z","clock_trusted":true,"who":"unit","what":{"event":"started","#,
    r#""version":"0.1.0","configuration":"bf0a902215950f951e1fd6cf23398f0de79d27b779637c5e29f24c8b930e6300"},"#,
    r#""previous":"0000000000000000000000000000000000000000000000000000000000000000","#,
    r#""hash":"6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b"}]"#,
);

const PURGE_CERTIFICATE: &str = concat!(
    r#"{"id":"01975f0e-6a80-7c3a-9d52-0f6a4a1f0021","at":"2026-06-01T12:00:00Z","reason":"received","#,
    r#""policy":"massachusetts-model","records":[{"id":"01975f0e-6a80-7c3a-9d52-0f6a4a1f0022","#,
    r#""sha256":"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","kind":"read","hit":true,"#,
    r#""captured":"2026-06-01T12:00:00Z"}],"#,
    r#""records_sha256":"4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945","audit":{"number":9,"#,
    r#""hash":"19581e27de7ced00ff1ce50b2047e7a567c76b1cbaebabe5ef03f7c3017bb5b7"}}"#,
);

const READ: &str = concat!(
    r#"{"id":"01975f0e-6a80-7c3a-9d52-0f6a4a1f0022","unit":"north-7","camera":"lane-1","#,
    r#""started":"2026-06-01T11:59:58.4Z","ended":"2026-06-01T12:00:00Z","candidates":[{"text":"ABC123","#,
    r#""confidence":0.97},{"text":"ABC128","confidence":0.02}],"characters":[0.99,0.99,0.99,1.0,1.0,0.97],"#,
    r#""state":"ca","state_confidence":0.91,"lane":"1","lane_travel":"towards","direction":"approaching","#,
    r#""sightings":19,"corners":[[412.0,310.5],[548.2,312.0],[547.9,379.1],[411.6,377.4]],"width_px":136.2,"#,
    r#""position":{"latitude":42.1015,"longitude":-72.5898,"source":"site","error_m":null,"age_s":null},"#,
    r#""clock":"synchronised","model":"0.1.0","matches":[{"list":"state-stolen","version":1790000000,"#,
    r#""kind":"exact","probability":0.97,"state":"equal"}],"#,
    r#""pictures":[{"id":"01975f0e-6a80-7c3a-9d52-0f6a4a1f0011","kind":"crop","#,
    r#""sha256":"375676bd26868505668fce072799a6e029a37fbbe67b70b89f7b68def282344c"}]}"#,
);
