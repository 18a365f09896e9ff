//! The options of signatures.

use std::path::PathBuf;

use clap::Args;

/// Signing in the name of a domain.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Signature (DKIM)")]
pub struct DkimArgs {
    /// Domain to sign for; all three options belong together
    #[arg(long, value_name = "DOMAIN")]
    pub dkim_domain: Option<String>,
    /// Name of the key: its public half is published at SELECTOR._domainkey.DOMAIN
    #[arg(long, value_name = "SELECTOR")]
    pub dkim_selector: Option<String>,
    /// File with the private key in PEM form, RSA or Ed25519; not for everybody to read
    #[arg(long, value_name = "FILE")]
    pub dkim_key: Option<PathBuf>,
}
