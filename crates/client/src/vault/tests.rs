//! What the vault promises, tried on real files.

use super::*;
use crate::{Account, ClientAuthentication, Tokens};
use contents::SignIn;
use gatepass_oauth::{Scope, UtcMillis};
use std::path::Path;

const NOW: UtcMillis = UtcMillis(1_795_298_510_000);

fn vault_with(home: &Path, sources: KeySources) -> Vault {
    Vault::new(Home::at(home), sources, Clock::settable(NOW), Entropy::system())
}

pub(crate) fn vault(home: &Path) -> Vault {
    vault_with(home, KeySources { no_keyring: true, ..KeySources::default() })
}

fn passphrase(text: &str) -> KeySources {
    KeySources { no_keyring: true, passphrase: Some(text.into()), ..KeySources::default() }
}

pub(crate) fn sign_in(subject: &str) -> SignIn {
    let endpoint = || "https://a.example/token".parse().unwrap();
    SignIn {
        account: Account {
            issuer: "https://a.example".parse().unwrap(),
            client_id: "cli".parse().unwrap(),
            subject: Some(subject.into()),
            email: None,
            name: None,
            space: None,
        },
        scope: Scope::empty(),
        resource: None,
        token_endpoint: endpoint(),
        revocation_endpoint: None,
        authentication: ClientAuthentication::None,
        dpop_key: None,
        terms: Default::default(),
        renewal: Default::default(),
        generation: 0,
        tokens: Some(Tokens {
            access_token: "gpa_visible".into(),
            token_type: gatepass_oauth::TokenType::Bearer,
            refresh_token: Some("gpr_visible".into()),
            scope: Scope::empty(),
            obtained_at: NOW,
            expires_at: None,
            id_token: None,
            asked_for_less: false,
        }),
    }
}

fn subjects(vault: &Vault) -> Vec<String> {
    vault.read().unwrap().sign_ins.into_iter().filter_map(|sign_in| sign_in.account.subject).collect()
}

#[test]
fn what_is_put_in_comes_out_in_another_process_and_is_not_seen_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    assert!(vault(folder.path()).read().unwrap().sign_ins.is_empty());
    vault(folder.path()).update(|contents| contents.put(sign_in("ada"))).unwrap();
    vault(folder.path()).update(|contents| contents.put(sign_in("bob"))).unwrap();
    assert_eq!(subjects(&vault(folder.path())), ["ada", "bob"]);
    assert_eq!(vault(folder.path()).custody().unwrap(), Some(Custody::KeyFile));
    let bytes = fs::read(folder.path().join("vault.gpv")).unwrap();
    assert!(!bytes.windows(7).any(|seven| seven == b"visible" || seven == b"example"));
    assert!(!folder.path().join("vault.new").exists());
}

#[cfg(unix)]
#[test]
fn every_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    vault(&home).update(|contents| contents.put(sign_in("ada"))).unwrap();
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(home.clone()), 0o700);
    assert_eq!(mode(home.join("vault.gpv")), 0o600);
    assert_eq!(mode(home.join("vault.key")), 0o600);
    fs::set_permissions(home.join("vault.key"), fs::Permissions::from_mode(0o644)).unwrap();
    let error = vault(&home).read().unwrap_err().to_string();
    assert!(error.contains("can be read by others"), "{error}");
}

#[test]
fn a_damaged_vault_is_set_aside_under_a_name_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.gpv");
    let mut asides = Vec::new();
    for damage in [40usize, 150] {
        vault(folder.path()).update(|contents| contents.put(sign_in("ada"))).unwrap();
        let mut bytes = fs::read(&path).unwrap();
        bytes[damage] ^= 1;
        fs::write(&path, &bytes).unwrap();
        match vault(folder.path()).read() {
            Err(VaultError::Damaged(aside)) => {
                assert_eq!(fs::read(&aside).unwrap(), bytes);
                asides.push(aside.file_name().unwrap().to_str().unwrap().to_owned());
            }
            other => panic!("{other:?}"),
        }
        assert!(vault(folder.path()).read().unwrap().sign_ins.is_empty());
    }
    assert_eq!(asides, ["vault.damaged-2026-11-21T220150Z.gpv", "vault.damaged-2026-11-21T220150Z-2.gpv"]);
    fs::write(&path, b"").unwrap();
    let error = vault(folder.path()).update(|contents| contents.put(sign_in("bob"))).unwrap_err();
    assert!(matches!(error, VaultError::Damaged(_)), "a change sets it aside too: {error}");
}

#[test]
fn a_vault_of_a_later_version_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.gpv");
    fs::write(&path, b"gatepass\x02anything").unwrap();
    assert!(matches!(vault(folder.path()).read(), Err(VaultError::Newer(_))));
    assert!(vault(folder.path()).update(|_| ()).is_err());
    assert_eq!(fs::read(&path).unwrap(), b"gatepass\x02anything");
}

#[test]
fn a_wrong_passphrase_is_no_damage() {
    let folder = tempfile::tempdir().unwrap();
    vault_with(folder.path(), passphrase("right")).update(|contents| contents.put(sign_in("ada"))).unwrap();
    let error = vault_with(folder.path(), passphrase("wrong")).read().unwrap_err();
    assert!(matches!(error, VaultError::WrongKey(Custody::Passphrase)), "{error}");
    let asked = KeySources {
        no_keyring: true,
        ask: Some(std::sync::Arc::new(|| Some("right".into()))),
        ..KeySources::default()
    };
    assert_eq!(subjects(&vault_with(folder.path(), asked)), ["ada"]);
    assert!(!folder.path().join("vault.key").exists());
}

#[test]
fn custody_never_becomes_weaker_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    vault_with(folder.path(), passphrase("right")).update(|contents| contents.put(sign_in("ada"))).unwrap();
    let before = fs::read(folder.path().join("vault.gpv")).unwrap();
    let error = vault(folder.path()).update(|contents| contents.put(sign_in("bob"))).unwrap_err();
    assert!(matches!(error, VaultError::KeyAway { custody: Custody::Passphrase, .. }), "{error}");
    assert_eq!(fs::read(folder.path().join("vault.gpv")).unwrap(), before);

    let (entropy, key) = (Entropy::system(), SealingKey::from_secret("in the keyring", "test"));
    let header = Header::new(Custody::Keyring, [0; 16], (0, 0), &key, [1; 16], &entropy).unwrap();
    let mut bytes = header.encode();
    bytes.extend(key.seal(&bytes, b"{}", &entropy).unwrap());
    fs::write(folder.path().join("vault.gpv"), &bytes).unwrap();
    let error = vault(folder.path()).update(|contents| contents.put(sign_in("bob"))).unwrap_err();
    assert!(matches!(error, VaultError::KeyAway { custody: Custody::Keyring, .. }), "{error}");
    assert_eq!(fs::read(folder.path().join("vault.gpv")).unwrap(), bytes);
}

#[cfg(unix)]
#[test]
fn a_command_keeps_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let sources = |line: &str| KeySources {
        command: Some(crate::config::CommandLine::parse(line).unwrap()),
        ..KeySources::default()
    };
    let hex = format!("printf {}", "ab".repeat(32));
    vault_with(folder.path(), sources(&hex)).update(|contents| contents.put(sign_in("ada"))).unwrap();
    assert_eq!(subjects(&vault_with(folder.path(), sources(&hex))), ["ada"]);
    assert!(matches!(vault_with(folder.path(), sources("false")).read(), Err(VaultError::KeyAway { .. })));
    let other = format!("printf {}", "cd".repeat(32));
    assert!(matches!(vault_with(folder.path(), sources(&other)).read(), Err(VaultError::WrongKey(Custody::Command))));
}

#[test]
fn a_write_that_fails_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    vault(folder.path()).update(|contents| contents.put(sign_in("ada"))).unwrap();
    // The name beside the vault cannot be written, as on a read-only disk; root is stopped by it too.
    fs::create_dir(folder.path().join("vault.new")).unwrap();
    assert!(matches!(vault(folder.path()).rehearse(), Err(VaultError::Io { .. })));
    assert!(matches!(vault(folder.path()).update(|c| c.put(sign_in("bob"))), Err(VaultError::Io { .. })));
    assert_eq!(subjects(&vault(folder.path())), ["ada"]);
}

#[test]
fn many_writers_lose_no_change() {
    let folder = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for writer in 0..16 {
            let path = folder.path();
            scope.spawn(move || vault(path).update(|c| c.put(sign_in(&format!("u{writer}")))).unwrap());
        }
    });
    assert_eq!(subjects(&vault(folder.path())).len(), 16);
}

/// A newer program on the same machine may keep more than this one knows.
#[test]
fn what_opens_is_never_set_aside_although_it_is_not_understood() {
    let folder = tempfile::tempdir().unwrap();
    vault(folder.path()).update(|contents| contents.put(sign_in("ada"))).unwrap();
    let path = folder.path().join("vault.gpv");
    let known = vault(folder.path());
    let Found::Open(header, _) = known.find().unwrap() else { panic!("it opens") };
    let mut newer = header.encode();
    newer.extend(known.key(&header).unwrap().seal(&newer, br#"{"sign_ins": {"ada": 1}}"#, &known.entropy).unwrap());
    fs::write(&path, &newer).unwrap();
    assert!(matches!(vault(folder.path()).read(), Err(VaultError::Newer(_))));
    assert!(matches!(vault(folder.path()).update(|contents| contents.put(sign_in("bob"))), Err(VaultError::Newer(_))));
    assert_eq!(fs::read(&path).unwrap(), newer);
}

#[test]
fn what_would_be_too_large_to_be_read_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    vault(folder.path()).update(|contents| contents.put(sign_in("ada"))).unwrap();
    let large = vault(folder.path()).update(|contents| {
        let mut sign_in = sign_in("bob");
        sign_in.account.name = Some("b".repeat(usize::try_from(MAX_SIZE).unwrap()));
        contents.put(sign_in)
    });
    assert!(matches!(large, Err(VaultError::Io { source, .. }) if source.kind() == io::ErrorKind::FileTooLarge));
    assert_eq!(subjects(&vault(folder.path())), ["ada"]);
}
