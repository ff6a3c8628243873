//! How a command fails: the kinds with their exit codes, and the one place where the client library's
//! errors become a kind, a sentence and a next step.

use gatepass_client::{
    Account, Bearer, BearerError, CallError, Failure, NarrowError, NoAssertion, NotSelected, SignInError, SignOutError,
    Transient, Unreachable, VaultError,
    agent::{AgentError, ListenError, TroubleKind},
    device::DeviceError,
    doctor::of_unreachable,
    dpop::holder::NoProof,
    helpers::BadInput,
    home::is_not_ours,
    lock::LockError,
    oauth::ErrorCode,
    settings_file::SettingsError,
    sign_in::attempt::BadAnswer,
};
use std::fmt::Display;

macro_rules! kinds {
    ($( $(#[doc = $doc:literal])* $kind:ident = $code:literal $name:literal, )*) => {
        /// What kind of failure it is, for scripts.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Kind { $( $(#[doc = $doc])* $kind, )* }

        impl Kind {
            /// Every kind with its meaning, for the page of commands.
            #[cfg(test)]
            pub(crate) const ALL: &[(Self, &str)] = &[ $( (Self::$kind, concat!($($doc, " "),*)), )* ];

            /// The process's exit code.
            pub(crate) fn exit_code(self) -> u8 {
                match self { $( Self::$kind => $code, )* }
            }

            /// The name in JSON.
            pub(crate) fn name(self) -> &'static str {
                match self { $( Self::$kind => $name, )* }
            }
        }
    };
}

kinds! {
    /// Something here did not work: a file, a keyring, a lie of a server.
    Failed = 1 "failed",
    /// What was typed or set makes no sense.
    Usage = 2 "usage",
    /// Nobody is signed in, or the sign-in has ended.
    SignInNeeded = 3 "sign_in_needed",
    /// No network, or the server does not answer.
    Unreachable = 4 "unreachable",
    /// The server or the person said no.
    Refused = 5 "refused",
    /// Ctrl-C, as shells count it: 128 and the signal's number.
    Interrupted = 130 "interrupted",
}

/// Why a command failed: one sentence, and what to do next.
#[derive(Debug)]
pub(crate) struct Error {
    pub(crate) kind: Kind,
    pub(crate) message: String,
    pub(crate) hint: Option<Hint>,
}

/// The next step.
#[derive(Debug)]
pub(crate) struct Hint {
    /// What to do.
    pub(crate) text: String,
    /// The command that does it; shown alone on its line.
    pub(crate) command: Option<String>,
}

impl Error {
    pub(crate) fn new(kind: Kind, message: impl Display) -> Self {
        Self { kind, message: message.to_string(), hint: None }
    }

    /// Adds what to do.
    pub(crate) fn hint(mut self, text: impl Into<String>) -> Self {
        self.hint = Some(Hint { text: text.into(), command: None });
        self
    }

    /// Adds what to do and the command that does it.
    pub(crate) fn hint_command(mut self, text: impl Into<String>, command: impl Into<String>) -> Self {
        self.hint = Some(Hint { text: text.into(), command: Some(command.into()) });
        self
    }

    /// Why an account has no token, with the account's name.
    pub(crate) fn of_account(error: BearerError, account: &Account) -> Self {
        let message = format!("{account}: {error}");
        match error {
            BearerError::Rejected(refusal) if refusal.is(ErrorCode::InvalidClient) => {
                let client = &account.client_id;
                Self::sign_in_again(
                    format!(
                        "{account}: the server does not accept the client {client} any more, or not its proof: {refusal}"
                    ),
                    account,
                )
            }
            BearerError::SignedOut | BearerError::Rejected(_) => Self::sign_in_again(message, account),
            other => Self { message, ..other.into() },
        }
    }

    /// The same, with the name of the account that it is about.
    pub(crate) fn about(self, account: &Account) -> Self {
        let name = account.to_string();
        if self.message.contains(&name) { self } else { Self { message: format!("{name}: {}", self.message), ..self } }
    }

    /// A new sign-in of this account is needed.
    pub(crate) fn sign_in_again(message: impl Display, account: &Account) -> Self {
        let space = account.space.as_ref().map(|space| format!(" --space {space}")).unwrap_or_default();
        // A client that is itself has no person who could.
        if account.subject.as_deref() == Some(account.client_id.as_str()) {
            return Self::new(Kind::SignInNeeded, message).hint_command(
                "sign in with what proves the client now, such as",
                format!(
                    "gatepass login --server {}{space} --client-credentials --client-id {} --client-secret-file FILE",
                    account.issuer, account.client_id
                ),
            );
        }
        Self::sign_in_needed(message, Some(&format!("{}{space}", account.issuer)))
    }

    /// Why an account has no narrowed token, with the account's name.
    pub(crate) fn of_narrowing(error: NarrowError, account: &Account) -> Self {
        let refused = |kind| Self::new(kind, format!("{account}: {error}"));
        match error {
            NarrowError::Bearer(error) => Self::of_account(error, account),
            NarrowError::Refused(_) | NarrowError::NotOffered => {
                refused(Kind::Refused).hint_command("ask for less, or sign in for just that with", "gatepass login")
            }
            NarrowError::TooLong => refused(Kind::Refused).hint("leave out the shorter life"),
            NarrowError::Wider | NarrowError::Elsewhere => refused(Kind::Failed),
        }
    }

    /// A token for a program that knows nothing of proofs, which one that is bound to a key needs with each request
    /// (RFC 9449 §7). The proxy makes them; `url` is what the program talks to.
    pub(crate) fn unless_bound(bearer: Bearer, url: &str) -> Result<Bearer, Self> {
        match bearer.key() {
            None => Ok(bearer),
            Some(_) => {
                Err(Self::new(Kind::Failed, "this token is bound to a key, and is of no use without proofs of it")
                    .hint_command(
                        "give the program the address of a proxy, which makes them",
                        format!("gatepass proxy {url}"),
                    ))
            }
        }
    }

    /// A new sign-in is needed at `server`, or at any.
    pub(crate) fn sign_in_needed(message: impl Display, server: Option<&str>) -> Self {
        let command =
            server.map_or_else(|| "gatepass login".into(), |server| format!("gatepass login --server {server}"));
        Self::new(Kind::SignInNeeded, message).hint_command("sign in with", command)
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let kind = match &failure {
            Failure::Refused(_) => Kind::Refused,
            Failure::Nonsense { .. } => Kind::Failed,
            Failure::Unreachable { why: Unreachable::Settings(_), .. } => Kind::Usage,
            Failure::Unreachable { .. } => Kind::Unreachable,
        };
        let error = Self::new(kind, &failure);
        match failure {
            Failure::Refused(_) => error,
            Failure::Nonsense { .. } => {
                error.hint("check the server's address, and whether this network wants a sign-in of its own")
            }
            Failure::Unreachable { why, .. } => error.hint(of_unreachable(&why)),
        }
    }
}

impl From<VaultError> for Error {
    fn from(error: VaultError) -> Self {
        let failed = Self::new(Kind::Failed, &error);
        match error {
            VaultError::Io { source, .. } if is_not_ours(&source) => not_ours(failed),
            VaultError::Io { .. } => failed.hint("nothing was lost; check free space and permissions, then try again"),
            VaultError::KeyAway { .. } => {
                failed.hint("make the key available as before, or move the vault away to begin a new one")
            }
            VaultError::WrongKey(_) => {
                failed.hint("use the passphrase, command or key file that the vault was made with")
            }
            VaultError::Damaged(_) => failed.hint_command("sign in anew with", "gatepass login"),
            VaultError::Newer { .. } => failed.hint("use the newer gatepass that wrote it"),
            VaultError::Lock(LockError::Busy(_)) => failed.hint("end the other gatepass process, then try again"),
            VaultError::Lock(LockError::Io { .. }) => failed.hint("check that the folder can be written to"),
            VaultError::NoEntropy(_) | VaultError::Seal(_) => failed,
        }
    }
}

fn not_ours(error: Error) -> Error {
    error.hint(format!("run gatepass as that user, or set {} to a folder of your own", crate::env::HOME))
}

impl From<SettingsError> for Error {
    fn from(error: SettingsError) -> Self {
        match error {
            SettingsError::Read { ref source, .. } | SettingsError::Write { ref source, .. } if is_not_ours(source) => {
                not_ours(Self::new(Kind::Failed, error))
            }
            SettingsError::Write { .. } => Self::new(Kind::Failed, error).hint("check free space and permissions"),
            SettingsError::Read { .. } | SettingsError::Invalid { .. } => {
                Self::new(Kind::Usage, error).hint("correct the file, or move it away")
            }
            SettingsError::Lock(error) => VaultError::Lock(error).into(),
        }
    }
}

impl From<BadInput> for Error {
    fn from(error: BadInput) -> Self {
        Self::new(Kind::Usage, error).hint("this command is run by the tool itself; see 'gatepass credential --help'")
    }
}

impl From<NotSelected> for Error {
    fn from(error: NotSelected) -> Self {
        match &error {
            NotSelected::Nobody(server) => Self::sign_in_needed(&error, server.as_ref().map(|server| server.as_str())),
            NotSelected::NoSpace(space) => Self::new(Kind::SignInNeeded, &error)
                .hint_command("sign in to it with", format!("gatepass login --space {space}")),
            NotSelected::Unknown(_) => {
                Self::new(Kind::Usage, &error).hint_command("see the accounts with", "gatepass status")
            }
            NotSelected::Several(_) => Self::new(Kind::Usage, &error)
                .hint_command("name one with --account; see their ids with", "gatepass status"),
        }
    }
}

impl From<BearerError> for Error {
    fn from(error: BearerError) -> Self {
        match error {
            BearerError::SignedOut | BearerError::Rejected(_) => Self::sign_in_needed(&error, None),
            BearerError::Transient(Transient::Server(ref failure)) => {
                let inner = Self::from(failure.clone());
                // The server's other errors say nothing about the sign-in; they are failures here.
                let kind = if inner.kind == Kind::Refused { Kind::Failed } else { inner.kind };
                Self { kind, message: error.to_string(), hint: inner.hint }
            }
            BearerError::Transient(Transient::NoAssertion(NoAssertion::Github(ref failure))) => {
                let inner = Self::from(failure.clone());
                Self { message: error.to_string(), ..inner }
            }
            BearerError::Transient(Transient::NoAssertion(_)) => {
                Self::new(Kind::Failed, &error).hint("check that the platform still writes the file")
            }
            BearerError::Transient(Transient::Busy) => Self::new(Kind::Failed, &error).hint("try again"),
            BearerError::Transient(Transient::CannotKeep(_)) => Self::new(Kind::Failed, &error)
                .hint("nothing was lost; check free space, permissions and whose the folder is, then try again"),
            BearerError::Vault(error) => error.into(),
        }
    }
}

impl From<NoProof> for Error {
    fn from(error: NoProof) -> Self {
        match error {
            NoProof::Agent(error) => error.into(),
            NoProof::Key(_) => Self::new(Kind::Failed, error),
        }
    }
}

impl From<AgentError> for Error {
    fn from(error: AgentError) -> Self {
        let of = |kind| Self::new(kind, &error);
        match &error {
            AgentError::NotThere(_) => {
                of(Kind::Unreachable).hint_command("start it, where the vault is, with", "gatepass agent")
            }
            AgentError::Silent(_) | AgentError::Io { .. } => {
                of(Kind::Unreachable).hint("end that agent and start another")
            }
            AgentError::NotASocket(_) | AgentError::TooLong(_) => {
                of(Kind::Usage).hint("set GATEPASS_AGENT_SOCK to what 'gatepass agent' has printed")
            }
            // Most containers run as root, whom a person's agent does not answer.
            AgentError::Foreign { owner, .. } => {
                let user = owner.map_or_else(|| "UID".to_owned(), |owner| owner.to_string());
                of(Kind::Usage).hint(format!("ask as the agent's own user; a container runs so with --user {user}"))
            }
            AgentError::NoTokenFile | AgentError::TokenFile { .. } => {
                of(Kind::Usage).hint("set GATEPASS_AGENT_TOKEN_FILE to what 'gatepass agent' has printed")
            }
            AgentError::TooMuch => of(Kind::Usage),
            AgentError::Nonsense(_) => of(Kind::Failed).hint("check the address, and that both are of one version"),
            AgentError::Trouble(trouble) => {
                let error = of(match trouble.kind {
                    TroubleKind::Failed | TroubleKind::Busy => Kind::Failed,
                    TroubleKind::Usage => Kind::Usage,
                    TroubleKind::SignInNeeded => Kind::SignInNeeded,
                    TroubleKind::Unreachable => Kind::Unreachable,
                    TroubleKind::Refused | TroubleKind::Denied => Kind::Refused,
                });
                match &trouble.command {
                    Some(command) => error.hint_command("sign in, where the agent runs, with", command.as_str()),
                    None => error,
                }
            }
        }
    }
}

impl From<ListenError> for Error {
    fn from(error: ListenError) -> Self {
        let kind = match &error {
            ListenError::NotASocket(_)
            | ListenError::Foreign(_)
            | ListenError::NotAbsolute(_)
            | ListenError::TooLong(_)
            | ListenError::Folder { .. }
            | ListenError::NotLoopback(_) => Kind::Usage,
            _ => Kind::Failed,
        };
        let failed = Self::new(kind, &error);
        match error {
            ListenError::Running(path) => failed
                .hint_command("use it, or end it with", format!("gatepass agent stop --socket {}", path.display())),
            ListenError::NotASocket(_) | ListenError::Foreign(_) | ListenError::InUse(_) | ListenError::TooLong(_) => {
                failed.hint("choose another path with --socket")
            }
            ListenError::Folder { .. } => failed.hint("choose a path in a folder of your own with mode 0700"),
            ListenError::NotLoopback(_) => failed.hint("use 127.0.0.1:0, and let the virtual machine forward the port"),
            _ => failed,
        }
    }
}

impl From<CallError> for Error {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Bearer(error) => error.into(),
            CallError::Failure(failure) => failure.into(),
        }
    }
}

impl From<SignOutError> for Error {
    fn from(error: SignOutError) -> Self {
        match error {
            SignOutError::NotTold(failure) => {
                let kind = Self::from(failure.clone()).kind;
                Self::new(kind, format!("still signed in, since the server could not be told: {failure}")).hint_command(
                    "try again later, or forget the tokens here without revoking them with",
                    "gatepass logout --force",
                )
            }
            SignOutError::Vault(error) => error.into(),
        }
    }
}

impl From<SignInError> for Error {
    fn from(error: SignInError) -> Self {
        match error {
            SignInError::Discovery(error) => error.into(),
            SignInError::Client(error) => error.into(),
            SignInError::NoAssertion(NoAssertion::Github(failure)) => {
                let inner = Self::from(failure.clone());
                Self { message: NoAssertion::Github(failure).to_string(), ..inner }
            }
            SignInError::NoAssertion(none) => Self::new(Kind::Usage, none),
            SignInError::NoTokens(failure) | SignInError::Device(DeviceError::NotStarted(failure)) => failure.into(),
            SignInError::NotPushed(ref failure) => {
                let inner = Self::from(failure.clone());
                Self { message: error.to_string(), ..inner }
            }
            SignInError::NoKeyBinding | SignInError::NotBound => {
                Self::new(Kind::Failed, error).hint("leave --dpop out")
            }
            SignInError::Vault(error) => error.into(),
            SignInError::Device(DeviceError::Ended(end)) => {
                Self::new(Kind::Refused, end).hint("start again to get a new code")
            }
            SignInError::BadAnswer(answer @ (BadAnswer::Denied | BadAnswer::Refused(_))) => {
                Self::new(Kind::Refused, answer)
            }
            SignInError::TimedOut => Self::new(Kind::Failed, error).hint("start again"),
            SignInError::InputEnded => {
                Self::new(Kind::Usage, error).hint("run it on a terminal, or pipe the address in")
            }
            SignInError::NoWay(_) => {
                Self::new(Kind::Failed, error).hint("leave the choice to gatepass: no --device, --loopback or --paste")
            }
            SignInError::BadAnswer(_)
            | SignInError::BadIdentity(_)
            | SignInError::NoPort(_)
            | SignInError::NoKey(_)
            | SignInError::NoEntropy(_) => Self::new(Kind::Failed, error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatepass_client::Refusal;

    #[test]
    fn a_container_that_runs_as_root_is_told_whom_to_run_as() {
        let hint = |owner| Error::from(AgentError::Foreign { path: "/run/a.sock".into(), owner }).hint.unwrap().text;
        assert!(hint(Some(1000)).ends_with("--user 1000"));
        assert!(hint(None).ends_with("--user UID"));
    }

    #[test]
    fn a_script_can_tell_offline_from_signed_out_from_refused() {
        let refusal = || Refusal { code: "invalid_grant".into(), description: None };
        let away = || Failure::Unreachable { host: "a.example".into(), why: Unreachable::Timeout };
        let table: [(Error, u8); 7] = [
            (BearerError::SignedOut.into(), 3),
            (BearerError::Rejected(refusal()).into(), 3),
            (BearerError::Transient(Transient::Server(away())).into(), 4),
            (BearerError::Transient(Transient::Server(Failure::Refused(refusal()))).into(), 1),
            (CallError::Failure(away()).into(), 4),
            (SignInError::BadAnswer(BadAnswer::Denied).into(), 5),
            (NotSelected::Nobody(None).into(), 3),
        ];
        for (error, code) in table {
            assert_eq!(error.kind.exit_code(), code, "{}", error.message);
        }
    }
}
