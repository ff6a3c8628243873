//! What is counted elsewhere and read when it is asked for.

use gatepass_authority::Authority;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};
use std::fmt;

/// The authorization server's own counts.
pub(super) struct Collected(pub(super) Authority);

impl fmt::Debug for Collected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Collected(…)")
    }
}

type Labels = [(&'static str, &'static str); 1];

impl Collector for Collected {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let (tally, database) = (self.0.tally(), self.0.database_stats());
        let by_label = |label: &'static str, counts: &[(&'static str, u64)]| {
            counts.iter().map(|(value, count)| ([(label, *value)], *count)).collect::<Vec<(Labels, u64)>>()
        };
        let events: Vec<_> = tally.events().map(|(kind, count)| (kind.as_str(), count)).collect();
        let swept: Vec<_> = tally.swept().collect();
        counters(&mut encoder, "events", "Events, by kind", &by_label("event", &events))?;
        counters(&mut encoder, "swept_rows", "Rows that were over", &by_label("table", &swept))?;
        let plain = [
            ("access_tokens", "Access tokens that were made", tally.tokens.get()),
            ("audit_lost", "Events that could not be written", tally.audit_lost.get()),
            ("webhook_delivered", "Notices that the webhook took", tally.webhook_delivered.get()),
            ("webhook_failed", "Tries that the webhook did not take", tally.webhook_failed.get()),
            ("webhook_given_up", "Notices that were given up", tally.webhook_given_up.get()),
            ("database_writes", "Writing jobs that were answered", database.jobs),
            ("database_transactions", "Transactions that they shared", database.groups),
        ];
        for (name, help, value) in plain {
            let metric = ConstCounter::new(value);
            metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)?;
        }
        let gauges = [
            ("audit_waiting", "Events that wait to be written", number(self.0.audit_waiting())),
            ("database_largest_group", "The most jobs in one transaction", number(database.largest_group)),
            ("database_queue", "Jobs that wait for the database", number(database.queue_depth)),
        ];
        for (name, help, value) in gauges {
            let metric = ConstGauge::new(value);
            metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)?;
        }
        Ok(())
    }
}

fn number(value: impl TryInto<i64>) -> i64 {
    value.try_into().unwrap_or(i64::MAX)
}

fn counters(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    counts: &[(Labels, u64)],
) -> Result<(), fmt::Error> {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (labels, count) in counts {
        ConstCounter::new(*count).encode(family.encode_family(labels)?)?;
    }
    Ok(())
}
