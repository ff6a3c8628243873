//! `gatepass admin client`.

use crate::{
    context::Context,
    error::{Error, Kind},
    ui::Ui,
};
use clap::{ArgGroup, Args, Subcommand};
use gatepass_keys::JwkSet;
use gatepass_oauth::{ClientAuthMethod, ClientId, ClientMetadata, GrantType, RedirectUri, ResourceUri, Scope};
use gatepass_server::authority::{
    Authority, Client as StoredClient,
    add_client::{ClientRefused, NewClient, Registered},
    certificate::{public_key, read_pem},
};
use serde_json::{Value, json};
use std::{fs, net::IpAddr, path::PathBuf};

/// How many clients are read at once.
const PAGE: i64 = 500;

#[derive(Debug, Subcommand)]
pub(super) enum Client {
    Add(Box<Add>),
    /// List the registered clients
    List,
    /// Show what is registered of a client
    Show {
        /// Its client_id
        #[arg(value_name = "ID")]
        id: ClientId,
    },
    /// Remove a client and end what it was given
    Remove {
        /// Its client_id
        #[arg(value_name = "ID")]
        id: ClientId,
    },
}

/// Register a client; its secret is shown this once
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("kind").required(true).args(["public", "confidential"]))]
pub(super) struct Add {
    /// Its name, as people will see it
    #[arg(long)]
    name: String,
    /// It cannot keep a secret: a command line, a desktop or a mobile program
    #[arg(long)]
    public: bool,
    /// It can keep a secret: a service
    #[arg(long)]
    confidential: bool,
    /// Where authorization responses may go; repeatable
    #[arg(long, value_name = "URI")]
    redirect_uri: Vec<RedirectUri>,
    /// A grant type it may use; repeatable [default: authorization_code and refresh_token with a
    /// redirect URI, else client_credentials if confidential, else device_code and refresh_token]
    #[arg(long, value_name = "GRANT", value_parser = grant_type)]
    grant: Vec<GrantType>,
    /// The scopes it may ask for, with spaces between them
    #[arg(long, value_name = "SCOPES", default_value = "openid profile email offline_access")]
    scope: Scope,
    /// How it proves itself [default: none if public, else client_secret_basic]
    #[arg(long, value_name = "METHOD")]
    auth_method: Option<ClientAuthMethod>,
    /// Its public keys as a JWK set, for private_key_jwt and self_signed_tls_client_auth
    #[arg(long, value_name = "FILE")]
    jwks_file: Option<PathBuf>,
    /// Its certificate in PEM, for self_signed_tls_client_auth
    #[arg(long, value_name = "FILE", conflicts_with = "jwks_file")]
    certificate_file: Option<PathBuf>,
    #[command(flatten)]
    subject: Subject,
    /// Bind all its tokens to the certificate that it shows
    #[arg(long)]
    certificate_bound: bool,
    /// An API that its tokens may be for, besides this server's own; repeatable
    #[arg(long, value_name = "URI")]
    resource: Vec<ResourceUri>,
    /// Where its public keys lie, for private_key_jwt, instead of a file
    #[arg(long, value_name = "URL", conflicts_with = "jwks_file")]
    jwks_uri: Option<String>,
    /// Where the browser may go after a sign-out; repeatable
    #[arg(long, value_name = "URI")]
    post_logout_redirect_uri: Vec<RedirectUri>,
    /// Whom to tell of a sign-out
    #[arg(long, value_name = "URL")]
    backchannel_logout_uri: Option<String>,
    /// The notice of a sign-out must name the session
    #[arg(long, requires = "backchannel_logout_uri")]
    backchannel_logout_session: bool,
    /// It always uses DPoP
    #[arg(long)]
    dpop_bound: bool,
    /// It always pushes its authorization requests
    #[arg(long)]
    require_par: bool,
    /// The algorithm of its ID tokens [default: the server's usual one]
    #[arg(long, value_name = "ALGORITHM")]
    id_token_alg: Option<String>,
}

/// What its certificate names, for tls_client_auth: one of these.
#[derive(Debug, Default, Args)]
#[group(multiple = false)]
struct Subject {
    /// For tls_client_auth: its certificate's subject, such as CN=build,O=Example
    #[arg(long, value_name = "DN")]
    tls_subject_dn: Option<String>,
    /// For tls_client_auth: a DNS name in its certificate
    #[arg(long, value_name = "NAME")]
    tls_san_dns: Option<String>,
    /// For tls_client_auth: a URI in its certificate
    #[arg(long, value_name = "URI")]
    tls_san_uri: Option<String>,
    /// For tls_client_auth: an IP address in its certificate
    #[arg(long, value_name = "ADDRESS")]
    tls_san_ip: Option<IpAddr>,
    /// For tls_client_auth: an email address in its certificate
    #[arg(long, value_name = "EMAIL")]
    tls_san_email: Option<String>,
}

impl Subject {
    fn is_named(&self) -> bool {
        let Self { tls_subject_dn, tls_san_dns, tls_san_uri, tls_san_ip, tls_san_email } = self;
        let texts = [tls_subject_dn, tls_san_dns, tls_san_uri, tls_san_email];
        tls_san_ip.is_some() || texts.into_iter().any(Option::is_some)
    }
}

impl Client {
    pub(super) async fn run(self, context: &Context<'_>, authority: &Authority) -> Result<(), Error> {
        match self {
            Self::Add(add) => show(context.ui, &authority.add_client(add.registration()?).await?),
            Self::List => list(context.ui, authority).await?,
            Self::Show { id } => {
                let client = authority.client(&id).await?.ok_or_else(|| unknown(&id))?;
                describe(context.ui, &client);
            }
            Self::Remove { id } => {
                if !authority.remove_client(&id).await? {
                    return Err(unknown(&id));
                }
                if context.ui.is_json() {
                    context.ui.object(&json!({ "client_id": id, "removed": true }));
                } else {
                    context.ui.data(&format!("{id} is removed"));
                }
            }
        }
        Ok(())
    }
}

fn unknown(id: &ClientId) -> Error {
    Error::new(Kind::Refused, format!("there is no client {id}"))
        .hint_command("see the clients with", "gatepass admin client list")
}

/// A grant type by its name on the wire; `device_code`, `jwt_bearer` and `token_exchange` for short.
fn grant_type(text: &str) -> Result<GrantType, String> {
    match text {
        "device_code" => Ok(GrantType::DeviceCode),
        "jwt_bearer" => Ok(GrantType::JwtBearer),
        "token_exchange" => Ok(GrantType::TokenExchange),
        _ => text.parse().map_err(|error: gatepass_oauth::client::UnknownValue| error.to_string()),
    }
}

impl Add {
    fn registration(self) -> Result<NewClient, Error> {
        let has_keys = self.jwks_file.is_some() || self.jwks_uri.is_some();
        let standard = match (self.public, has_keys) {
            (true, _) => ClientAuthMethod::None,
            (false, true) => ClientAuthMethod::PrivateKeyJwt,
            (false, false) if self.certificate_file.is_some() => ClientAuthMethod::SelfSignedTlsClientAuth,
            (false, false) if self.subject.is_named() => ClientAuthMethod::TlsClientAuth,
            (false, false) => ClientAuthMethod::ClientSecretBasic,
        };
        let auth_method = self.auth_method.unwrap_or(standard);
        if self.public != (auth_method == ClientAuthMethod::None) {
            return Err(Error::new(Kind::Usage, "a public client uses the method none, and no other client does"));
        }
        let grant_types = if self.grant.is_empty() { self.standard_grants() } else { self.grant };
        Ok(NewClient {
            name: self.name,
            auth_method,
            jwks: match self.certificate_file {
                Some(path) => Some(read_certificate(path)?),
                None => self.jwks_file.map(read_jwks).transpose()?,
            },
            redirect_uris: self.redirect_uri,
            grant_types,
            scope: self.scope,
            resources: self.resource,
            metadata: ClientMetadata {
                jwks_uri: self.jwks_uri,
                post_logout_redirect_uris: self.post_logout_redirect_uri,
                backchannel_logout_uri: self.backchannel_logout_uri,
                backchannel_logout_session_required: self.backchannel_logout_session,
                dpop_bound_access_tokens: self.dpop_bound,
                require_pushed_authorization_requests: self.require_par,
                id_token_signed_response_alg: self.id_token_alg,
                tls_client_auth_subject_dn: self.subject.tls_subject_dn,
                tls_client_auth_san_dns: self.subject.tls_san_dns,
                tls_client_auth_san_uri: self.subject.tls_san_uri,
                tls_client_auth_san_ip: self.subject.tls_san_ip.map(|address| address.to_string()),
                tls_client_auth_san_email: self.subject.tls_san_email,
                tls_client_certificate_bound_access_tokens: self.certificate_bound,
                ..ClientMetadata::default()
            },
        })
    }

    fn standard_grants(&self) -> Vec<GrantType> {
        match (self.redirect_uri.is_empty(), self.public) {
            (false, _) => vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
            (true, false) => vec![GrantType::ClientCredentials],
            (true, true) => vec![GrantType::DeviceCode, GrantType::RefreshToken],
        }
    }
}

pub(super) fn read_jwks(path: PathBuf) -> Result<JwkSet, Error> {
    let wrong = |why: String| Error::new(Kind::Usage, format!("the key set {}: {why}", path.display()));
    let text = fs::read_to_string(&path).map_err(|error| wrong(error.to_string()))?;
    JwkSet::parse(&text).map_err(|error| wrong(error.to_string()))
}

fn read_certificate(path: PathBuf) -> Result<JwkSet, Error> {
    let wrong = |why: String| Error::new(Kind::Usage, format!("the certificate {}: {why}", path.display()));
    let text = fs::read_to_string(&path).map_err(|error| wrong(error.to_string()))?;
    let certificate = read_pem(&text).ok_or_else(|| wrong("it is not a certificate in PEM".into()))?;
    let key = public_key(&certificate);
    let key = key.ok_or_else(|| wrong("its key is not one of P-256, Ed25519 or RSA of 2048 bits and more".into()))?;
    Ok(JwkSet { keys: vec![key] })
}

fn show(ui: &Ui, Registered { client, secret }: &Registered) {
    if ui.is_json() {
        let mut object = as_json(client);
        if let (Some(secret), Some(members)) = (secret, object.as_object_mut()) {
            members.insert("client_secret".into(), json!(secret.expose()));
        }
        return ui.object(&object);
    }
    let mut rows = vec![("client_id", client.id.to_string())];
    if let Some(secret) = secret {
        rows.push(("client_secret", secret.expose().to_owned()));
        ui.talk("Keep the secret now: it is not shown again.");
    }
    ui.table(&rows);
}

fn as_json(client: &StoredClient) -> Value {
    let mut object = json!({
        "client_id": client.id,
        "client_name": client.name,
        "token_endpoint_auth_method": client.proof.method(),
        "grant_types": client.grant_types,
        "redirect_uris": client.redirect_uris,
        "scope": client.scope,
        "resources": client.resources,
        "origin": client.origin.as_str(),
    });
    if let (Some(members), Ok(Value::Object(metadata))) =
        (object.as_object_mut(), serde_json::to_value(&client.metadata))
    {
        members.extend(metadata);
    }
    object
}

fn describe(ui: &Ui, client: &StoredClient) {
    let object = as_json(client);
    if ui.is_json() {
        return ui.object(&object);
    }
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    };
    let members = object.as_object().into_iter().flatten();
    let rows: Vec<(&str, String)> = members.map(|(name, value)| (name.as_str(), text(value))).collect();
    ui.table(&rows);
}

async fn list(ui: &Ui, authority: &Authority) -> Result<(), Error> {
    let mut after = String::new();
    loop {
        let page = authority.clients(&after, PAGE).await?;
        for client in &page {
            if ui.is_json() {
                ui.object(&as_json(client));
            } else {
                ui.data(&format!("{}  {}  {}", client.id, client.proof.method(), client.name));
            }
        }
        match page.last() {
            Some(last) => after = last.id.to_string(),
            None => return Ok(()),
        }
    }
}

impl From<ClientRefused> for Error {
    fn from(refused: ClientRefused) -> Self {
        match refused {
            ClientRefused::Failure(failure) => failure.into(),
            _ => Self::new(Kind::Usage, refused),
        }
    }
}
