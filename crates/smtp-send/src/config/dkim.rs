//! The options of DKIM signatures.

use common::Error;

use crate::cli::DkimArgs;
use crate::message::dkim_signer::Signer;
use crate::proto::address::{Address, is_domain};

/// Reads the key; `None` without the options.
///
/// # Errors
/// A name that is invalid in DNS, or a file without a key or readable by others.
pub fn signer(args: &DkimArgs) -> Result<Option<Signer>, Error> {
    let (domain, selector, file) = match args {
        DkimArgs { dkim_domain: Some(domain), dkim_selector: Some(selector), dkim_key: Some(file) } => {
            (domain, selector, file)
        }
        DkimArgs { dkim_domain: None, dkim_selector: None, dkim_key: None } => return Ok(None),
        _ => {
            let why = "--dkim-domain, --dkim-selector and --dkim-key must be given together";
            return Err(Error::usage("incomplete options of the signature", why));
        }
    };
    // An internationalised domain is written in A-labels (RFC 8616, section 4).
    let address = Address::parse(&format!("x@{domain}")).ok().filter(|address| !address.domain().starts_with('['));
    let wrong = |option, typed: &str| Error::value(option, typed, "not a valid name in DNS");
    let domain = address.ok_or_else(|| wrong("--dkim-domain", domain))?.domain().to_ascii_lowercase();
    if !is_domain(selector) || selector.starts_with('[') {
        return Err(wrong("--dkim-selector", selector));
    }
    let signer = Signer::read(&domain, selector, file)?;
    let (name, record) = signer.record();
    log::info!("DNS record of the key: {name} TXT \"{record}\"");
    Ok(Some(signer))
}
