//! A existing message in a form that its server takes: parts with bytes over 127, NUL or lines over 998 bytes get another
//! transfer encoding (RFC 2045, section 6; RFC 6152, section 3), everything else stays as it is.
//!
//! The message is gone through twice: once to learn what each part needs, once to write. A signature over a changed part
//! does not hold any more; mail that cannot be read is worse, so the part is changed all the same, with a warning.

use super::encode::{Base64Lines, Encoder, MendedQuotedPrintable};
use super::mime_walk::{Entity, Kind, Visitor};
use super::scan::{TextProfile, TextScanner};
use super::text::Encoding;
use crate::proto::command::BodyForm;
use crate::proto::header::Header;
use crate::proto::mime::Transfer;

/// Longer lines of a preamble are broken at this length.
const PROSE_LINE: usize = 900;
/// More parts are no mail.
const MAX_PARTS: usize = 100_000;

/// What is done to a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    /// Nothing.
    Keep,
    /// Text is encoded, its line ends made canonical.
    Text(Encoding),
    /// Bytes are encoded in base64 as they are.
    Binary,
    /// Base64 in lines that are too long is broken into shorter ones.
    Rewrap,
    /// Quoted-printable with bytes that must not be in it gets those encoded.
    Mend,
}

/// What each part of a message needs, in their order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct EncodingPlan {
    /// With bytes over 127 and without.
    changes: Vec<[Change; 2]>,
    /// The charset for a text that has no Content-Type.
    charset: Option<&'static str>,
    /// Whether anything has to be changed at all, with bytes over 127 and without.
    changed: [bool; 2],
    /// Whether the header of a part holds bytes over 127.
    pub(super) high_header: bool,
    /// Whether there is a signature that does not survive, with bytes over 127 and without.
    breaks_signature: [bool; 2],
    /// Whether there are more parts than can be.
    pub(super) endless: bool,
}

impl EncodingPlan {
    /// Whether anything has to be changed for this form.
    pub(super) fn is_needed(&self, form: BodyForm) -> bool {
        self.changed[form_index(form)]
    }

    /// Whether a signature does not survive this form.
    pub(super) fn breaks_signature(&self, form: BodyForm) -> bool {
        self.breaks_signature[form_index(form)]
    }
}

/// The index of a form in pairs: 8-bit first.
fn form_index(form: BodyForm) -> usize {
    usize::from(form == BodyForm::SevenBit)
}

fn change(entity: &Entity, facts: &TextProfile, form: BodyForm) -> Change {
    let fits = facts.has_short_lines() && (form != BodyForm::SevenBit || !facts.high);
    let clean = facts.has_short_lines() && !facts.high;
    match entity.transfer {
        Transfer::Binary if !entity.text => Change::Binary,
        Transfer::SevenBit | Transfer::EightBit if fits => Change::Keep,
        Transfer::SevenBit | Transfer::EightBit | Transfer::Binary if entity.text && !facts.prefers_base64() => {
            Change::Text(Encoding::QuotedPrintable)
        }
        Transfer::SevenBit | Transfer::EightBit | Transfer::Binary => Change::Text(Encoding::Base64),
        Transfer::Base64 if !clean => Change::Rewrap,
        Transfer::QuotedPrintable if !clean => Change::Mend,
        Transfer::Base64 | Transfer::QuotedPrintable | Transfer::Unknown => Change::Keep,
    }
}

/// The first visit: makes the plan.
#[derive(Debug, Default)]
pub(super) struct EncodingPlanner {
    plan: EncodingPlan,
    entity: Option<Entity>,
    scan: TextScanner,
    preamble: TextScanner,
    heads: usize,
    dkim: bool,
}

impl EncodingPlanner {
    /// What was learned.
    pub(super) fn finish(mut self) -> EncodingPlan {
        let preamble = self.preamble.finish();
        let short = preamble.has_short_lines();
        let plan = &mut self.plan;
        plan.changed = [0, 1].map(|form| plan.changes.iter().any(|changes| changes[form] != Change::Keep));
        plan.changed = [plan.changed[0] || !short, plan.changed[1] || !short || preamble.high];
        for (broken, changed) in plan.breaks_signature.iter_mut().zip(plan.changed) {
            *broken |= self.dkim && changed;
        }
        self.plan
    }
}

impl Visitor for EncodingPlanner {
    fn head(&mut self, entity: &Entity, header: &Header<'_>, raw: &[u8]) {
        if self.heads == 0 {
            self.dkim = header.fields.iter().any(|field| field.is("DKIM-Signature"));
        } else {
            self.plan.high_header |= !raw.is_ascii();
        }
        self.heads += 1;
        self.entity = Some(entity.clone());
    }

    fn leaf(&mut self, bytes: &[u8]) {
        self.scan.push(bytes);
    }

    fn end_leaf(&mut self) {
        let facts = std::mem::take(&mut self.scan).finish();
        let Some(entity) = self.entity.take() else { return };
        if self.plan.changes.len() == MAX_PARTS {
            self.plan.endless = true;
            return;
        }
        let changes = [change(&entity, &facts, BodyForm::EightBit), change(&entity, &facts, BodyForm::SevenBit)];
        for (broken, change) in self.plan.breaks_signature.iter_mut().zip(changes) {
            *broken |= entity.signed && change != Change::Keep;
        }
        if !entity.typed && facts.high {
            let utf8 = facts.utf8 && self.plan.charset.is_none_or(|charset| charset == "utf-8");
            self.plan.charset = Some(if utf8 { "utf-8" } else { "unknown-8bit" });
        }
        self.plan.changes.push(changes);
    }

    fn boundary(&mut self, _: &[u8]) {}

    fn preamble(&mut self, bytes: &[u8]) {
        self.preamble.push(bytes);
    }
}

/// The second pass: writes the re-encoded message.
#[derive(Debug)]
pub(super) struct Recoder<'a> {
    plan: &'a EncodingPlan,
    form: BodyForm,
    /// Parts so far.
    leaves: usize,
    writer: Writer,
    column: usize,
    /// What was written and not taken yet.
    pub(super) out: Vec<u8>,
}

#[derive(Debug)]
enum Writer {
    Identity,
    Encoder(Encoder),
    Rewrap(Base64Lines),
    Mend(MendedQuotedPrintable),
}

impl<'a> Recoder<'a> {
    pub(super) fn new(plan: &'a EncodingPlan, form: BodyForm) -> Self {
        Self { plan, form, leaves: 0, writer: Writer::Identity, column: 0, out: Vec::new() }
    }

    /// The transfer encoding to declare, when it is another one than before.
    fn label(&self, entity: &Entity, change: Change) -> Option<&'static str> {
        let own = if self.form == BodyForm::SevenBit { "7bit" } else { "8bit" };
        match (entity.kind, change, entity.transfer) {
            (Kind::Leaf, Change::Text(encoding), _) => Some(encoding.name()),
            (Kind::Leaf, Change::Binary, _) => Some("base64"),
            (_, _, Transfer::Binary) => Some(own),
            (_, Change::Keep, Transfer::EightBit) if self.form == BodyForm::SevenBit => Some(own),
            _ => None,
        }
    }
}

impl Visitor for Recoder<'_> {
    fn head(&mut self, entity: &Entity, header: &Header<'_>, raw: &[u8]) {
        let changes = self.plan.changes.get(self.leaves).filter(|_| entity.kind == Kind::Leaf);
        let change = changes.map_or(Change::Keep, |changes| changes[form_index(self.form)]);
        self.writer = match change {
            Change::Keep => Writer::Identity,
            Change::Text(encoding) => Writer::Encoder(Encoder::new(encoding)),
            Change::Binary => Writer::Encoder(Encoder::binary()),
            Change::Rewrap => Writer::Rewrap(Base64Lines::default()),
            Change::Mend => Writer::Mend(MendedQuotedPrintable::default()),
        };
        let Some(label) = self.label(entity, change) else {
            self.out.extend_from_slice(raw);
            return;
        };
        for field in header.fields.iter().filter(|field| !field.is("Content-Transfer-Encoding")) {
            self.out.extend_from_slice(field.raw);
        }
        if entity.message && !header.fields.iter().any(|field| field.is("MIME-Version")) {
            self.out.extend_from_slice(b"MIME-Version: 1.0\r\n");
        }
        if let Some(charset) = self.plan.charset.filter(|_| !entity.typed) {
            self.out.extend_from_slice(format!("Content-Type: text/plain; charset={charset}\r\n").as_bytes());
        }
        self.out.extend_from_slice(format!("Content-Transfer-Encoding: {label}\r\n\r\n").as_bytes());
    }

    fn leaf(&mut self, bytes: &[u8]) {
        match &mut self.writer {
            Writer::Identity => self.out.extend_from_slice(bytes),
            Writer::Encoder(encoder) => encoder.push(bytes, &mut self.out),
            Writer::Rewrap(encoder) => encoder.push(bytes, &mut self.out),
            Writer::Mend(encoder) => encoder.push(bytes, &mut self.out),
        }
    }

    fn end_leaf(&mut self) {
        self.leaves += 1;
        match std::mem::replace(&mut self.writer, Writer::Identity) {
            Writer::Identity => {}
            Writer::Encoder(encoder) => encoder.finish(&mut self.out),
            Writer::Rewrap(encoder) => encoder.finish(&mut self.out),
            Writer::Mend(encoder) => encoder.finish(&mut self.out),
        }
    }

    fn boundary(&mut self, bytes: &[u8]) {
        self.column = 0;
        self.out.extend_from_slice(bytes);
    }

    fn preamble(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match byte {
                b'\r' | b'\n' => self.column = 0,
                _ if self.column == PROSE_LINE => {
                    self.out.extend_from_slice(b"\r\n");
                    self.column = 1;
                }
                _ => self.column += 1,
            }
            let allowed = *byte != 0 && (self.form != BodyForm::SevenBit || byte.is_ascii());
            self.out.push(if allowed { *byte } else { b'?' });
        }
    }
}

#[cfg(test)]
mod tests;
