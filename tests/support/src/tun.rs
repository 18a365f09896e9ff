//! A host that answers echo requests as a scenario file says: late, twice, broken, forged or not at all.
//!
//! [`Responder`] makes a TUN device in a namespace of a [`Network`] and answers whatever is routed into it, from a thread
//! that ends with the value. It needs root and `/dev/net/tun`; [`Responder::start`] says why when it cannot work.

mod packet;
mod scenario;

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sched::{CloneFlags, setns};
use tun_rs::{DeviceBuilder, SyncDevice};

pub use scenario::{Answer, IcmpError, Quote, Rule, Scenario};

use crate::netns::Network;
use packet::Request;

/// Name of the device in its namespace.
const DEVICE: &str = "answers";
/// Longest time until the thread notices that it shall end.
const PULSE: Duration = Duration::from_millis(20);
/// Larger than any packet that the device passes.
const LARGEST: usize = 65_535;

/// Answers what is sent to 10.99.0.0/16 and `fd00:99::/64` from one namespace; gone on drop.
pub struct Responder {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Responder {
    /// Makes the device in the namespace of `host`, which gets the addresses 10.99.0.1 and `fd00:99::1`.
    ///
    /// # Errors
    /// Why there is no TUN device here, in words for a line `skipped: why`.
    ///
    /// # Panics
    /// When the device is there but cannot be set up.
    pub fn start(network: &Network, host: &str, scenario: Scenario) -> Result<Self, String> {
        let namespace = network.file(host);
        // A namespace belongs to a thread, and only this one shall enter it.
        let device = thread::spawn(move || open(&File::open(namespace)?)).join().expect("opening does not panic");
        let device = device.map_err(|error| format!("no TUN device: {error}"))?;
        network.ip(host, &format!("addr add 10.99.0.1/16 dev {DEVICE}"));
        network.ip(host, &format!("-6 addr add fd00:99::1/64 dev {DEVICE} nodad"));
        network.ip(host, &format!("link set {DEVICE} up"));
        // Replies with a forged sender shall reach ping; it is ping that must notice.
        for place in ["all", DEVICE] {
            network.set(host, &format!("net/ipv4/conf/{place}/rp_filter"), "0");
        }
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || run(&device, &scenario, &stopped));
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let result = thread.join();
            assert!(result.is_ok() || thread::panicking(), "the responder panicked");
        }
    }
}

fn open(namespace: &File) -> io::Result<SyncDevice> {
    setns(namespace, CloneFlags::CLONE_NEWNET)?;
    let device = DeviceBuilder::new().name(DEVICE).packet_information(false).inherit_enable_state().build_sync()?;
    device.set_nonblocking(true)?;
    Ok(device)
}

/// A packet that has not left yet.
struct Pending {
    due: Instant,
    /// Requests that must come first.
    hold: u32,
    /// Whether it let another answer go first.
    held: bool,
    bytes: Vec<u8>,
}

fn run(device: &SyncDevice, scenario: &Scenario, stop: &AtomicBool) {
    let mut buffer = vec![0; LARGEST];
    let mut counts: HashMap<IpAddr, u32> = HashMap::new();
    let mut pending: Vec<Pending> = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        while let Ok(length) = device.recv(&mut buffer) {
            if let Some(request) = Request::parse(&buffer[..length]) {
                for one in &mut pending {
                    one.hold = one.hold.saturating_sub(1);
                }
                let count = counts.entry(request.target).or_default();
                *count += 1;
                pending.extend(answers(scenario, &request, *count));
            }
        }
        let now = Instant::now();
        let (mut ready, rest): (Vec<_>, Vec<_>) = pending.into_iter().partition(|one| one.hold == 0 && one.due <= now);
        pending = rest;
        ready.sort_by_key(|one| one.held);
        for one in ready {
            // The device is full or down: as good as a lost packet.
            let _ = device.send(&one.bytes);
        }
        wait(device, &pending);
    }
}

fn answers(scenario: &Scenario, request: &Request, count: u32) -> Vec<Pending> {
    let good = [Answer::default()];
    let wanted = scenario.answers(request.target, count).unwrap_or(&good);
    let now = Instant::now();
    let pending = |answer: &Answer| Pending {
        due: now + Duration::from_millis(answer.after_ms),
        hold: answer.hold,
        held: answer.hold > 0,
        bytes: request.answer(answer),
    };
    wanted.iter().map(pending).collect()
}

fn wait(device: &SyncDevice, pending: &[Pending]) {
    let now = Instant::now();
    let next = pending.iter().filter(|one| one.hold == 0).map(|one| one.due.saturating_duration_since(now)).min();
    let left = next.unwrap_or(PULSE).min(PULSE);
    // A failed wait is a short one.
    let _ = ppoll(&mut [PollFd::new(device.as_fd(), PollFlags::POLLIN)], Some(left.into()), None);
}
