//! One cell: one workload at one concurrency, for a time.

use std::{
    cell::RefCell,
    io::Write,
    rc::Rc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::task::{LocalSet, spawn_local};

use crate::{
    Result,
    args::RunArguments,
    flows,
    instructions::Instructions,
    pool::Pool,
    procs::{self, Watch},
    profile::Server,
    tally::{Tally, round},
    url::Url,
    workload::{Plan, Worker, Workload},
};

pub async fn run(arguments: RunArguments) -> Result<()> {
    let watches = arguments.watch.iter().map(|text| Watch::parse(text)).collect::<Result<Vec<_>>>()?;
    let server = match &arguments.profile {
        Some(path) => Some(Server::load(path).await?),
        None => None,
    };
    let pool = match (&server, arguments.workload, &arguments.credentials) {
        (_, _, Some(path)) => Pool::read(path, arguments.part, arguments.parts)?,
        (Some(server), workload, None) => Pool::new(fetched(server, workload, &arguments).await?),
        (None, ..) => Pool::default(),
    };
    let chains = match &server {
        Some(server) if arguments.workload == Workload::Refresh && arguments.credentials.is_none() => {
            flows::tokens(server, "refresh_token", arguments.concurrency).await?
        }
        _ => vec![String::new(); arguments.concurrency],
    };
    let start = Instant::now() + Duration::from_secs_f64(arguments.warmup);
    let end = start + Duration::from_secs_f64(arguments.duration);
    let plan = Rc::new(Plan {
        workload: arguments.workload,
        server,
        url: arguments.url.as_deref().map(Url::parse).transpose()?,
        pool,
        once: arguments.credentials.is_some() || arguments.workload == Workload::DeviceRedeem,
        tally: RefCell::new(Tally::new(start, end)),
    });
    let workers = chains.into_iter().map(|chain| Worker::new(Rc::clone(&plan), chain)).collect::<Result<Vec<_>>>()?;

    let measured = LocalSet::new()
        .run_until(async {
            let working: Vec<_> = workers.into_iter().map(|worker| spawn_local(worker.work())).collect();
            tokio::time::sleep_until(start.into()).await;
            let measured = Measured::during(watches, end).await;
            for worker in working {
                worker.await.map_err(|error| error.to_string())?;
            }
            Ok::<_, String>(measured)
        })
        .await?;
    plan.tally.borrow_mut().sort();
    if plan.tally.borrow().seconds() < 1.0 {
        return Err("the credentials were used up before anything could be measured; get more of them".to_owned());
    }
    let result = result(&arguments, &plan, &measured);
    println!("{}", line(&result));
    append(arguments.out.as_deref(), &result)
}

/// The credentials that a workload uses in turn.
async fn fetched(server: &Server, workload: Workload, arguments: &RunArguments) -> Result<Vec<String>> {
    match (workload, &server.profile.introspect_extra) {
        (Workload::Introspect, Some(extra)) => flows::own_tokens(server, extra, arguments.tokens).await,
        (Workload::Bearer | Workload::Introspect | Workload::Rpc, _) => {
            flows::tokens(server, "access_token", arguments.tokens).await
        }
        (Workload::DevicePoll, _) => flows::device_codes(server, arguments.pool).await,
        (Workload::DeviceRedeem, _) => flows::approved_devices(server, arguments.approved).await,
        _ => Ok(Vec::new()),
    }
}

/// What the processes and the machine used while it was measured.
struct Measured {
    wall: f64,
    processes: Vec<(Watch, f64, f64, Option<u64>)>,
    generator: f64,
    busy: f64,
    stolen: f64,
}

impl Measured {
    async fn during(watches: Vec<Watch>, end: Instant) -> Self {
        let myself = Watch::myself();
        let (began, generator, (busy, stolen)) = (Instant::now(), myself.cpu(), procs::machine());
        let begin = |watch: Watch| (watch.cpu(), watch.memory(), Instructions::of(watch.pid), watch);
        let mut processes: Vec<_> = watches.into_iter().map(begin).collect();
        while Instant::now() + Duration::from_millis(1100) < end {
            tokio::time::sleep(Duration::from_secs(1)).await;
            // Reading the memory of a whole tree costs too much to do it every second.
            for (_, memory, _, watch) in processes.iter_mut().filter(|(.., watch)| !watch.tree) {
                *memory = memory.max(watch.memory());
            }
        }
        tokio::time::sleep_until(end.into()).await;
        let (busy_now, stolen_now) = procs::machine();
        let processes = processes.into_iter().map(|(cpu, memory, instructions, watch)| {
            let count = instructions.filter(|_| !watch.tree).and_then(|mut instructions| instructions.count());
            let (cpu, memory) = (watch.cpu() - cpu, memory.max(watch.memory()));
            (watch, cpu, memory, count)
        });
        Self {
            wall: began.elapsed().as_secs_f64(),
            processes: processes.collect(),
            generator: myself.cpu() - generator,
            busy: busy_now - busy,
            stolen: stolen_now - stolen,
        }
    }

    fn percent(&self, seconds: f64) -> f64 {
        round(100.0 * seconds / self.wall, 1)
    }
}

fn result(arguments: &RunArguments, plan: &Plan, measured: &Measured) -> Value {
    let tally = plan.tally.borrow();
    let operations = tally.operations();
    let mut processes = json!({});
    for (watch, cpu, memory, instructions) in &measured.processes {
        processes[&watch.name] = json!({
            "cpu_s": round(*cpu, 3),
            "cpu_s_per_1k": round(cpu * 1000.0 / operations.max(1) as f64, 4),
            "cpu_pct": measured.percent(*cpu),
            "instructions_per_op": instructions.map(|count| count / operations.max(1) as u64),
            "mem_mib": round(*memory, 1),
            "mem_kind": if watch.tree { "pss" } else { "rss" },
        });
    }
    let watched: f64 = measured.processes.iter().map(|(_, cpu, ..)| cpu).sum();
    json!({
        "label": arguments.label,
        "workload": format!("{:?}", arguments.workload),
        "server": plan.server.as_ref().map(|server| &server.profile.name),
        "c": arguments.concurrency,
        "duration": round(tally.seconds(), 3),
        "n": operations,
        "rps": round(operations as f64 / tally.seconds(), 1),
        "p50_ms": tally.percentile(0.5),
        "p90_ms": tally.percentile(0.9),
        "p99_ms": tally.percentile(0.99),
        "max_ms": tally.percentile(1.0),
        "mean_ms": tally.mean(),
        "leg1_p50_ms": tally.leg_percentile(0.5),
        "leg1_p99_ms": tally.leg_percentile(0.99),
        "errors": tally.errors.values().sum::<u64>(),
        "error_kinds": tally.errors,
        "slow_down": tally.slowed_down,
        "connects": tally.connects,
        "body_bytes": tally.mean_bytes(),
        "procs": processes,
        "gen_cpu_pct": measured.percent(measured.generator),
        // What neither the watched processes nor this one used: the noise of this cell.
        "foreign_cpu_pct": measured.percent((measured.busy - watched - measured.generator).max(0.0)),
        "steal_pct": measured.percent(measured.stolen),
    })
}

/// The result for the person at the terminal.
fn line(result: &Value) -> String {
    let text = |member: &str| result[member].as_str().unwrap_or_default();
    let number = |member: &str| result[member].as_f64().unwrap_or_default();
    let mut line = format!(
        "{:<22} {:<18} c={:<3} {:>9.1}/s  p50 {:>8.3} ms  p99 {:>8.3} ms  errors {}  gen {}%  foreign {}%",
        text("label"),
        text("workload"),
        result["c"],
        number("rps"),
        number("p50_ms"),
        number("p99_ms"),
        result["errors"],
        result["gen_cpu_pct"],
        result["foreign_cpu_pct"],
    );
    if result["errors"] != 0 {
        line.push_str(&format!("\n  {}", result["error_kinds"]));
    }
    line
}

/// Appends a result to the file, if there is one.
pub fn append(path: Option<&str>, result: &Value) -> Result<()> {
    let Some(path) = path else { return Ok(()) };
    let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
    file.and_then(|mut file| writeln!(file, "{result}")).map_err(|error| format!("{path}: {error}"))
}
