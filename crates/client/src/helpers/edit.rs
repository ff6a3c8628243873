//! Changing a tool's own file: the rest of it, its mode and a link to it stay.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

/// The most of a file that is read, in bytes.
const MAX_SIZE: u64 = 4 * 1024 * 1024;

/// The text of a file; `None` when there is none.
///
/// # Errors
/// What the operating system says; a file that is too long, or no text.
pub fn read(path: &Path) -> io::Result<Option<String>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut text = String::new();
    if u64::try_from(file.take(MAX_SIZE + 1).read_to_string(&mut text)?).is_ok_and(|length| length > MAX_SIZE) {
        return Err(io::Error::other("it is longer than 4 MiB"));
    }
    Ok(Some(text))
}

/// Replaces a file by a text, wholly or not at all. A new one can be read by its owner alone.
///
/// # Errors
/// What the operating system says; then the file is as it was.
pub fn replace(path: &Path, text: &str) -> io::Result<()> {
    // A link to a file elsewhere, as people keep their settings, stays a link.
    let target = match fs::canonicalize(path) {
        Ok(target) => target,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            path.to_owned()
        }
        Err(error) => return Err(error),
    };
    let beside = beside(&target);
    let written = write(&beside, &target, text).and_then(|()| fs::rename(&beside, &target));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}

fn beside(target: &Path) -> PathBuf {
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(format!(".gatepass-{}", std::process::id()));
    target.with_file_name(name)
}

fn write(beside: &Path, target: &Path, text: &str) -> io::Result<()> {
    let mut options: OpenOptions = crate::home::private_file();
    let mut file = options.create_new(true).write(true).open(beside)?;
    if let Ok(data) = fs::metadata(target) {
        file.set_permissions(data.permissions())?;
    }
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// The lines that a change takes away and those that it brings, for people: what is alike at both ends is left out.
#[must_use]
pub fn difference<'a>(before: &'a str, after: &'a str) -> (Vec<&'a str>, Vec<&'a str>) {
    let (mut old, mut new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    while old.last().is_some() && old.last() == new.last() {
        old.pop();
        new.pop();
    }
    let alike = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    (old.split_off(alike.min(old.len())), new.split_off(alike.min(new.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn mode_and_link_stay() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        fs::write(&real, "old").unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
        symlink(&real, &link).unwrap();
        replace(&link, "new").unwrap();
        assert_eq!(read(&real).unwrap().as_deref(), Some("new"));
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o640);
        let made = folder.path().join("a/b");
        assert_eq!(read(&made).unwrap(), None);
        replace(&made, "x").unwrap();
        assert_eq!(fs::metadata(&made).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3, "nothing is left beside");
    }

    #[test]
    fn only_the_lines_that_differ_are_told() {
        assert_eq!(difference("a\nb\nc\n", "a\nx\ny\nc\n"), (vec!["b"], vec!["x", "y"]));
        assert_eq!(difference("", "a\n"), (vec![], vec!["a"]));
        assert_eq!(difference("a\na\n", "a\n"), (vec!["a"], vec![]));
        assert_eq!(difference("a", "a"), (vec![], vec![]));
    }
}
