//! Logs: sentences with fields, for people on a terminal and as JSON otherwise, on standard error.

use std::io::{IsTerminal, stderr};
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// The variable that holds the filter.
pub const VARIABLE: &str = "GATEPASS_LOG";
const DEFAULT: &str = "info";

/// The filter that was asked for is none.
#[derive(Debug, thiserror::Error)]
#[error("{VARIABLE} is not a log filter ({0}); use a level such as 'debug' or 'gatepass_server=debug,info'")]
pub struct InvalidFilter(String);

/// Starts logging for the whole process.
///
/// # Errors
/// [`InvalidFilter`].
pub fn start(filter: Option<&str>) -> Result<(), InvalidFilter> {
    let filter = EnvFilter::try_new(filter.unwrap_or(DEFAULT)).map_err(|error| InvalidFilter(error.to_string()))?;
    let registry = tracing_subscriber::registry().with(filter);
    // A second start in one process (a test, the quick start) keeps the first.
    let _ = if stderr().is_terminal() {
        registry.with(fmt::layer().with_target(false).with_writer(stderr)).try_init()
    } else {
        registry.with(fmt::layer().json().flatten_event(true).with_writer(stderr)).try_init()
    };
    Ok(())
}
