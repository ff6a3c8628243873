//! The files that are read for settings.

use super::{Check, Section, keeping};
use crate::{
    Config, Home,
    folder::{FILE, FolderFile},
    trust,
};
use std::path::Path;

/// The home folder, `config.toml`, the nearest `.gatepass.toml`, and a file of authorities.
pub(super) fn look(home: &Home, folder: Option<&Path>, ca_file: Option<&Path>) -> Vec<Check> {
    let mut checks = vec![
        Check::ok(Section::Configuration, "home", home.path().display().to_string()),
        config(home),
        folder_file(folder),
    ];
    checks.extend(ca_file.map(authorities));
    checks
}

fn config(home: &Home) -> Check {
    let path = home.config();
    let name = "config.toml";
    if !path.exists() {
        return Check::skipped(Section::Configuration, name, "there is none, and none is needed");
    }
    let config = match Config::read(home) {
        Ok(config) => config,
        Err(error) => {
            return Check::failure(Section::Configuration, name, error.to_string())
                .remedy("correct the file, or move it away");
        }
    };
    let path = path.display();
    let open = keeping::open_to_others(&home.config());
    if open.is_some_and(|open| open.writable) {
        // It may name a command that is run.
        return Check::failure(Section::Configuration, name, format!("others can change {path}"))
            .remedy(format!("chmod 600 {path}"));
    }
    if open.is_some() && config.proxy.as_ref().is_some_and(|proxy| proxy.has_credentials()) {
        return Check::warning(Section::Configuration, name, format!("others can read the proxy's password in {path}"))
            .remedy(format!("chmod 600 {path}"));
    }
    let sets = [
        ("server", config.server.is_some()),
        ("vault_key_command", config.vault_key_command.is_some()),
        ("ca_file", config.ca_file.is_some()),
        ("proxy", config.proxy.is_some()),
        ("no_proxy", config.no_proxy.is_some()),
    ];
    let sets: Vec<_> = sets.into_iter().filter_map(|(name, is_set)| is_set.then_some(name)).collect();
    let found = if sets.is_empty() { "it sets nothing".into() } else { format!("sets {}", sets.join(", ")) };
    Check::ok(Section::Configuration, name, found)
}

fn folder_file(folder: Option<&Path>) -> Check {
    match folder.map(FolderFile::nearest) {
        Some(Ok(Some((path, file)))) => {
            let server = file.server.map_or_else(String::new, |server| format!(", names {server}"));
            let account = if file.account.is_some() { ", names an account" } else { "" };
            Check::ok(Section::Configuration, FILE, format!("{}{server}{account}", path.display()))
        }
        Some(Ok(None)) => Check::skipped(Section::Configuration, FILE, "there is none from here upwards"),
        Some(Err(error)) => {
            Check::failure(Section::Configuration, FILE, error.to_string()).remedy("correct the file, or move it away")
        }
        None => Check::skipped(Section::Configuration, FILE, "the folder that this runs in is gone"),
    }
}

fn authorities(path: &Path) -> Check {
    match trust::client_config(Some(path), &trust::Seen::default(), None) {
        Ok(_) => Check::ok(Section::Configuration, "CA file", path.display().to_string()),
        Err(why) => Check::failure(Section::Configuration, "CA file", why)
            .remedy("name a file of certificates in PEM with --ca-file, GATEPASS_CA_FILE or ca_file in config.toml"),
    }
}
