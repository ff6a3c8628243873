//! CPU time and memory of processes, from `/proc`.

use std::{collections::HashMap, fs};

use crate::Result;

/// A process to watch.
pub struct Watch {
    pub name: String,
    pub pid: u32,
    /// With all its descendants: PostgreSQL is a tree of processes.
    pub tree: bool,
}

impl Watch {
    /// `NAME=PID`, or `NAME=PID+` with its descendants.
    pub fn parse(text: &str) -> Result<Watch> {
        let (name, pid) = text.split_once('=').ok_or("a watch is NAME=PID")?;
        let number = pid.trim_end_matches('+').parse().map_err(|_| format!("{pid} is no process id"))?;
        Ok(Watch { name: name.to_owned(), pid: number, tree: pid.ends_with('+') })
    }

    /// This process.
    pub fn myself() -> Watch {
        Watch { name: String::new(), pid: std::process::id(), tree: false }
    }

    /// CPU seconds used so far. A tree counts what its root has reaped too: the children that are gone.
    pub fn cpu(&self) -> f64 {
        let reaped = |pid: u32, stat: &Stat| if self.tree && pid == self.pid { stat.reaped } else { 0.0 };
        let members = self.members().into_iter().filter_map(|pid| Some((pid, Stat::read(pid)?)));
        members.map(|(pid, stat)| stat.cpu + reaped(pid, &stat)).sum()
    }

    /// MiB: the resident memory of one process; of a tree the proportional share, so that shared pages count once.
    pub fn memory(&self) -> f64 {
        if !self.tree {
            return mebibytes(&format!("/proc/{}/status", self.pid), "VmRSS:");
        }
        self.members().iter().map(|pid| mebibytes(&format!("/proc/{pid}/smaps_rollup"), "Pss:")).sum()
    }

    /// MiB: the most resident memory that one process ever had.
    pub fn peak(&self) -> f64 {
        mebibytes(&format!("/proc/{}/status", self.pid), "VmHWM:")
    }

    fn members(&self) -> Vec<u32> {
        let mut members = vec![self.pid];
        if !self.tree {
            return members;
        }
        let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            if let Some(stat) = Stat::read(pid) {
                children.entry(stat.parent).or_default().push(pid);
            }
        }
        let mut next = 0;
        while let Some(pid) = members.get(next) {
            members.extend(children.get(pid).cloned().unwrap_or_default());
            next += 1;
        }
        members
    }
}

struct Stat {
    parent: u32,
    cpu: f64,
    reaped: f64,
}

impl Stat {
    fn read(pid: u32) -> Option<Stat> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // After the name, which may hold anything: state, parent, … utime and stime at 11, of the reaped at 13.
        let fields: Vec<&str> = text.rsplit_once(") ")?.1.split(' ').collect();
        let seconds = |index: usize| fields.get(index).and_then(|text| text.parse().ok()).unwrap_or(0.0) / ticks();
        Some(Stat {
            parent: fields.get(1)?.parse().ok()?,
            cpu: seconds(11) + seconds(12),
            reaped: seconds(13) + seconds(14),
        })
    }
}

/// Seconds that all CPUs were busy, and that the host took away.
pub fn machine() -> (f64, f64) {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = text.lines().next().unwrap_or_default();
    let ticked: Vec<f64> = line.split_whitespace().skip(1).filter_map(|text| text.parse().ok()).collect();
    let seconds = |index: usize| ticked.get(index).copied().unwrap_or(0.0) / ticks();
    ([0, 1, 2, 5, 6].into_iter().map(seconds).sum(), seconds(7))
}

fn mebibytes(path: &str, key: &str) -> f64 {
    let text = fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(key)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}

fn ticks() -> f64 {
    // SAFETY: sysconf reads a constant of the system.
    unsafe { libc::sysconf(libc::_SC_CLK_TCK) as f64 }
}
