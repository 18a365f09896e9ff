//! Messages that are signed when they leave.

use std::sync::Arc;

use common::Failure;

use super::Supply;
use crate::delivery::Job;
use crate::message::dkim_signer::Signer;
use crate::message::{Message, Signed};

/// The messages of another supply, signed.
pub struct Signing {
    supply: Box<dyn Supply>,
    signer: Arc<Signer>,
}

impl Signing {
    /// All messages of `supply`, to be signed by `signer`.
    pub fn new(supply: Box<dyn Supply>, signer: Signer) -> Self {
        Self { supply, signer: Arc::new(signer) }
    }
}

impl Supply for Signing {
    fn len(&self) -> usize {
        self.supply.len()
    }

    fn name(&self, number: usize) -> Option<String> {
        self.supply.name(number)
    }

    fn job(&self, number: usize) -> Result<Job, Failure> {
        let job = self.supply.job(number)?;
        let message = Message::Signed(Box::new(Signed::new(job.message, Arc::clone(&self.signer))));
        Ok(Job { message, ..job })
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

    fn give_back(&self, number: usize, job: Job) {
        let message = match job.message {
            Message::Signed(signed) => signed.into_message(),
            other => other,
        };
        self.supply.give_back(number, Job { message, ..job });
    }
}
