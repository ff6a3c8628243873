//! What these tests stand on: places with their servers, terminals with their homes, a person.

mod person;
mod place;
mod program;
mod proxy;
mod server;
mod terminal;
mod upstream;
mod wire;

pub(crate) use person::Person;
pub(crate) use place::Place;
pub(crate) use program::{Program, Said, files, gatepass, run, run_with};
pub(crate) use proxy::{Proxy, next, send};
pub(crate) use server::{Server, command_line};
pub(crate) use terminal::{Terminal, event};
pub(crate) use upstream::Upstream;
pub(crate) use wire::{DEVICE_GRANT, half_a_request, send_and_leave};
