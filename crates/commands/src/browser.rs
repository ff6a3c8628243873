//! Opening a browser: only for web addresses, and without a shell.

use gatepass_client::WebUrl;
use webbrowser::{Browser, BrowserOptions};

/// Opens `url` in the person's browser (`$BROWSER` first), if it is a web address.
///
/// It is done in a thread: some browsers come back only when their window is closed. A browser that does
/// not open is no failure, since the address stands on the screen.
pub(crate) fn open(url: &str) {
    let Some(url) = address(url) else { return };
    let opened = std::thread::Builder::new().name("browser".into()).spawn(move || {
        let mut options = BrowserOptions::new();
        options.with_suppress_output(true);
        let _ = webbrowser::open_browser_with_options(Browser::Default, url.as_str(), &options);
    });
    drop(opened);
}

/// What may be opened. Quotes and spaces are escaped in it, as everywhere in a URL.
fn address(text: &str) -> Option<WebUrl> {
    text.parse().ok()
}

/// Whether there is a browser that could be opened. None is.
pub(crate) fn is_there() -> bool {
    Browser::Default.exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_web_addresses_are_opened() {
        for bad in [
            "javascript:alert(1)",
            "file:///etc/passwd",
            "data:text/html,x",
            "vscode://x",
            "--version",
            "-e",
            "",
            "http://evil.example/",
            "https://u:p@a.example/",
            "/etc/passwd",
        ] {
            assert_eq!(address(bad), None, "{bad}");
        }
        let odd = address("https://a.example/'x y\"?q=`id` $(id)\n;&z").unwrap();
        assert_eq!(odd.as_str(), "https://a.example/'x%20y%22?q=`id`%20$(id);&z");
    }
}
