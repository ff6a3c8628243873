//! `gatepass admin client`.

use crate::{
    context::Context,
    error::{Error, Kind},
    ui::Ui,
};
use clap::{ArgGroup, Args, Subcommand};
use gatepass_keys::JwkSet;
use gatepass_oauth::{ClientAuthMethod, GrantType, RedirectUri, ResourceUri, Scope};
use gatepass_server::authority::{
    Authority, Client as StoredClient,
    add_client::{ClientRefused, NewClient, Registered},
};
use serde_json::{Value, json};
use std::{fs, path::PathBuf};

/// How many clients are read at once.
const PAGE: i64 = 500;

#[derive(Debug, Subcommand)]
pub(super) enum Client {
    Add(Box<Add>),
    /// List the registered clients
    List,
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
    /// Its public keys as a JWK set, for private_key_jwt
    #[arg(long, value_name = "FILE")]
    jwks_file: Option<PathBuf>,
    /// An API that its tokens may be for, besides this server's own; repeatable
    #[arg(long, value_name = "URI")]
    resource: Vec<ResourceUri>,
}

impl Client {
    pub(super) async fn run(self, context: &Context<'_>, authority: &Authority) -> Result<(), Error> {
        match self {
            Self::Add(add) => show(context.ui, &authority.add_client(add.registration()?).await?),
            Self::List => list(context.ui, authority).await?,
        }
        Ok(())
    }
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
        let standard = match (self.public, &self.jwks_file) {
            (true, _) => ClientAuthMethod::None,
            (false, Some(_)) => ClientAuthMethod::PrivateKeyJwt,
            (false, None) => ClientAuthMethod::ClientSecretBasic,
        };
        let auth_method = self.auth_method.unwrap_or(standard);
        if self.public != (auth_method == ClientAuthMethod::None) {
            return Err(Error::new(Kind::Usage, "a public client uses the method none, and no other client does"));
        }
        let grant_types = if self.grant.is_empty() { self.standard_grants() } else { self.grant };
        Ok(NewClient {
            name: self.name,
            auth_method,
            jwks: self.jwks_file.map(read_jwks).transpose()?,
            redirect_uris: self.redirect_uri,
            grant_types,
            scope: self.scope,
            resources: self.resource,
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
    json!({
        "client_id": client.id,
        "client_name": client.name,
        "token_endpoint_auth_method": client.proof.method(),
        "grant_types": client.grant_types,
        "redirect_uris": client.redirect_uris,
        "scope": client.scope,
        "resources": client.resources,
    })
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
