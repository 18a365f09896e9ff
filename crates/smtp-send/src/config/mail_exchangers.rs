//! The options for delivery to mail exchangers: name servers and MTA-STS policies.

use std::fs;
use std::time::SystemTime;

use anyhow::{Result, ensure};
use common::{Error, Kind};

use super::usage;
use crate::cli::{Cli, DirectArgs, Tls};
use crate::dns::{self, NameServers};
use crate::proto::address::Address;
use crate::proto::mta_sts::MtaStsPolicy;

/// Largest policy in bytes (RFC 8461, section 3.3).
const MAX_POLICY: u64 = 64 * 1024;

/// How mail exchangers are found and protected.
#[derive(Debug, Clone)]
pub struct MxSettings {
    /// The name servers that are asked for them.
    pub name_servers: NameServers,
    /// MTA-STS policies, each of a domain in lower case; without one, of every domain.
    pub policies: Vec<(Option<String>, MtaStsPolicy)>,
    /// Port of the exchangers.
    pub port: u16,
}

impl MxSettings {
    pub(super) fn new(cli: &Cli, port: u16) -> Result<Self> {
        let DirectArgs { dns_server, dns_trust_ad, mta_sts_policy } = &cli.direct;
        if !cli.output.dry_run {
            needs_no_server(cli)?;
        }
        let policies = mta_sts_policy.iter().map(|typed| policy(typed)).collect::<Result<Vec<_>>>()?;
        let off = cli.tls.tls == Some(Tls::Off);
        ensure!(policies.is_empty() || !off, usage("--mta-sts-policy", "cannot be combined with --tls off"));
        Ok(Self { name_servers: name_servers(dns_server, *dns_trust_ad)?, policies, port })
    }

    /// Refuses the options with a server, for which they have no meaning.
    pub(super) fn refuse_options(cli: &Cli) -> Result<()> {
        let DirectArgs { dns_server, dns_trust_ad, mta_sts_policy } = &cli.direct;
        for (given, option) in [
            (!dns_server.is_empty(), "--dns-server"),
            (*dns_trust_ad, "--dns-trust-ad"),
            (!mta_sts_policy.is_empty(), "--mta-sts-policy"),
        ] {
            ensure!(!given, usage(option, "cannot be combined with --server"));
        }
        Ok(())
    }
}

/// Options that require a server are refused.
fn needs_no_server(cli: &Cli) -> Result<()> {
    let logs_in = cli.login.user.is_some() || cli.login.auth.is_some();
    for (given, option) in [
        (logs_in, "--user"),
        (cli.smtp.lmtp, "--lmtp"),
        (cli.tls.tls == Some(Tls::Implicit), "--tls implicit"),
        (cli.tls.tls_server_name.is_some(), "--tls-server-name"),
        (cli.tls.tls_pin.is_some(), "--tls-pin"),
        (cli.bulk.connections.is_some_and(|number| number > 1), "--connections"),
        (cli.bulk.journal.is_some(), "--journal"),
    ] {
        ensure!(!given, usage(option, "requires --server HOST[:PORT]"));
    }
    Ok(())
}

fn name_servers(typed: &[String], trusted: bool) -> Result<NameServers> {
    if typed.is_empty() {
        return Ok(NameServers::of_system(trusted)
            .map_err(|error| Error::io("read", "/etc/resolv.conf", error).with_kind(Kind::Config))?);
    }
    let wrong = |typed: &str, error| Error::value("--dns-server", typed, error);
    let list = typed.iter().map(|one| dns::parse(one).map_err(|error| wrong(one, error)));
    Ok(NameServers::given(list.collect::<Result<Vec<_>, _>>()?, trusted))
}

/// Reads a policy, and the domain that it is for.
fn policy(typed: &str) -> Result<(Option<String>, MtaStsPolicy)> {
    // A file name with '=' can be written with './' in front.
    let (domain, file) = match typed.split_once('=') {
        Some((domain, file)) if !domain.contains('/') => (Some(domain), file),
        _ => (None, typed),
    };
    let domain = domain.map(|domain| {
        let wrong = || Error::value("--mta-sts-policy", domain, "not a domain; write DOMAIN=FILE");
        // In the form of recipient domains.
        let address = Address::parse(&format!("x@{domain}")).map_err(|_| wrong())?;
        Ok::<_, Error>(address.domain().to_ascii_lowercase())
    });
    let unreadable = |error| Error::io("--mta-sts-policy", file, error).with_kind(Kind::NoInput);
    let facts = fs::metadata(file).map_err(unreadable)?;
    let wrong = |why: String| Error::new(Kind::Config, "--mta-sts-policy", file, why);
    ensure!(facts.is_file() && facts.len() <= MAX_POLICY, wrong("not a policy file".into()));
    let text = fs::read(file).map_err(unreadable)?;
    let policy = MtaStsPolicy::parse(&String::from_utf8_lossy(&text)).map_err(|error| wrong(error.to_string()))?;
    let age = facts.modified().ok().and_then(|time| SystemTime::now().duration_since(time).ok()).unwrap_or_default();
    let days = policy.max_age.as_secs_f64() / 86400.0;
    let stale = || wrong(format!("older than the {days:.1} days of its max_age; download it again"));
    ensure!(age <= policy.max_age, stale());
    Ok((domain.transpose()?, policy))
}
