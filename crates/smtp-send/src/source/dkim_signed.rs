//! Messages that are signed when they leave.

use std::sync::Arc;

use common::Failure;

use super::MessageSource;
use crate::delivery::OutgoingMessage;
use crate::message::dkim_signer::Signer;
use crate::message::{Message, Signed};

/// The messages of another supply, signed.
pub struct DkimSignedSource {
    supply: Box<dyn MessageSource>,
    signer: Arc<Signer>,
}

impl DkimSignedSource {
    /// All messages of `supply`, to be signed by `signer`.
    pub fn new(supply: Box<dyn MessageSource>, signer: Signer) -> Self {
        Self { supply, signer: Arc::new(signer) }
    }
}

impl MessageSource for DkimSignedSource {
    fn len(&self) -> usize {
        self.supply.len()
    }

    fn name(&self, number: usize) -> Option<String> {
        self.supply.name(number)
    }

    fn job(&self, number: usize) -> Result<OutgoingMessage, Failure> {
        let job = self.supply.job(number)?;
        let message = Message::Signed(Box::new(Signed::new(job.message, Arc::clone(&self.signer))));
        Ok(OutgoingMessage { message, ..job })
    }

    fn digest(&self) -> Result<String, Failure> {
        self.supply.digest()
    }

    fn left_out(&self) -> usize {
        self.supply.left_out()
    }

    fn belongs_to(&mut self, run: &str) {
        self.supply.belongs_to(run);
    }

    fn shown(&self) -> usize {
        self.supply.shown()
    }

    fn give_back(&self, number: usize, job: OutgoingMessage) {
        let message = match job.message {
            Message::Signed(signed) => signed.into_message(),
            other => other,
        };
        self.supply.give_back(number, OutgoingMessage { message, ..job });
    }
}
