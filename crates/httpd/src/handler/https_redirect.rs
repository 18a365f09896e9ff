//! Requests that came to the wrong place: in clear, while this server speaks HTTPS.

use super::{After, Answer, Handler, Reply, Rest};
use crate::net::peer::Peer;
use crate::proto::https_url::https_url;
use crate::proto::request::{self, Parsed};
use crate::proto::response::{Persistence, Status};

/// Where a request came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlainHttp {
    /// At the port of `--redirect-http`; the port is that of https.
    OnRedirectPort(u16),
    /// At the port of https itself.
    OnTlsPort,
}

impl Handler {
    /// Answers the first request in `input` with the place where it belongs; `None` when it is not complete.
    pub fn answer_plain_http(
        &mut self,
        place: PlainHttp,
        input: &[u8],
        peer: Peer,
        out: &mut Vec<u8>,
    ) -> Option<Answer> {
        let head = match request::parse(input) {
            Ok(Parsed::Partial) => return None,
            Ok(Parsed::Complete(head, _)) => head,
            Err(rejection) => return Some(self.reject(rejection, input, peer, out)),
        };
        let begun = self.clock.woke();
        let peer = self.gate.proxies.client(peer, &head.fields);
        let (persistence, is_crowded) = (Persistence::Close, false);
        let mut reply = Reply { head: &head, persistence, peer, is_crowded, begun, user: None, out };
        match place {
            PlainHttp::OnRedirectPort(port) => match https_url(&head, Some(port)) {
                Some(url) => {
                    self.page(&mut reply, Status::PERMANENT_REDIRECT, "This is read over HTTPS.", &[("Location", url)])
                }
                None => self.error(&mut reply, Status::BAD_REQUEST, "The request names no host to go to over HTTPS."),
            },
            PlainHttp::OnTlsPort => self.say_where(&mut reply),
        };
        // Whatever else was sent is of no use, and the connection is not either.
        Some(Answer { taken: input.len(), rest: Rest::Nothing, after: After::Linger })
    }

    /// As text only, because the URL is the client's own.
    fn say_where(&mut self, reply: &mut Reply) -> Rest {
        let sentence = match https_url(reply.head, None) {
            Some(url) => format!("This port speaks HTTPS: {}", String::from_utf8_lossy(&url)),
            None => "This port speaks HTTPS.".to_owned(),
        };
        let length = self.write_page(Status::BAD_REQUEST, &sentence, &[], false, Persistence::Close, reply.out);
        let mut entry = reply.entry(Status::BAD_REQUEST);
        entry.bytes = length as u64;
        self.record(&entry);
        Rest::Nothing
    }
}
