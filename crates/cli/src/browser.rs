//! Opening a browser: only for web addresses, and without a shell.

use gatepass_client::WebUrl;
use webbrowser::{Browser, BrowserOptions};

/// Opens `url` in the person's browser (`$BROWSER` first), if it is a web address.
///
/// It is done in a thread: some browsers come back only when their window is closed. A browser that does
/// not open is no failure, since the address stands on the screen.
pub(crate) fn open(url: &str) {
    let Ok(url) = url.parse::<WebUrl>() else { return };
    let opened = std::thread::Builder::new().name("browser".into()).spawn(move || {
        let mut options = BrowserOptions::new();
        options.with_suppress_output(true);
        let _ = webbrowser::open_browser_with_options(Browser::Default, url.as_str(), &options);
    });
    drop(opened);
}

/// Whether there is a browser that could be opened. None is.
pub(crate) fn is_there() -> bool {
    Browser::Default.exists()
}
