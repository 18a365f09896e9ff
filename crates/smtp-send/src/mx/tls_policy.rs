//! How the connection to an exchanger is protected: what the options say, else DANE (RFC 7672), else a policy of MTA-STS
//! (RFC 8461), else TLS without demands wherever it is offered (RFC 7435).

use common::{Error, Kind};

use crate::config::Route;
use crate::dns::{Addresses, LookupError, Resolver};
use crate::net::tls::{Check, TlsMode, Trust};
use crate::proto::dns::RecordType;
use crate::proto::mta_sts::{Mode, MtaStsPolicy};
use crate::proto::tlsa::Association;

/// What holds for one exchanger.
#[derive(Debug)]
pub(super) struct TlsPolicy {
    /// When to encrypt.
    pub(super) tls: TlsMode,
    /// Whom to trust.
    pub(super) trust: Trust,
    /// Whether the mail may go in clear when TLS does not work.
    pub(super) opportunistic: bool,
    /// For people.
    pub(super) why: &'static str,
}

/// What is known about a domain beforehand.
#[derive(Debug)]
pub(super) struct DomainPolicy {
    domain: String,
    policy: Option<MtaStsPolicy>,
}

impl DomainPolicy {
    /// The policy that holds for `domain`: the one with its name before the one for all.
    pub(super) fn new(domain: &str, policies: &[(Option<String>, MtaStsPolicy)]) -> Self {
        let of = |wanted: Option<&str>| policies.iter().find(|(name, _)| name.as_deref() == wanted);
        let policy = of(Some(domain)).or_else(|| of(None)).map(|(_, policy)| policy.clone());
        Self { domain: domain.to_owned(), policy }
    }

    /// The protection for `host`. `secure` holds its addresses when all that led to them is validated.
    ///
    /// # Errors
    /// The rules leave no way to this host.
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
                return Ok(TlsPolicy {
                    tls: TlsMode::Off,
                    trust,
                    opportunistic: false,
                    why: "no TLS, as was asked for",
                });
            }
            TlsMode::StartTls | TlsMode::Implicit => {
                return Ok(required(route.trust.clone(), "TLS with a checked certificate, as was asked for"));
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
            return Ok(required(checked, "TLS with a checked certificate, by the policy of the domain (MTA-STS)"));
        }
        if route.require_tls {
            return Ok(required(checked, "TLS with a checked certificate, for REQUIRETLS"));
        }
        let trust = Trust { check: Check::Never, ..checked };
        Ok(TlsPolicy {
            tls: TlsMode::Opportunistic,
            trust,
            opportunistic: true,
            why: "TLS if it is offered, with anybody",
        })
    }

    /// Records that nobody can use still say that there is TLS (RFC 7672, section 2.2).
    fn dane(&self, records: Vec<Association>, trust: &Trust) -> TlsPolicy {
        if records.is_empty() {
            let trust = Trust { check: Check::Never, ..trust.clone() };
            return required(trust, "TLS is a must by TLSA records, none of which says whom to trust");
        }
        let dane = Some((records, self.domain.clone()));
        let trust = Trust { check: Check::Always, dane, ..trust.clone() };
        required(trust, "TLS with the certificate that its TLSA records name (DANE)")
    }

    /// Whether a policy in force (RFC 8461, section 5) names this host.
    ///
    /// # Errors
    /// It names others only.
    fn is_enforced(&self, host: &str) -> Result<bool, Error> {
        match self.policy.as_ref().map(|policy| (policy.mode, policy.names(host))) {
            Some((Mode::Enforce, true)) => Ok(true),
            Some((Mode::Enforce, false)) => {
                let why = format!("the policy of {} (MTA-STS) does not name this exchanger", self.domain);
                Err(Error::new(Kind::Denied, "deliver to", host, why))
            }
            Some((Mode::Testing, false)) => {
                log::warn!("the policy of {} (MTA-STS, in testing) does not name its exchanger {host}", self.domain);
                Ok(false)
            }
            _ => Ok(false),
        }
    }
}

/// TLS, or nothing is sent.
fn required(trust: Trust, why: &'static str) -> TlsPolicy {
    TlsPolicy { tls: TlsMode::StartTls, trust, opportunistic: false, why }
}

/// What the TLSA records of a host say, those of the name behind its aliases first (RFC 7672, section 2.2.2). `None` when
/// there is no validated record.
///
/// # Errors
/// Nobody can say: then mail must wait, or somebody who keeps the answer back could read it (section 2.1.1).
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
