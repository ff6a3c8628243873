//! What certificates prove, and what they do not.

use super::*;
use rcgen::{CertificateParams, DnType, KeyPair, SanType};

fn certificate(change: impl FnOnce(&mut CertificateParams), key: &KeyPair) -> ClientCertificate {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "Example, Inc");
    params.distinguished_name.push(DnType::CommonName, "build");
    change(&mut params);
    ClientCertificate::from_der(params.self_signed(key).unwrap().der())
}

fn presented(certificate: ClientCertificate, trust: Trust) -> PresentedCertificate {
    PresentedCertificate { certificate, trust }
}

#[test]
fn a_subject_is_compared_exactly_and_only_when_somebody_vouches_for_it() {
    let key = KeyPair::generate().unwrap();
    let certificate = certificate(
        |params| {
            params.subject_alt_names = vec![
                SanType::DnsName("build.example.com".try_into().unwrap()),
                SanType::URI("spiffe://example/build".try_into().unwrap()),
                SanType::Rfc822Name("build@example.com".try_into().unwrap()),
                SanType::IpAddress("192.0.2.7".parse().unwrap()),
                SanType::IpAddress("2001:db8::7".parse().unwrap()),
            ];
        },
        &key,
    );
    let dn = tidy_distinguished_name("CN=build,O=Example\\, Inc").unwrap();
    let good = [
        format!("dn:{dn}"),
        "dns:build.example.com".into(),
        "dns:BUILD.example.com".into(),
        "uri:spiffe://example/build".into(),
        "email:build@example.com".into(),
        "ip:192.0.2.7".into(),
        "ip:2001:db8::7".into(),
    ];
    for subject in good.map(|text| text.parse::<CertificateSubject>().unwrap()) {
        assert_eq!(
            check_subject(Some(&presented(certificate.clone(), Trust::Authority)), &subject),
            Ok(()),
            "{subject}"
        );
        assert_eq!(
            check_subject(Some(&presented(certificate.clone(), Trust::Nobody)), &subject),
            Err(NoProof::Untrusted)
        );
        assert_eq!(check_subject(None, &subject), Err(NoProof::Missing));
    }
    let bad = [
        "dn:CN=build",
        "dn:CN=Build,O=Example\\, Inc",
        "dn:CN=build,O=Example, Inc",
        "dn:O=Example\\, Inc,CN=build",
        "dns:example.com",
        "dns:*.example.com",
        "dns:spiffe://example/build",
        "uri:build.example.com",
        "uri:spiffe://example/Build",
        "email:build.example.com",
        "ip:192.0.2.8",
    ];
    for subject in bad.map(|text| text.parse::<CertificateSubject>().unwrap()) {
        let refused = check_subject(Some(&presented(certificate.clone(), Trust::Authority)), &subject);
        assert_eq!(refused, Err(NoProof::Subject), "{subject}");
    }
}

#[test]
fn a_registered_key_proves_whoever_signed_and_another_does_not() {
    let (ours, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let ed25519 = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let p384 = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    for key in [&ours, &ed25519] {
        let certificate = certificate(|_| {}, key);
        let keys = JwkSet { keys: vec![public_key(&certificate).unwrap()] };
        let renewed = self::certificate(|params| params.distinguished_name.push(DnType::CommonName, "renewed"), key);
        for shown in [certificate, renewed] {
            assert_eq!(check_key(Some(&presented(shown, Trust::Nobody)), &keys), Ok(()));
        }
        let foreign = self::certificate(|_| {}, &other);
        assert_eq!(check_key(Some(&presented(foreign, Trust::Authority)), &keys), Err(NoProof::Key));
        assert_eq!(check_key(None, &keys), Err(NoProof::Missing));
    }
    assert_eq!(public_key(&certificate(|_| {}, &p384)), None);
    let nonsense = presented(ClientCertificate::from_der(b"nonsense"), Trust::Authority);
    assert_eq!(check_key(Some(&nonsense), &JwkSet::default()), Err(NoProof::Unreadable));
    assert_eq!(check_subject(Some(&nonsense), &"dns:a".parse().unwrap()), Err(NoProof::Unreadable));
}

#[test]
fn a_pem_file_is_read_and_nonsense_is_not() {
    let key = KeyPair::generate().unwrap();
    let pem = CertificateParams::default().self_signed(&key).unwrap().pem();
    let read = read_pem(&format!("Subject: somebody\n{pem}\n{pem}")).unwrap();
    assert!(public_key(&read).is_some());
    for bad in ["", "-----BEGIN CERTIFICATE-----", "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----"] {
        assert!(read_pem(bad).is_none(), "{bad}");
    }
    assert_eq!(tidy_distinguished_name("nonsense"), None);
    assert_eq!(tidy_distinguished_name(""), None);
    assert_eq!(tidy_distinguished_name("cn=a,o=b").as_deref(), Some("CN=a,O=b"));
}
