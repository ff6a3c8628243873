//! What the server does by itself: write the audit trail, sweep, tell the webhook. Each task begins with the server and
//! ends with it; the trail ends last, when nothing more can happen.

use gatepass_authority::Authority;
use tokio::{sync::watch, task::JoinSet};

/// The tasks that run.
pub(crate) struct Background {
    end: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Background {
    /// Begins them.
    pub(crate) fn start(authority: &Authority, webhook: bool) -> Self {
        let (end, ended) = watch::channel(false);
        let mut background = Self { end, tasks: JoinSet::new() };
        let (trail, sweeper, notices) = (authority.clone(), authority.clone(), authority.clone());
        let (trail_end, sweeper_end, notices_end) = (until(&ended), until(&ended), until(&ended));
        background.tasks.spawn(async move { trail.write_trail(trail_end).await });
        background.tasks.spawn(async move { sweeper.keep_sweeping(sweeper_end).await });
        let (tending, tending_end) = (authority.clone(), until(&ended));
        background.tasks.spawn(async move {
            tokio::select! {
                () = tending.tend() => {}
                () = tending_end => {}
            }
        });
        if webhook {
            background.tasks.spawn(async move { notices.deliver_notices(notices_end).await });
        }
        background
    }

    /// Comes to its end when the tasks are told to.
    pub(crate) fn ended(&self) -> impl Future<Output = ()> + Send + use<> {
        until(&self.end.subscribe())
    }

    /// Adds a task.
    pub(crate) fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Ends them and waits until what has gathered is written.
    pub(crate) async fn end(mut self) {
        let _ = self.end.send(true);
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Comes to its end when `ended` says so.
pub(crate) fn until(ended: &watch::Receiver<bool>) -> impl Future<Output = ()> + Send + use<> {
    let mut ended = ended.clone();
    async move {
        // The sender's end is the end too.
        let _ = ended.wait_for(|ended| *ended).await;
    }
}
