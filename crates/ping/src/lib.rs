//! ping: sends ICMP echo requests and reports the reply to each, in the text of iputils.
//!
//! - [`cli`]: options; [`config`]: their meaning, with every check; [`exit_code`], [`family`]
//! - [`proto`], [`rtt`], [`probe_state`], [`stats`]: packets, round-trip times, states, statistics, without I/O
//! - [`single`]: one target, the interface of iputils; [`multi`]: many targets
//! - `socket`: ICMP sockets and their options; `resolve`: names; `privilege`: rights dropped before the first packet
//! - `clock`, `signals`, `output`, `json`: clocks, signals, standard output, JSON records

pub mod cli;
mod clock;
pub mod config;
pub mod exit_code;
pub mod family;
mod json;
pub mod multi;
mod output;
mod privilege;
pub mod probe_state;
pub mod proto;
mod resolve;
pub mod rtt;
mod signals;
pub mod single;
mod socket;
pub mod stats;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use crate::config::Config;
use crate::config::multi::{MultiConfig, is_multi};
use crate::family::Family;

/// Runs ping with these arguments; the first is the name it was called by (`ping4` and `ping6` choose a family).
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    common::exit::run("ping", exit_code::of, || {
        let arguments: Vec<OsString> = arguments.into_iter().collect();
        let called = arguments.first().and_then(|name| Path::new(name).file_name()?.to_str());
        let called_as = Family::of_program(called.unwrap_or_default());
        let cli = cli::Cli::try_parse_from(&arguments)?;
        if is_multi(&cli) {
            return Ok(multi::run(&MultiConfig::new(cli, called_as)?)?);
        }
        Ok(single::run(Config::new(cli, called_as)?)?)
    })
}
