//! The workloads: what one operation is, and when it counts as right.

use std::{
    cell::RefCell,
    rc::Rc,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    Result,
    answer::{describe, status, success_with, text},
    flows,
    http::{Connection, request},
    pool::Pool,
    profile::{Server, needed},
    tally::{Done, Tally},
    url::{Url, encode},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Workload {
    /// GET of --url (floors, discovery): 200.
    Get,
    /// A token for the client itself: an access token.
    ClientCredentials,
    /// The same, as a JWT (RFC 9068).
    Jwt,
    /// Rotation of a refresh token: an access token and another refresh token. One chain per connection; of those in
    /// --credentials each once.
    Refresh,
    /// GET of the profile's bearer_url with an access token: 200.
    Bearer,
    /// POST of JSON-RPC `whoami` to the profile's rpc_url with an access token: a `result`.
    Rpc,
    /// Introspection of an access token (RFC 7662): active.
    Introspect,
    /// A sign-in with a session cookie: authorize, code, tokens, PKCE.
    Code,
    /// The same with the openid scope: an ID token too.
    CodeOidc,
    /// The start of a device sign-in (RFC 8628): a device code.
    DeviceAuthorize,
    /// Polls over a pool of device codes that nobody approves: authorization_pending, or slow_down.
    DevicePoll,
    /// The one poll of each device of a pool that was approved before: an access token. Ends with the pool.
    DeviceRedeem,
}

pub const WHOAMI: &[u8] = br#"{"jsonrpc":"2.0","id":1,"method":"whoami"}"#;

/// What all workers of a run share.
pub struct Plan {
    pub workload: Workload,
    pub server: Option<Server>,
    pub url: Option<Url>,
    /// Access tokens, refresh tokens or device codes.
    pub pool: Pool,
    /// Whether each of them is used once, and all is over when there is none left.
    pub once: bool,
    pub tally: RefCell<Tally>,
}

impl Plan {
    fn server(&self) -> Result<&Server> {
        self.server.as_ref().ok_or_else(|| "this workload needs --profile".to_owned())
    }


    /// Where the workload's requests go.
    pub fn target(&self) -> Result<&Url> {
        let server = || self.server();
        match self.workload {
            Workload::Get => needed(&self.url, "--url"),
            Workload::Bearer => needed(&server()?.bearer, "bearer_url"),
            Workload::Rpc => needed(&server()?.rpc, "rpc_url"),
            Workload::Introspect => needed(&server()?.introspect, "introspection_endpoint"),
            Workload::DeviceAuthorize => needed(&server()?.device, "device_authorization_endpoint"),
            Workload::DevicePoll | Workload::DeviceRedeem => needed(&server()?.device_token, "token_endpoint"),
            Workload::ClientCredentials | Workload::Jwt | Workload::Refresh | Workload::Code | Workload::CodeOidc => {
                needed(&server()?.token, "token_endpoint")
            }
        }
    }
}

/// One connection, and the refresh token that it carries on with.
pub struct Worker {
    plan: Rc<Plan>,
    connection: Connection,
    /// The request, for workloads that send the same one each time.
    fixed: Vec<u8>,
    /// The refresh token, access token or device code of the operation.
    credential: String,
}

/// All credentials are used up.
struct Spent;

impl Worker {
    pub fn new(plan: Rc<Plan>, credential: String) -> Result<Self> {
        let connection = Connection::new(&plan.target()?.address);
        let fixed = match plan.workload {
            Workload::Get => request("GET", plan.target()?, &[], None),
            Workload::ClientCredentials => flows::client_credentials(plan.server()?)?,
            Workload::Jwt => {
                let server = plan.server()?;
                let extra = server.profile.jwt_extra.as_deref().ok_or("the profile names no jwt_extra")?;
                flows::client_credentials_with(server, extra)?
            }
            Workload::DeviceAuthorize => flows::start_device(plan.server()?)?,
            _ => Vec::new(),
        };
        Ok(Self { plan, connection, fixed, credential })
    }

    /// Works until the time is over.
    pub async fn work(mut self) {
        let plan = Rc::clone(&self.plan);
        while !plan.tally.borrow().is_over() {
            if let Err(Spent) = self.take(&plan) {
                plan.tally.borrow_mut().end();
                break;
            }
            let began = Instant::now();
            let result = self.once(&plan).await;
            let failed = result.is_err();
            let bytes = self.connection.response.body.len();
            plan.tally.borrow_mut().count(began, result.map(|done| Done { bytes, ..done }));
            if failed {
                // Do not run in circles around a failing server. A broken chain of refreshes starts anew.
                tokio::time::sleep(Duration::from_millis(5)).await;
                self.start_chain(&plan).await;
            }
        }
        plan.tally.borrow_mut().connects += self.connection.connects;
    }

    /// The credential of the next operation.
    fn take(&mut self, plan: &Plan) -> std::result::Result<(), Spent> {
        if plan.once {
            self.credential = plan.pool.next_unused().ok_or(Spent)?;
        } else if let Ok(next) = plan.pool.next() {
            self.credential = next.to_owned();
        }
        Ok(())
    }

    async fn once(&mut self, plan: &Plan) -> Result<Done> {
        match plan.workload {
            Workload::Get => {
                self.connection.send(&self.fixed).await?;
                status(&self.connection, 200)?;
            }
            Workload::ClientCredentials | Workload::Jwt => {
                self.connection.send(&self.fixed).await?;
                success_with(&self.connection, "access_token")?;
            }
            Workload::DeviceAuthorize => {
                self.connection.send(&self.fixed).await?;
                success_with(&self.connection, "device_code")?;
            }
            Workload::Refresh => self.refresh(plan).await?,
            Workload::DeviceRedeem => {
                self.connection.send(&flows::poll_device(plan.server()?, &self.credential)?).await?;
                success_with(&self.connection, "access_token")?;
            }
            Workload::Bearer => {
                let bearer = format!("Bearer {}", self.credential);
                self.connection.send(&request("GET", plan.target()?, &[("authorization", &bearer)], None)).await?;
                status(&self.connection, 200)?;
            }
            Workload::Rpc => {
                let bearer = format!("Bearer {}", self.credential);
                let (headers, body) = ([("authorization", bearer.as_str())], Some(("application/json", WHOAMI)));
                self.connection.send(&request("POST", plan.target()?, &headers, body)).await?;
                success_with(&self.connection, "result")?;
            }
            Workload::Introspect => {
                let form = format!("token={}&token_type_hint=access_token", encode(&self.credential));
                self.connection.send(&plan.server()?.introspection_form(plan.target()?, form)).await?;
                if success_with(&self.connection, "active")?["active"] != true {
                    return Err(describe(&self.connection));
                }
            }
            Workload::Code | Workload::CodeOidc => return self.sign_in(plan).await,
            Workload::DevicePoll => return self.poll(plan).await,
        }
        Ok(Done::default())
    }

    /// A new refresh token, after the last one has failed.
    async fn start_chain(&mut self, plan: &Plan) {
        if let (Workload::Refresh, Some(server), true) = (plan.workload, &plan.server, !plan.once) {
            let scope = server.profile.code_scope.as_deref().unwrap_or_default();
            if let Ok(signed_in) = flows::sign_in(server, &mut self.connection, scope).await {
                self.credential = text(&signed_in.tokens, "refresh_token").unwrap_or_default();
            }
        }
    }

    async fn refresh(&mut self, plan: &Plan) -> Result<()> {
        self.connection.send(&flows::refresh(plan.server()?, &self.credential)?).await?;
        let tokens = success_with(&self.connection, "access_token")?;
        let next = text(&tokens, "refresh_token").filter(|next| *next != self.credential);
        self.credential = next.ok_or("the refresh token was not rotated")?;
        Ok(())
    }

    async fn sign_in(&mut self, plan: &Plan) -> Result<Done> {
        let server = plan.server()?;
        let wants_id_token = plan.workload == Workload::CodeOidc;
        let scope = if wants_id_token { &server.profile.oidc_scope } else { &server.profile.code_scope };
        let scope = scope.as_deref().unwrap_or_default();
        let signed_in = flows::sign_in(server, &mut self.connection, scope).await?;
        if wants_id_token && text(&signed_in.tokens, "id_token").is_none() {
            return Err("no id_token".to_owned());
        }
        Ok(Done { first_leg: Some(signed_in.authorize), ..Done::default() })
    }

    async fn poll(&mut self, plan: &Plan) -> Result<Done> {
        self.connection.send(&flows::poll_device(plan.server()?, &self.credential)?).await?;
        let answer: Value = serde_json::from_slice(&self.connection.response.body).unwrap_or_default();
        match answer["error"].as_str() {
            Some("authorization_pending") => Ok(Done::default()),
            Some("slow_down") => Ok(Done { slowed_down: true, ..Done::default() }),
            _ => Err(describe(&self.connection)),
        }
    }
}
