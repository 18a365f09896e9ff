//! Responses to requests in clear that belong on HTTPS.

use super::Handler;
use super::exchange::Exchange;
use super::response_body::Reply;
use crate::net::peer::Peer;
use crate::proto::https_url::https_url;
use crate::proto::request::Head;
use crate::proto::response::{Response, Status};

/// A port that received a request in clear instead of HTTPS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlainHttp {
    /// The port of `--redirect-http`; the number is the HTTPS port.
    OnRedirectPort(u16),
    /// The HTTPS port.
    OnTlsPort,
}

impl Handler {
    /// Redirects a request to HTTPS, or names the https URL if the client must know TLS is expected.
    pub fn redirect_to_https(&mut self, port: PlainHttp, head: &Head, peer: Peer, response: &mut Response) -> Reply {
        let client = self.access.proxies.client(peer, &head.fields);
        let mut exchange = Exchange::new(head, client, response, &self.site, &self.clock, &mut self.recorder);
        match port {
            PlainHttp::OnRedirectPort(port) => match https_url(head, Some(port)) {
                Some(url) => {
                    let sentence = "This site is available over HTTPS only.";
                    exchange.page(Status::PERMANENT_REDIRECT, sentence, &[("Location", url)])
                }
                None => exchange.error(Status::BAD_REQUEST, "The request names no host for the HTTPS address."),
            },
            PlainHttp::OnTlsPort => {
                let sentence = match https_url(head, None) {
                    Some(url) => format!("This port speaks HTTPS: {}", String::from_utf8_lossy(&url)),
                    None => "This port speaks HTTPS.".to_owned(),
                };
                exchange.text_page(Status::BAD_REQUEST, &sentence)
            }
        }
    }
}
