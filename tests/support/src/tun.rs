//! A host that answers echo requests as a scenario file says: late, twice, corrupted, forged or not at all.
//!
//! [`Responder`] makes a TUN device in a namespace of a [`Network`] and answers the packets routed to it, in a thread. Root and
//! `/dev/net/tun` are required; the error of [`Responder::start`] is a reason for [`crate::skip()`].

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

/// Name of the TUN device.
const DEVICE: &str = "answers";
/// Longest wait of the thread between two checks for the end of the responder.
const MAX_WAIT: Duration = Duration::from_millis(20);
/// Largest IP packet, in bytes.
const MAX_PACKET: usize = 65_535;

/// Answers echo requests to 10.99.0.0/16 and `fd00:99::/64`; stopped on drop.
pub struct Responder {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Responder {
    /// Makes the device in the namespace of `host`, which gets the addresses 10.99.0.1 and `fd00:99::1`.
    ///
    /// # Errors
    /// The reason why TUN devices are not available.
    ///
    /// # Panics
    /// When the device cannot be configured.
    pub fn start(network: &Network, host: &str, scenario: Scenario) -> Result<Self, String> {
        let namespace = network.path(host);
        // setns(2) changes the namespace of one thread, so the device is opened by a thread that ends at once.
        let device = thread::spawn(move || open(&File::open(namespace)?)).join().expect("opening does not panic");
        let device = device.map_err(|error| format!("no TUN device: {error}"))?;
        network.ip(host, &format!("addr add 10.99.0.1/16 dev {DEVICE}"));
        network.ip(host, &format!("-6 addr add fd00:99::1/64 dev {DEVICE} nodad"));
        network.ip(host, &format!("link set {DEVICE} up"));
        // Without the reverse path filter, replies from forged addresses reach ping.
        for interface in ["all", DEVICE] {
            network.set(host, &format!("net/ipv4/conf/{interface}/rp_filter"), "0");
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

/// A packet to be sent.
struct Pending {
    due: Instant,
    /// Further requests to wait for.
    hold: u32,
    /// Whether the packet waited for further requests; such packets are sent last.
    held: bool,
    bytes: Vec<u8>,
}

fn run(device: &SyncDevice, scenario: &Scenario, stop: &AtomicBool) {
    let mut buffer = vec![0; MAX_PACKET];
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
            // A full device drops the packet, as a network does.
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
    let left = next.unwrap_or(MAX_WAIT).min(MAX_WAIT);
    // After an error the loop continues at once.
    let _ = ppoll(&mut [PollFd::new(device.as_fd(), PollFlags::POLLIN)], Some(left.into()), None);
}
