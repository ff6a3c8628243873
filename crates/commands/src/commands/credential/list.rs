//! `gatepass credential list`: which tool gets whose token for what.

use super::{Holder, installed};
use crate::{context::Context, error::Error};
use gatepass_client::{AccountId, SignIns, oauth::Issuer};
use serde_json::json;

/// One thing that was installed.
struct Row<'a> {
    tool: &'static str,
    what: String,
    holder: Holder<'a>,
    place: String,
}

pub(super) fn run(context: &Context<'_>) -> Result<(), Error> {
    let (all, sign_ins) = (installed(context)?, context.sign_ins()?);
    let row = |tool, what: &str, (account, server): (&'_ AccountId, &'_ Issuer), place: String| {
        (tool, what.to_owned(), account.clone(), server.clone(), place)
    };
    let git =
        all.git.iter().map(|e| row("git", e.site.as_str(), (&e.account, &e.server), "git config --global".into()));
    let docker =
        all.docker.iter().map(|e| row("docker", &e.registry, (&e.account, &e.server), e.config.display().to_string()));
    let kubectl = all.kubectl.iter().map(|e| {
        let clusters: Vec<&str> = e.clusters.iter().map(|cluster| cluster.as_str()).collect();
        let what = format!("{} at {}", e.user, clusters.join(", "));
        row(
            "kubectl",
            &what,
            (&e.account, &e.server),
            e.kubeconfig.clone().unwrap_or_else(|| "the usual kubeconfig".into()),
        )
    });
    let aws = all.aws.iter().map(|e| {
        let what = format!("{} as {}", e.profile, e.role_arn);
        row("aws", &what, (&e.account, &e.server), e.config.display().to_string())
    });
    for (tool, what, account, server, place) in git.chain(docker).chain(kubectl).chain(aws) {
        let holder = Holder { account: &account, server: &server };
        show(context, &sign_ins, &Row { tool, what, holder, place })?;
    }
    if all.is_empty() {
        context.ui.talk("No tool gets tokens from here.");
    }
    Ok(())
}

fn show(context: &Context<'_>, sign_ins: &SignIns, row: &Row<'_>) -> Result<(), Error> {
    let Row { tool, what, holder, place } = row;
    let known = holder.known(sign_ins)?;
    if context.ui.is_json() {
        context.ui.object(&json!({
            "tool": tool, "what": what, "account": holder.account, "server": holder.server, "place": place,
            "signed_in": known.is_some(),
        }));
        return Ok(());
    }
    let whose = known.map_or_else(
        || format!("account {} at {}, which is not signed in", holder.account, holder.server),
        |account| account.to_string(),
    );
    context.ui.data(&format!("{tool:7}  {what}"));
    context.ui.data(&format!("         {whose}"));
    context.ui.data(&format!("         in {place}"));
    Ok(())
}
