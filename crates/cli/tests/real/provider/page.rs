//! The page on vendors is made from the notes. `INSTA_UPDATE=always` writes it anew.

use gatepass_client::providers::{self, Provider};
use std::{fmt::Write, fs};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/providers.md");
const BEGIN: &str = "<!-- made from crates/client/src/providers.toml -->\n";
const END: &str = "<!-- end -->\n";

fn section(provider: &Provider) -> String {
    let mut text = format!("### {}\n\n", provider.name);
    let code = |items: &[String]| items.iter().map(|item| format!("`{item}`")).collect::<Vec<_>>().join(", ");
    let mut rows = vec![("`--provider`", format!("`{}`", provider.id))];
    if !provider.issuers.is_empty() {
        rows.push(("issuers", code(&provider.issuers)));
    }
    rows.push(("scopes, when none are named", format!("`{}`", provider.scope)));
    if !provider.authorize.is_empty() {
        let pairs: Vec<String> = provider.authorize.iter().map(|(name, value)| format!("{name}={value}")).collect();
        rows.push(("sent besides", code(&pairs)));
    }
    if let Some(uri) = &provider.redirect_uri {
        rows.push(("redirect URI", format!("`{uri}`")));
    }
    if !provider.needs_secret.is_empty() {
        let grants: Vec<String> = provider.needs_secret.iter().map(ToString::to_string).collect();
        rows.push(("needs a client secret", code(&grants)));
    }
    text.push_str("| | |\n|---|---|\n");
    for (name, value) in rows {
        writeln!(text, "| {name} | {value} |").unwrap();
    }
    writeln!(text, "\nA client: {}.\n", provider.client_hint).unwrap();
    for note in provider.issuer_hint.iter().chain(&provider.notes) {
        writeln!(text, "- {note}").unwrap();
    }
    let sources: Vec<String> = provider.sources.iter().map(|url| format!("<{url}>")).collect();
    writeln!(text, "\nDocumented at {}.\n", sources.join(", ")).unwrap();
    text
}

#[test]
fn the_page_on_vendors_says_what_the_notes_say() {
    let page = fs::read_to_string(PAGE).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let sections: String = providers::all().iter().map(section).collect();
    let fresh = format!("{before}{BEGIN}\n{sections}{END}{after}");
    if page != fresh && std::env::var("INSTA_UPDATE").is_ok_and(|value| value == "always") {
        fs::write(PAGE, &fresh).unwrap();
    } else {
        assert!(page == fresh, "docs/providers.md is stale; run this test with INSTA_UPDATE=always");
    }
}
