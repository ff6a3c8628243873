//! Where the program runs, as far as a sign-in cares.

use std::{fs, path::Path};

/// A snapshot of the surroundings. Data only, so that [`crate::choose`] can be tested for all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// The shell came over the network (`SSH_CONNECTION`, `SSH_TTY`, `SSH_CLIENT`).
    pub ssh: bool,
    /// Inside a container, whose loopback is not the person's.
    pub container: bool,
    /// Inside the Windows Subsystem for Linux.
    pub wsl: bool,
    /// A continuous integration job (`CI`).
    pub ci: bool,
    /// There is a screen that a browser can open on. Always so on macOS and Windows.
    pub display: bool,
    /// A person can read and type here.
    pub terminal: bool,
}

impl Environment {
    /// Looks around. `variable` reads one environment variable; `terminal` says whether a person can
    /// read and type here, which the caller knows best.
    #[must_use]
    pub fn observe(variable: impl Fn(&str) -> Option<String>, terminal: bool) -> Self {
        let set = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
        let file = |path: &str| Path::new(path).exists();
        let kernel = || fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self {
            ssh: set("SSH_CONNECTION") || set("SSH_TTY") || set("SSH_CLIENT"),
            container: file("/.dockerenv")
                || file("/run/.containerenv")
                || set("KUBERNETES_SERVICE_HOST")
                || set("REMOTE_CONTAINERS")
                || set("CODESPACES")
                || set("container"),
            wsl: set("WSL_DISTRO_NAME") || kernel().to_ascii_lowercase().contains("microsoft"),
            ci: variable("CI").is_some_and(|value| !matches!(value.as_str(), "" | "0" | "false")),
            display: cfg!(any(target_os = "macos", windows)) || set("DISPLAY") || set("WAYLAND_DISPLAY"),
            terminal,
        }
    }
}

/// What this machine calls itself, for the page on which a person approves a device; `None` when it
/// cannot be told.
#[must_use]
pub fn host_name(variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let kernel = || fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = kernel().or_else(|| variable("COMPUTERNAME")).or_else(|| variable("HOSTNAME"))?;
    let name = crate::text::tidy(&name, 64);
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_read_as_people_set_them() {
        let with = |pairs: &'static [(&str, &str)]| {
            Environment::observe(
                |name| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()),
                true,
            )
        };
        assert!(with(&[("SSH_CONNECTION", "1.2.3.4 1 5.6.7.8 22")]).ssh);
        assert!(!with(&[("SSH_TTY", "")]).ssh);
        assert!(with(&[("WSL_DISTRO_NAME", "Debian")]).wsl);
        assert!(with(&[("CI", "true")]).ci && !with(&[("CI", "false")]).ci);
        assert!(with(&[("container", "podman")]).container);
        #[cfg(target_os = "linux")]
        assert!(with(&[("WAYLAND_DISPLAY", "wayland-0")]).display && !with(&[]).display);
    }
}
