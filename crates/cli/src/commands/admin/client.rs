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
    /// Its public keys as a JWK set, for private_key_jwt
    #[arg(long, value_name = "FILE")]
    jwks_file: Option<PathBuf>,
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

/// A grant type by its name on the wire, or `device_code` for short.
fn grant_type(text: &str) -> Result<GrantType, String> {
    if text == "device_code" {
        Ok(GrantType::DeviceCode)
    } else {
        text.parse().map_err(|error: gatepass_oauth::client::UnknownValue| error.to_string())
    }
}

impl Add {
    fn registration(self) -> Result<NewClient, Error> {
        let has_keys = self.jwks_file.is_some() || self.jwks_uri.is_some();
        let standard = match (self.public, has_keys) {
            (true, _) => ClientAuthMethod::None,
            (false, true) => ClientAuthMethod::PrivateKeyJwt,
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
            jwks: self.jwks_file.map(read_jwks).transpose()?,
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

fn read_jwks(path: PathBuf) -> Result<JwkSet, Error> {
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
