//! Its certificates.

use super::*;

impl Identifying for Twin {
    fn certificates(&self) -> Certificates {
        let department = CertificateView { name: "Test Department".into(), ..certificate() };
        Certificates {
            present: Some(certificate()),
            trouble: None,
            authorities: vec![department],
            changed: None,
            requested: lock(&self.requested).clone(),
            last: lock(&self.attempt).clone(),
        }
    }

    fn request_certificate(&self, by: &PersonName) -> Result<(), Refused> {
        let request = "-----BEGIN CERTIFICATE REQUEST-----\nMIHTMHsCAQAwGTEXMBUGA1UEAwwO\n-----END CERTIFICATE REQUEST-----\n";
        *lock(&self.requested) = Some(RequestView { request: request.into(), by: by.clone(), at: NOW });
        Ok(())
    }

    fn withdraw_request(&self, _by: &PersonName) -> Result<(), Refused> {
        lock(&self.requested).take().map(|_| ()).ok_or(Refused("No request waits to be signed.".into()))
    }

    fn install_certificate(&self, offer: &Offer, _by: &PersonName) -> Result<(), Refused> {
        if *offer == Offer::default() {
            return Err(Refused("Neither a certificate nor an authority is there.".into()));
        }
        lock(&self.offered).push(offer.clone());
        Ok(())
    }

    fn look_into_bundle(&self, sent: &BundleSent) -> Result<BundleView, Refused> {
        if sent.bundle != "signed" {
            return Err(Refused("The bundle is not what the department signed.".into()));
        }
        let change = |field: &str, old: Option<&str>, new: Option<&str>| FieldChange {
            field: field.into(),
            old: old.map(str::to_owned),
            new: new.map(str::to_owned),
        };
        Ok(BundleView {
            signed_by: "0123456789abcdef".into(),
            known: sent.key.is_empty(),
            issued: before(3600),
            expires: before(-86_400),
            certificate: Some(certificate()),
            authorities: vec![CertificateView { name: "Next Department".into(), ..certificate() }],
            changes: vec![
                change("alert.repeat_after_s", Some("60"), Some("120")),
                change("hotlist.lists[1].name", None, Some("\"state\"")),
            ],
            console: "10.1.1.1:8443".into(),
        })
    }

    fn take_bundle(&self, sent: &BundleSent, by: &PersonName) -> Result<(), Refused> {
        self.look_into_bundle(sent)?;
        lock(&self.work).push(format!("{by}: takes a bundle"));
        Ok(())
    }
}

pub fn certificate() -> CertificateView {
    CertificateView {
        name: "barrel-7".into(),
        issuer: "CN=Test Department".into(),
        from: before(285 * 86_400),
        until: before(-80 * 86_400),
        fingerprint: "3f".repeat(32),
    }
}
