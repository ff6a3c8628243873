//! A cold start: from the command to the first right answer, and the memory when nothing happens afterwards.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::process::{Child, Command};

use crate::{
    Result,
    args::ColdArguments,
    http::{Connection, request},
    procs::Watch,
    run::append,
    tally::round,
    url::Url,
};

/// A server that has not answered by then never will.
const PATIENCE: Duration = Duration::from_secs(30);

pub async fn run(arguments: ColdArguments) -> Result<()> {
    let url = Url::parse(&arguments.url)?;
    let (program, rest) = arguments.command.split_first().ok_or("there is no command")?;
    let (mut millis, mut idle, mut peak, mut cpu) = (vec![], vec![], vec![], vec![]);
    for _ in 0..arguments.runs {
        let began = Instant::now();
        let mut child = command(program, rest).spawn().map_err(|error| format!("{program}: {error}"))?;
        let pid = child.id().ok_or("the server ended at once")?;
        let watch = Watch { name: "server".to_owned(), pid, tree: false };
        first_answer(&url, began).await?;
        millis.push(round(began.elapsed().as_secs_f64() * 1000.0, 1));
        cpu.push(round(watch.cpu(), 2));
        tokio::time::sleep(Duration::from_secs_f64(arguments.idle)).await;
        idle.push(round(watch.memory(), 1));
        peak.push(round(watch.peak(), 1));
        terminate(&mut child, pid).await;
    }
    let result = json!({
        "label": arguments.label, "workload": "Cold", "ms": millis, "rss_mib": idle, "peak_mib": peak,
        "cpu_s": cpu, "idle_s": arguments.idle,
    });
    println!("{result}");
    append(arguments.out.as_deref(), &result)
}

/// The server, with its log thrown away.
fn command(program: &str, arguments: &[String]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).kill_on_drop(true).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

async fn first_answer(url: &Url, began: Instant) -> Result<()> {
    let request = request("GET", url, &[("connection", "close")], None);
    while began.elapsed() < PATIENCE {
        let mut connection = Connection::new(&url.address);
        if connection.send(&request).await.is_ok() && connection.response.status == 200 {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Err(format!("no 200 within {} s", PATIENCE.as_secs()))
}

async fn terminate(child: &mut Child, pid: u32) {
    if let Ok(pid) = libc::pid_t::try_from(pid) {
        // SAFETY: a signal to a child that has not been waited for.
        unsafe { libc::kill(pid, libc::SIGTERM) };
    }
    if tokio::time::timeout(Duration::from_secs(5), child.wait()).await.is_err() {
        drop(child.kill().await);
    }
}
