//! The options of signatures.

use std::path::PathBuf;

use clap::{Args, ValueHint};

/// Signing with the key of a domain.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Signature (DKIM)")]
pub struct DkimArgs {
    /// Signing domain; requires the other two options
    #[arg(long, value_name = "DOMAIN", hide_short_help = true)]
    pub dkim_domain: Option<String>,
    /// Selector: the public key is published at SELECTOR._domainkey.DOMAIN
    #[arg(long, value_name = "SELECTOR", hide_short_help = true)]
    pub dkim_selector: Option<String>,
    /// File with the private key in PEM format (RSA or Ed25519), not readable by others
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, hide_short_help = true)]
    pub dkim_key: Option<PathBuf>,
}
