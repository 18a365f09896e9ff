//! How the connection to an exchanger is protected: by the options, else by DANE (RFC 7672), else by an MTA-STS
//! policy (RFC 8461), else by opportunistic TLS (RFC 7435).

use common::{Error, Kind};

use crate::config::Route;
use crate::dns::{Addresses, LookupError, Resolver};
use crate::net::tls::{Check, TlsMode, Trust};
use crate::proto::dns::RecordType;
use crate::proto::mta_sts::{Mode, MtaStsPolicy};
use crate::proto::tlsa::Association;

#[derive(Debug)]
pub(super) struct TlsPolicy {
    pub(super) tls: TlsMode,
    pub(super) trust: Trust,
    /// Whether the message may be sent in clear if TLS fails.
    pub(super) opportunistic: bool,
    pub(super) why: &'static str,
}

/// The MTA-STS policy of a domain, if it has one.
#[derive(Debug)]
pub(super) struct DomainPolicy {
    domain: String,
    policy: Option<MtaStsPolicy>,
}

impl DomainPolicy {
    /// Selects the policy named for `domain`, else the one for every domain.
    pub(super) fn new(domain: &str, policies: &[(Option<String>, MtaStsPolicy)]) -> Self {
        let of = |wanted: Option<&str>| policies.iter().find(|(name, _)| name.as_deref() == wanted);
        let policy = of(Some(domain)).or_else(|| of(None)).map(|(_, policy)| policy.clone());
        Self { domain: domain.to_owned(), policy }
    }

    /// The TLS policy for `host`. `secure` holds its addresses if all records that led to them are validated.
    ///
    /// # Errors
    /// The policies exclude this host.
    pub(super) fn for_host(
        &self,
        host: &str,
        secure: Option<&Addresses>,
        port: u16,
        route: &Route,
        resolver: &Resolver,
    ) -> Result<TlsPolicy, Error> {
        match route.tls {
            TlsMode::Off => {
                let trust = route.trust.clone();
                return Ok(TlsPolicy { tls: TlsMode::Off, trust, opportunistic: false, why: "no TLS (--tls off)" });
            }
            TlsMode::StartTls | TlsMode::Implicit => {
                return Ok(required(route.trust.clone(), "TLS with a checked certificate (--tls starttls)"));
            }
            TlsMode::Opportunistic => {}
        }
        if let Some(addresses) = secure
            && let Some(records) = associations(addresses, host, port, resolver)?
        {
            return Ok(self.dane(records, &route.trust));
        }
        let checked = Trust { check: Check::Always, ..route.trust.clone() };
        if self.is_enforced(host)? {
            return Ok(required(checked, "TLS with a checked certificate, required by the MTA-STS policy"));
        }
        if route.require_tls {
            return Ok(required(checked, "TLS with a checked certificate, for REQUIRETLS"));
        }
        if route.demands_tls {
            return Ok(required(route.trust.clone(), "TLS, because an option about certificates or keys is given"));
        }
        let trust = Trust { check: Check::Never, ..checked };
        Ok(TlsPolicy {
            tls: TlsMode::Opportunistic,
            trust,
            opportunistic: true,
            why: "TLS if it is offered, certificate not checked",
        })
    }

    /// TLSA records that are not usable still require TLS (RFC 7672, section 2.2).
    fn dane(&self, records: Vec<Association>, trust: &Trust) -> TlsPolicy {
        if records.is_empty() {
            let trust = Trust { check: Check::Never, ..trust.clone() };
            return required(trust, "TLS required by TLSA records, none of which is usable");
        }
        let dane = Some((records, self.domain.clone()));
        let trust = Trust { check: Check::Always, dane, ..trust.clone() };
        required(trust, "TLS with a certificate that matches the TLSA records (DANE)")
    }

    /// Whether an enforced policy (RFC 8461, section 5) lists this host.
    ///
    /// # Errors
    /// It lists other hosts only.
    fn is_enforced(&self, host: &str) -> Result<bool, Error> {
        match self.policy.as_ref().map(|policy| (policy.mode, policy.names(host))) {
            Some((Mode::Enforce, true)) => Ok(true),
            Some((Mode::Enforce, false)) => {
                let why = format!("the MTA-STS policy of {} does not list this exchanger", self.domain);
                Err(Error::new(Kind::Denied, "deliver to", host, why))
            }
            Some((Mode::Testing, false)) => {
                log::warn!("the MTA-STS policy of {} (testing) does not list its exchanger {host}", self.domain);
                Ok(false)
            }
            _ => Ok(false),
        }
    }
}

/// TLS is mandatory.
fn required(trust: Trust, why: &'static str) -> TlsPolicy {
    TlsPolicy { tls: TlsMode::StartTls, trust, opportunistic: false, why }
}

/// The TLSA records of a host, those of its canonical name first (RFC 7672, section 2.2.2). `None` without a
/// validated record.
///
/// # Errors
/// The look-up failed: mail must wait, or an attacker who suppresses the answer could read it (section 2.1.1).
fn associations(
    addresses: &Addresses,
    host: &str,
    port: u16,
    resolver: &Resolver,
) -> Result<Option<Vec<Association>>, Error> {
    let mut names = vec![addresses.name.as_str()];
    if addresses.name != host {
        names.push(host);
    }
    for name in names {
        let name = format!("_{port}._tcp.{name}");
        match resolver.look_up(&name, RecordType::Tlsa) {
            Ok(answer) if answer.authentic && !(answer.records.is_empty() && answer.unusable == 0) => {
                return Ok(Some(answer.records.iter().filter_map(Association::of).collect()));
            }
            Ok(_) | Err(LookupError::NoSuchName { .. }) => {}
            Err(error) => return Err(error.into_error(&name)),
        }
    }
    Ok(None)
}
