//! What `httpd` does, shown on the real binary over real sockets.
//!
//! - `fixture`: a site in a temporary folder and a server for it
//! - `serving`: files, folders, types, errors, HEAD, OPTIONS, compressed files, several clients
//! - `protocol`: request line, fields, framing, persistence, byte by byte
//! - `conditions`: entity tags, dates, ranges
//! - `addresses`: addresses and ports, one file instead of a folder
//! - `archive`: a folder as one tar archive
//! - `compression`: text compressed on the way out
//! - `faults`: full and read-only disks, a kill in the middle, ten thousand connections
//! - `limits`: attackers by the hundred, no descriptors left, large listings
//! - `live`: pages that follow their files, a browser that is opened
//! - `listing`: the page and the JSON for a folder
//! - `freshness`: files that change, grow, shrink and vanish while they are served
//! - `rate`: a limit to what a connection is sent
//! - `root`: nothing outside, links, dot-files, odd names, FIFOs
//! - `routing`: which file answers a URL
//! - `running`: start, bad input, log, signals, limits
//! - `sockets`: unix sockets, sockets that were open at the start
//! - `proxies`: whose word about a client counts
//! - `tls`: HTTPS, certificates, those who speak something else
//! - `logging`: what the access log says, and where it goes
//! - `login`: who is let in, what guessing costs, where passwords come from
//! - `types`: content types, files that are stored compressed
//! - `watching`: health, draining, metrics, the log for machines
//! - `dist`: the man page and the completions are those of the options
//! - `www`: the site of the quick start says nothing false about itself

mod addresses;
mod archive;
mod compression;
mod conditions;
mod dist;
mod faults;
mod fixture;
mod freshness;
mod limits;
mod listing;
mod live;
mod logging;
mod login;
mod protocol;
mod proxies;
mod rate;
mod root;
mod routing;
mod running;
mod serving;
mod sockets;
mod tls;
mod types;
mod watching;
mod www;
