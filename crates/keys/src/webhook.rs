//! Signing what is sent to a webhook, as [Standard Webhooks] has it: HMAC-SHA-256 over `id.timestamp.body`, in base64
//! behind `v1,`.
//!
//! [Standard Webhooks]: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};
use std::{fmt, str::FromStr};
use zeroize::Zeroizing;

/// What a text secret may begin with.
const PREFIX: &str = "whsec_";

/// The key that the sender and the receiver of notices share.
#[derive(Clone)]
pub struct WebhookKey(hmac::Key);

/// The text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a webhook secret is 'whsec_' and 24 to 64 bytes in base64; make one with 'openssl rand -base64 32'")]
pub struct InvalidWebhookKey;

impl FromStr for WebhookKey {
    type Err = InvalidWebhookKey;

    fn from_str(text: &str) -> Result<Self, InvalidWebhookKey> {
        let text = text.trim();
        let encoded = text.strip_prefix(PREFIX).unwrap_or(text);
        let bytes = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| InvalidWebhookKey)?);
        if !(24..=64).contains(&bytes.len()) {
            return Err(InvalidWebhookKey);
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }
}

impl WebhookKey {
    /// The value of `webhook-signature`.
    #[must_use]
    pub fn sign(&self, id: &str, timestamp: &str, body: &str) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        for part in [id, ".", timestamp, ".", body] {
            context.update(part.as_bytes());
        }
        format!("v1,{}", STANDARD.encode(context.sign()))
    }
}

impl fmt::Debug for WebhookKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's reference libraries.
    #[test]
    fn the_signature_is_that_of_the_specification() {
        let key: WebhookKey = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap();
        assert_eq!(
            key.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", "{\"test\": 2432232314}"),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn other_texts_are_refused_and_none_is_printed() {
        for bad in ["", "whsec_", "whsec_abc", "whsec_!!!!", "MDEyMzQ1Njc4OQ=="] {
            assert!(bad.parse::<WebhookKey>().is_err(), "{bad}");
        }
        let key: WebhookKey = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap();
        assert_eq!(format!("{key:?}"), "WebhookKey(…)");
    }
}
