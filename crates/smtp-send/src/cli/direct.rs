//! The options for delivery without a server of one's own.

use clap::Args;

/// Delivery to the recipients' own servers.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Without --server")]
pub struct DirectArgs {
    /// Name server to ask for the recipients' servers; repeatable, or several with commas between them
    /// [default: those of /etc/resolv.conf]
    #[arg(long, value_name = "IP[:PORT]", value_delimiter = ',')]
    pub dns_server: Vec<String>,
    /// Believe the name servers when they say that an answer is validated (DNSSEC), as those on this machine are believed;
    /// certificates named in DNS (DANE) then count
    #[arg(long)]
    pub dns_trust_ad: bool,
    /// Policy of MTA-STS that holds for a domain, as it was fetched from there; repeatable [default domain: each]
    #[arg(long, value_name = "[DOMAIN=]FILE")]
    pub mta_sts_policy: Vec<String>,
}
