//! The options for delivery without `--server`.

use clap::{Args, ValueHint};

/// Delivery to the mail exchangers of the recipients' domains.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Without --server")]
pub struct DirectArgs {
    /// Name server for MX, address and TLSA records; repeatable, or separated by commas [default: those of
    /// /etc/resolv.conf]
    #[arg(long, value_name = "IP[:PORT]", value_hint = ValueHint::Hostname, value_delimiter = ',', hide_short_help = true)]
    pub dns_server: Vec<String>,
    /// Trust the AD bit of the name servers (DNSSEC), as that of local ones is trusted, and use TLSA records (DANE)
    #[arg(long, hide_short_help = true)]
    pub dns_trust_ad: bool,
    /// MTA-STS policy file of a domain; repeatable [default domain: every domain]
    #[arg(long, value_name = "[DOMAIN=]FILE", hide_short_help = true)]
    pub mta_sts_policy: Vec<String>,
}
