//! The vocabulary of OAuth 2.1 and OpenID Connect, and its rules.
//!
//! One file is one idea of the standards: a message, an identifier, a comparison that must be made
//! exactly so. Nothing here reads a clock, a socket, a file or a database; everything can be tested
//! by calling it. Servers, clients and guards all speak through these types.
//!
//! | idea | file | source |
//! |---|---|---|
//! | error codes and errors | [`error`] | RFC 6749 §4.1.2.1, §5.2; RFC 8628 §3.5; RFC 8707 §2; RFC 6750 §3.1 |
//! | request parameters | [`params`] | RFC 6749 §3.1, appendix B |
//! | scopes | [`scope`] | RFC 6749 §3.3 |
//! | redirect URIs | [`redirect_uri`] | RFC 6749 §3.1.2, RFC 8252 §7, RFC 9700 §4.1 |
//! | PKCE | [`pkce`] | RFC 7636 |
//! | the authorization request and response | [`authorization`] | RFC 6749 §4.1, RFC 9207 |
//! | how a response travels | [`response_mode`] | Form Post Response Mode |
//! | pushed authorization requests | [`pushed`] | RFC 9126 |
//! | signing out | [`logout`] | RP-Initiated Logout 1.0, Back-Channel Logout 1.0 |
//! | the token response | [`token`] | RFC 6749 §5 |
//! | device authorization | [`device`] | RFC 8628 |
//! | resource indicators | [`resource`] | RFC 8707 |
//! | the issuer and its metadata | [`issuer`], [`metadata`] | RFC 8414, OpenID Connect Discovery 1.0 |
//! | client registration values | [`client`] | RFC 7591 §2 |
//! | client metadata and registration | [`client_metadata`], [`registration`] | RFC 7591, OpenID Connect Registration |
//! | a client identifier that is a URL | [`client_id_url`] | Client ID Metadata Document |
//! | how a client proves itself | [`client_credentials`] | RFC 6749 §2.3, RFC 7523 §2.2 |
//! | bearer challenges | [`challenge`] | RFC 6750 §3, RFC 9728 §5.1 |
//! | the key that a token is bound to | [`confirmation`] | RFC 7800, RFC 9449 §6.1, RFC 8705 §3.1 |
//! | the name in a client's certificate | [`certificate_subject`] | RFC 8705 §2.1.2 |
//! | what a DPoP proof is for | [`dpop`] | RFC 9449 §4.2, §4.3, §10 |
//! | how a person proved themselves | [`sign_in_method`] | RFC 8176, OpenID Connect Core §2 |

pub mod authorization;
pub mod certificate_subject;
pub mod challenge;
pub mod client;
pub mod client_credentials;
pub mod client_id_url;
pub mod client_metadata;
pub mod confirmation;
pub mod device;
pub mod dpop;
pub mod error;
pub mod issuer;
pub mod logout;
pub mod metadata;
pub mod params;
pub mod pkce;
pub mod pushed;
pub mod redirect_uri;
pub mod registration;
pub mod resource;
pub mod response_mode;
pub mod scope;
pub mod secret;
pub mod sign_in_method;
pub mod time;
pub mod token;

pub use authorization::{AuthorizationRequest, AuthorizationResponse, Prompt, Prompts};
pub use certificate_subject::CertificateSubject;
pub use challenge::{Challenge, Scheme};
pub use client::{ClientAuthMethod, ClientId, GrantType, TokenFormat, TokenTypeUri};
pub use client_credentials::{ClientCredentials, PresentedProof};
pub use client_id_url::ClientIdUrl;
pub use client_metadata::{ApplicationType, ClientMetadata, ClientOrigin};
pub use confirmation::Confirmation;
pub use device::{DeviceAuthorizationResponse, UserCode};
pub use error::{Error, ErrorBody, ErrorCode};
pub use issuer::Issuer;
pub use metadata::ServerMetadata;
pub use params::Params;
pub use pkce::{CodeChallenge, CodeVerifier};
pub use pushed::PushedResponse;
pub use redirect_uri::RedirectUri;
pub use registration::Registration;
pub use resource::ResourceUri;
pub use response_mode::ResponseMode;
pub use scope::Scope;
pub use secret::Secret;
pub use sign_in_method::SignInMethod;
pub use time::UtcMillis;
pub use token::{TokenResponse, TokenType};
