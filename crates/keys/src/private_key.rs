//! Private keys as their owners have them: DER, or a JWK (RFC 7517) with its private members.
//!
//! | written as | read by |
//! |---|---|
//! | PKCS#8 (RFC 5958), `BEGIN PRIVATE KEY` | [`PrivateKey::from_der`] |
//! | SEC 1 (RFC 5915), `BEGIN EC PRIVATE KEY` | [`PrivateKey::from_der`] |
//! | PKCS#1 (RFC 8017 A.1.2), `BEGIN RSA PRIVATE KEY` | [`PrivateKey::from_der`] |
//! | JWK: EC (RFC 7518 §6.2.2), RSA (§6.3.2), OKP (RFC 8037 §2) | [`PrivateKey::from_jwk`] |
//!
//! A key signs by the algorithms of its kind: ES256 on P-256, EdDSA by Ed25519, RS256 and PS256 by RSA.

use crate::{
    Algorithm, SigningKey,
    jwk::decode,
    jws::{Header, SigningKeyError},
    signing_key::Pair,
};
use aws_lc_rs::{
    rsa,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair},
};
use gatepass_oauth::Secret;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// How a key in DER is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// With its kind.
    Pkcs8,
    /// An EC key alone.
    Sec1,
    /// An RSA key alone.
    Pkcs1,
}

/// It is no private key that signs here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no private key that can sign: EC P-256, Ed25519, or RSA of 2048 to 8192 bits")]
pub struct UnusableKey;

/// A private key, with what a JWK says of it.
#[derive(Debug)]
pub struct PrivateKey {
    key: SigningKey,
    kid: Option<String>,
    only: Option<Algorithm>,
}

/// The members of a private JWK; those of other kinds are passed over.
#[derive(Deserialize)]
#[serde(tag = "kty")]
enum Members {
    #[serde(rename = "EC")]
    Ec { crv: String, x: String, y: String, d: Secret },
    #[serde(rename = "OKP")]
    Okp { crv: String, x: String, d: Secret },
    #[serde(rename = "RSA")]
    Rsa { n: String, e: String, d: Secret, p: Secret, q: Secret, dp: Secret, dq: Secret, qi: Secret },
}

#[derive(Deserialize)]
struct Jwk {
    #[serde(flatten)]
    members: Members,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    alg: Option<String>,
}

impl PrivateKey {
    /// A key in DER.
    ///
    /// # Errors
    /// [`UnusableKey`].
    pub fn from_der(der: &[u8], encoding: Encoding) -> Result<Self, UnusableKey> {
        let ec = |pair: Result<EcdsaKeyPair, _>| pair.ok().map(Pair::Es256);
        let rsa = |pair: Result<rsa::KeyPair, _>| pair.ok().map(|pair| Pair::Rs256(Box::new(pair)));
        let pair = match encoding {
            Encoding::Pkcs8 => ec(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der))
                .or_else(|| Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).ok().map(Pair::EdDsa))
                .or_else(|| rsa(rsa::KeyPair::from_pkcs8(der))),
            Encoding::Sec1 => ec(EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, der)),
            Encoding::Pkcs1 => rsa(rsa::KeyPair::from_der(der)),
        };
        let key = pair.and_then(|pair| SigningKey::from_pair(pair).ok()).ok_or(UnusableKey)?;
        Ok(Self { key, kid: None, only: None })
    }

    /// A key in JSON. Its `alg`, if it has one, is the only one that it signs by.
    ///
    /// # Errors
    /// [`UnusableKey`].
    pub fn from_jwk(text: &Secret) -> Result<Self, UnusableKey> {
        let jwk: Jwk = serde_json::from_str(text.expose()).map_err(|_| UnusableKey)?;
        let pair = pair(&jwk.members).ok_or(UnusableKey)?;
        let key = SigningKey::from_pair(pair).map_err(|_| UnusableKey)?;
        let only = jwk.alg.as_deref().map(str::parse).transpose().map_err(|_| UnusableKey)?;
        let read = Self { key, kid: jwk.kid, only };
        if read.algorithms().is_empty() { Err(UnusableKey) } else { Ok(read) }
    }

    /// Its name in its owner's set; DER has none.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Its public half.
    #[must_use]
    pub fn public(&self) -> &crate::Jwk {
        self.key.public()
    }

    /// What it signs by, the most usual first.
    #[must_use]
    pub fn algorithms(&self) -> Vec<Algorithm> {
        let all: &[Algorithm] = match self.key.algorithm() {
            Algorithm::Es256 => &[Algorithm::Es256],
            Algorithm::EdDsa => &[Algorithm::EdDsa],
            Algorithm::Rs256 | Algorithm::Ps256 => &[Algorithm::Rs256, Algorithm::Ps256],
        };
        all.iter().copied().filter(|algorithm| self.only.is_none_or(|only| only == *algorithm)).collect()
    }

    /// Signs claims as a compact JWS of type `JWT`, under the name that the verifier knows the key by.
    ///
    /// # Errors
    /// [`SigningKeyError`].
    pub fn sign(
        &self,
        algorithm: Algorithm,
        kid: Option<&str>,
        claims: &impl Serialize,
    ) -> Result<Secret, SigningKeyError> {
        let kid = kid.map(str::to_owned);
        let header = Header { alg: algorithm.as_str().into(), typ: Some("JWT".into()), kid, crit: false };
        self.key.sign_by(algorithm, &header, claims).map(Secret::new)
    }
}

fn pair(members: &Members) -> Option<Pair> {
    let number = |text: &str| decode(text).map(Zeroizing::new);
    match members {
        Members::Ec { crv, x, y, d } if crv == "P-256" => {
            let point = [&[0x04][..], &number(x)?, &number(y)?].concat();
            let d = number(d.expose())?;
            EcdsaKeyPair::from_private_key_and_public_key(&ECDSA_P256_SHA256_FIXED_SIGNING, &d, &point)
                .ok()
                .map(Pair::Es256)
        }
        Members::Okp { crv, x, d } if crv == "Ed25519" => {
            let (seed, public) = (number(d.expose())?, number(x)?);
            Ed25519KeyPair::from_seed_and_public_key(&seed, &public).ok().map(Pair::EdDsa)
        }
        Members::Rsa { n, e, d, p, q, dp, dq, qi } => {
            // RSAPrivateKey: a version and eight numbers.
            let mut body = integer(&[0])?;
            for text in [n.as_str(), e, d.expose(), p.expose(), q.expose(), dp.expose(), dq.expose(), qi.expose()] {
                body.extend_from_slice(&integer(&number(text)?)?);
            }
            let der = element(0x30, &body)?;
            rsa::KeyPair::from_der(&der).ok().map(|pair| Pair::Rs256(Box::new(pair)))
        }
        _ => None,
    }
}

/// A number that is not negative, in DER: no zeros before it, but one where its first bit is set.
fn integer(bytes: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len().saturating_sub(1));
    let digits = bytes.get(start..)?;
    let mut content = Zeroizing::new(Vec::with_capacity(digits.len() + 1));
    if digits.first().is_none_or(|first| *first >= 0x80) {
        content.push(0);
    }
    content.extend_from_slice(digits);
    element(0x02, &content)
}

/// An element in DER; a key is never longer than 64 KiB.
fn element(tag: u8, content: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let [high, low] = u16::try_from(content.len()).ok()?.to_be_bytes();
    let mut der = Zeroizing::new(Vec::with_capacity(content.len() + 4));
    match (high, low) {
        (0, ..0x80) => der.extend_from_slice(&[tag, low]),
        (0, _) => der.extend_from_slice(&[tag, 0x81, low]),
        _ => der.extend_from_slice(&[tag, 0x82, high, low]),
    }
    der.extend_from_slice(content);
    Some(der)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{JwkSet, jws::verify};
    use aws_lc_rs::encoding::{AsBigEndian, AsDer, Pkcs8V1Der};
    use serde_json::{Value, json};

    fn signs(key: &PrivateKey) {
        for algorithm in key.algorithms() {
            let token = key.sign(algorithm, key.kid(), &json!({ "sub": "u" })).unwrap();
            let public = crate::Jwk { alg: None, kid: key.kid().map(str::to_owned), ..key.public().clone() };
            let set = JwkSet { keys: vec![public] };
            assert_eq!(verify::<Value>(token.expose(), &set).unwrap(), json!({ "sub": "u" }), "{algorithm}");
        }
    }

    #[test]
    fn a_key_of_each_kind_signs_by_each_algorithm_of_its_kind() {
        let ec = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let ed = Ed25519KeyPair::generate().unwrap();
        let rsa = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap();
        let rsa: Pkcs8V1Der<'_> = rsa.as_der().unwrap();
        let (ec, ed) = (ec.to_pkcs8v1().unwrap(), ed.to_pkcs8v1().unwrap());
        let table: [(&[u8], &[Algorithm]); 3] = [
            (ec.as_ref(), &[Algorithm::Es256]),
            (ed.as_ref(), &[Algorithm::EdDsa]),
            (rsa.as_ref(), &[Algorithm::Rs256, Algorithm::Ps256]),
        ];
        for (der, algorithms) in table {
            let key = PrivateKey::from_der(der, Encoding::Pkcs8).unwrap();
            assert_eq!(key.algorithms(), algorithms);
            signs(&key);
            assert!(PrivateKey::from_der(&der[1..], Encoding::Pkcs8).is_err());
        }
    }

    #[test]
    fn a_jwk_is_read_with_its_name_and_its_algorithm() {
        let ec = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let d: aws_lc_rs::encoding::EcPrivateKeyBin<'_> = ec.private_key().as_be_bytes().unwrap();
        let key = PrivateKey::from_der(ec.to_pkcs8v1().unwrap().as_ref(), Encoding::Pkcs8).unwrap();
        let mut jwk = serde_json::to_value(key.public()).unwrap();
        jwk["d"] = crate::jws::base64url(d.as_ref()).into();
        jwk["kid"] = "mine".into();
        let read = PrivateKey::from_jwk(&jwk.to_string().into()).unwrap();
        assert_eq!((read.kid(), read.algorithms()), (Some("mine"), vec![Algorithm::Es256]));
        signs(&read);
        for (member, value) in [("alg", json!("RS256")), ("crv", json!("P-384")), ("d", json!("AA")), ("x", json!(1))] {
            let mut bad = jwk.clone();
            bad[member] = value;
            assert!(PrivateKey::from_jwk(&bad.to_string().into()).is_err(), "{member}");
        }
        // RFC 8037, appendix A.1, and its thumbprint of A.3.
        let ed = json!({"kty": "OKP", "crv": "Ed25519", "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
                        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
        let ed = PrivateKey::from_jwk(&ed.to_string().into()).unwrap();
        signs(&ed);
        assert_eq!(ed.public().thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        assert!(PrivateKey::from_jwk(&"{}".into()).is_err() && PrivateKey::from_jwk(&"\u{0}".into()).is_err());
    }

    #[test]
    fn an_rsa_jwk_is_the_key_that_it_says() {
        // RFC 7517, appendix A.2.
        let jwk = json!({
            "kty": "RSA", "kid": "2011-04-29", "alg": "PS256",
            "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
            "e": "AQAB",
            "d": "X4cTteJY_gn4FYPsXB8rdXix5vwsg1FLN5E3EaG6RJoVH-HLLKD9M7dx5oo7GURknchnrRweUkC7hT5fJLM0WbFAKNLWY2vv7B6NqXSzUvxT0_YSfqijwp3RTzlBaCxWp4doFk5N2o8Gy_nHNKroADIkJ46pRUohsXywbReAdYaMwFs9tv8d_cPVY3i07a3t8MN6TNwm0dSawm9v47UiCl3Sk5ZiG7xojPLu4sbg1U2jx4IBTNBznbJSzFHK66jT8bgkuqsk0GjskDJk19Z4qwjwbsnn4j2WBii3RL-Us2lGVkY8fkFzme1z0HbIkfz0Y6mqnOYtqc0X4jfcKoAC8Q",
            "p": "83i-7IvMGXoMXCskv73TKr8637FiO7Z27zv8oj6pbWUQyLPQBQxtPVnwD20R-60eTDmD2ujnMt5PoqMrm8RfmNhVWDtjjMmCMjOpSXicFHj7XOuVIYQyqVWlWEh6dN36GVZYk93N8Bc9vY41xy8B9RzzOGVQzXvNEvn7O0nVbfs",
            "q": "3dfOR9cuYq-0S-mkFLzgItgMEfFzB2q3hWehMuG0oCuqnb3vobLyumqjVZQO1dIrdwgTnCdpYzBcOfW5r370AFXjiWft_NGEiovonizhKpo9VVS78TzFgxkIdrecRezsZ-1kYd_s1qDbxtkDEgfAITAG9LUnADun4vIcb6yelxk",
            "dp": "G4sPXkc6Ya9y8oJW9_ILj4xuppu0lzi_H7VTkS8xj5SdX3coE0oimYwxIi2emTAue0UOa5dpgFGyBJ4c8tQ2VF402XRugKDTP8akYhFo5tAA77Qe_NmtuYZc3C3m3I24G2GvR5sSDxUyAN2zq8Lfn9EUms6rY3Ob8YeiKkTiBj0",
            "dq": "s9lAH9fggBsoFR8Oac2R_E2gw282rT2kGOAhvIllETE1efrA6huUUvMfBcMpn8lqeW6vzznYY5SSQF7pMdC_agI3nG8Ibp1BUb0JUiraRNqUfLhcQb_d9GF4Dh7e74WbRsobRonujTYN1xCaP6TO61jvWrX-L18txXw494Q_cgk",
            "qi": "GyM_p6JrXySiz1toFgKbWV-JdI3jQ4ypu9rbMWx3rQJBfmt0FoYzgUIZEVFEcOqwemRN81zoDAaa-Bk0KWNGDjJHZDdDmFhW3AN7lI-puxk_mHZGJ11rxyR8O55XLSe3SPmRfKwZI6yU24ZxvQKFYItdldUKGzO6Ia6zTKhAVRU",
        });
        let key = PrivateKey::from_jwk(&jwk.to_string().into()).unwrap();
        assert_eq!((key.kid(), key.algorithms()), (Some("2011-04-29"), vec![Algorithm::Ps256]));
        assert_eq!(key.public().thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
        signs(&key);
        let mut bad = jwk.clone();
        bad["p"] = bad["q"].clone();
        assert!(PrivateKey::from_jwk(&bad.to_string().into()).is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_reading_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200), text in "\\PC{0,80}") {
            for encoding in [Encoding::Pkcs8, Encoding::Sec1, Encoding::Pkcs1] {
                let _ = PrivateKey::from_der(&bytes, encoding);
            }
            let _ = PrivateKey::from_jwk(&text.into());
        }
    }
}
