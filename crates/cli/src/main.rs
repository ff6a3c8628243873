//! `gatepass`: the server, and the command line that signs in anywhere. What it can do is `gatepass-commands`; that is a
//! crate of its own because it is compiled for size, and what a program's own crate is compiled for holds for the link of
//! all of them.

use std::process::ExitCode;

/// A request makes many small allocations; docs/dependencies.md has what this one gained.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    gatepass_commands::main()
}
