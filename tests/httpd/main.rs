//! The behaviour of the real `httpd` over real sockets.
//!
//! - `fixture`: a site in a temporary folder and a server for it
//! - `serving`: files, folders, types, errors, HEAD, OPTIONS, compressed files, several clients
//! - `protocol`: request line, fields, framing, persistence, byte by byte
//! - `conditions`: entity tags, dates, ranges
//! - `addresses`: addresses and ports, one file instead of a folder
//! - `archive`: a folder as one tar archive
//! - `compression`: text compressed by the server
//! - `faults`: full and read-only disks, SIGKILL under load, ten thousand connections
//! - `limits`: hundreds of attackers, no free descriptors, large listings
//! - `live`: pages that reload, a browser that is opened
//! - `listing`: the HTML and JSON listing of a folder
//! - `freshness`: files that change, grow, shrink and disappear while they are served
//! - `rate`: the rate limit of a connection
//! - `root`: nothing outside, links, dot-files, odd names, FIFOs
//! - `routing`: which file answers a URL
//! - `running`: start, bad input, log, signals, limits
//! - `sockets`: unix sockets, inherited sockets
//! - `proxies`: the client as reported by trusted proxies
//! - `tls`: HTTPS, certificates, clients without TLS
//! - `logging`: the content of the access log, and where it is written
//! - `login`: access, the cost of guesses, sources of passwords
//! - `types`: content types, files that are stored compressed
//! - `watching`: health, draining, metrics, the JSON log
//! - `dist`: man page and completions match the options
//! - `www`: the statements of the quick-start site are true

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
