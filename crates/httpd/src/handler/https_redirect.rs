//! Responses to requests in clear that belong on HTTPS.

use super::exchange::Exchange;
use super::response_body::Reply;
use crate::proto::https_url::https_url;
use crate::proto::response::Status;

/// A port that received a request in clear instead of HTTPS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlainHttp {
    /// The port of `--redirect-http`; the number is the HTTPS port.
    OnRedirectPort(u16),
    /// The HTTPS port.
    OnTlsPort,
}

/// Redirects a request on the redirect port; names the https URL in an error on the HTTPS port.
pub(super) fn respond(exchange: &mut Exchange, port: PlainHttp) -> Reply {
    match port {
        PlainHttp::OnRedirectPort(port) => match https_url(exchange.head, Some(port)) {
            Some(url) => {
                let sentence = "This site is available over HTTPS only.";
                exchange.page(Status::PERMANENT_REDIRECT, sentence, &[("Location", url)])
            }
            None => exchange.error(Status::BAD_REQUEST, "The request names no host for the HTTPS address."),
        },
        PlainHttp::OnTlsPort => {
            let sentence = match https_url(exchange.head, None) {
                Some(url) => format!("This port speaks HTTPS: {}", String::from_utf8_lossy(&url)),
                None => "This port speaks HTTPS.".to_owned(),
            };
            exchange.text_page(Status::BAD_REQUEST, &sentence)
        }
    }
}
