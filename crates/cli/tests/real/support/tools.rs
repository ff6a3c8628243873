//! Other people's programs in somebody's terminal: nothing of the machine's own settings, a home of its own.

use super::{Said, Server, Terminal};
use std::{
    fs,
    io::{Read, Seek, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Whether a program can be run.
pub(crate) fn tool_is_here(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Every file below a folder with its bytes; of links, where they lead.
pub(crate) fn tree(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let kind = fs::symlink_metadata(&path).unwrap();
        if kind.is_dir() {
            all.extend(tree(&path));
        } else if kind.is_symlink() {
            let to = fs::read_link(&path).unwrap();
            all.push((path, to.into_os_string().into_encoded_bytes()));
        } else {
            let bytes = fs::read(&path).unwrap();
            all.push((path, bytes));
        }
    }
    all.sort();
    all
}

/// Runs a command with a file as its stdin: it need not read all of it.
pub(crate) fn run_from(command: &mut Command, input: &str) -> Said {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(input.as_bytes()).unwrap();
    file.rewind().unwrap();
    let output = command.stdin(file).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

impl Terminal {
    /// The person's home.
    pub(crate) fn user_home(&self) -> PathBuf {
        let home = self.home().join("user");
        fs::create_dir_all(&home).unwrap();
        home
    }

    /// Another program in this terminal.
    pub(crate) fn tool(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let path = std::env::var("PATH").unwrap_or_default();
        command
            .env_clear()
            .env("PATH", format!("{}:{path}", self.user_home().join("bin").display()))
            .env("HOME", self.user_home())
            .env("GATEPASS_HOME", self.home())
            .env("GATEPASS_KEYRING", "off")
            .current_dir(self.user_home());
        command
    }

    /// `gatepass …` as somebody with that home runs it.
    pub(crate) fn at_home(&self, arguments: &[&str]) -> Command {
        let mut command = self.tool(env!("CARGO_BIN_EXE_gatepass"));
        command.args(arguments);
        command
    }
}

impl Server {
    /// Whether this token opens the API now, asked without a runtime.
    pub(crate) fn accepts(&self, token: &str) -> bool {
        accepts(&self.address, token)
    }
}

/// The same, for a thread that has the address only.
pub(crate) fn accepts(address: &str, token: &str) -> bool {
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"whoami"}"#;
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "POST /api/v1/user/rpc HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.starts_with("HTTP/1.1 200")
}
