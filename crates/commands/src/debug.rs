//! `--debug`: what the client asks and decides, as lines on stderr.
//!
//! Only our own crates are heard. What they tell holds no secret, since secrets are types that print `<secret>`,
//! queries and bodies are never told, and of an error answer only the codes of the standards are.

use std::{fmt, io::stderr, time::Instant};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::{
    filter::filter_fn,
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    layer::{Layer, SubscriberExt},
    registry::LookupSpan,
    util::SubscriberInitExt,
};

/// Starts telling.
pub(crate) fn start() {
    let told =
        tracing_subscriber::fmt::layer().with_ansi(false).with_writer(stderr).event_format(Lines(Instant::now()));
    let ours = |data: &Metadata<'_>| {
        let ours = ["gatepass_commands", "gatepass_client"]
            .iter()
            .any(|name| data.target().strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with("::")));
        ours && *data.level() <= Level::DEBUG
    };
    // Whoever started another first is heard instead.
    let _ = tracing_subscriber::registry().with(told.with_filter(filter_fn(ours))).try_init();
}

/// `debug 12 ms: sentence`.
struct Lines(Instant);

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut to: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        write!(to, "debug {} ms: ", self.0.elapsed().as_millis())?;
        context.field_format().format_fields(to.by_ref(), event)?;
        writeln!(to)
    }
}
