//! What a user can say.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::adapter::Adapter;
use crate::forward::Medium;
use crate::peers::ours::Binary;

/// Measure relays side by side on this machine.
#[derive(Clone, Debug, Parser)]
pub struct Options {
    /// Only the rows whose name contains this; can be given several times
    #[arg(long, value_name = "NAME")]
    pub only: Vec<String>,
    /// Only the relays whose name contains this; can be given several times
    #[arg(long, value_name = "NAME")]
    pub relays: Vec<String>,
    /// Print the names of rows and relays, and end
    #[arg(long)]
    pub list: bool,
    /// One short run of each instead of several: for trying out, not for comparing
    #[arg(long)]
    pub quick: bool,
    /// How long each run lasts, in milliseconds [default: 500, or 300 with --quick]; longer ones are for profiling
    #[arg(long, value_name = "MILLISECONDS")]
    pub span: Option<u64>,
    /// Write everything that was measured to this file [default: bench.json in the folder]
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Draw how cost grows with the number of flows to this file [default: bench.svg in the folder]
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// A relay of ours, as NAME=PATH of its binary; can be given several times
    #[arg(long, value_name = "NAME=PATH")]
    pub ours: Vec<Binary>,
    /// Where everything goes that does not outlive the run
    #[arg(long, value_name = "FOLDER", default_value = "target/bench")]
    pub folder: PathBuf,
    /// The folder of this crate, with the configurations of the peers
    #[arg(long, value_name = "FOLDER", default_value = "bench")]
    pub source: PathBuf,
    /// What this program is when it starts itself.
    #[command(subcommand)]
    pub part: Option<Part>,
}

/// What this program is when it starts itself.
#[derive(Clone, Debug, Subcommand)]
pub enum Part {
    /// Our relay on one adapter.
    #[command(hide = true)]
    Adapter(Adapter),
    /// The limit.
    #[command(hide = true)]
    Forward {
        /// What streams go through.
        medium: Medium,
        /// Where it listens.
        listen: SocketAddr,
        /// Where streams go.
        streams: SocketAddr,
        /// Where datagrams go.
        datagrams: SocketAddr,
    },
    /// One of the machines alone.
    #[command(hide = true)]
    Machine {
        /// The case.
        name: String,
        /// How many units of work.
        units: u32,
    },
}
