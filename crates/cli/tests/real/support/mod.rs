//! What these tests stand on: places with their servers, terminals with their homes, a person.

mod agent;
mod dice;
mod faults;
mod person;
mod place;
mod preload;
mod program;
mod proxy;
mod server;
mod site;
mod terminal;
mod tmux;
mod tools;
mod upstream;
mod wire;

pub(crate) use agent::Agent;
pub(crate) use dice::Dice;
pub(crate) use faults::Faults;
pub(crate) use person::Person;
pub(crate) use place::{Place, lasting_port};
pub(crate) use preload::{Preload, Weather};
pub(crate) use program::{Program, Said, files, gatepass, run, run_with};
pub(crate) use proxy::{Proxy, next, send};
pub(crate) use server::{Server, command_line};
pub(crate) use site::{Asked, Site, Told};
pub(crate) use terminal::{Terminal, event};
pub(crate) use tmux::Tmux;
pub(crate) use tools::{accepts, run_from, tool_is_here, tree};
pub(crate) use upstream::Upstream;
pub(crate) use wire::{DEVICE_GRANT, half_a_request, send_and_leave};
