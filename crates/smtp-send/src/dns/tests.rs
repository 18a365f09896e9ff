//! The resolver against a scripted name server on loopback.

use testkit::dns::{NameServer, Zone};

use super::*;

const BOTH: Families = Families { four: true, six: true };

fn resolver(servers: &[&NameServer]) -> Resolver {
    let list = servers.iter().map(|server| server.address().parse().unwrap()).collect();
    Resolver::new(NameServers::given(list, false), None)
}

fn of(text: &str) -> Vec<IpAddr> {
    text.split_whitespace().map(|one| one.parse().unwrap()).collect()
}

#[test]
fn addresses_of_both_families_take_turns() {
    assert_eq!(in_turn(&of("::1 ::2 ::3"), &of("192.0.2.1")), of("::1 192.0.2.1 ::2 ::3"));
}

#[test]
fn localhost_is_not_looked_up() {
    let closed = NameServers::given(vec!["127.0.0.1:1".parse().unwrap()], false);
    let resolver = Resolver::new(closed, None);
    assert_eq!(resolver.addresses("Mail.localhost", BOTH).unwrap().list, of("::1 127.0.0.1"));
    assert_eq!(resolver.look_up("localhost", RecordType::Mx).unwrap().records, []);
}

#[test]
fn records_are_found_and_a_missing_name_differs_from_a_missing_record() {
    let zone = Zone::default().mx("example.com", 10, "mx.example.com").address("mx.example.com", "192.0.2.1");
    let server = NameServer::start(zone.address("mx.example.com", "2001:db8::1"));
    let resolver = resolver(&[&server]);
    let mx = resolver.look_up("Example.COM", RecordType::Mx).unwrap();
    assert_eq!(mx.records, [Record::Mx { preference: 10, exchange: "mx.example.com".into() }]);
    assert_eq!(resolver.addresses("mx.example.com", BOTH).unwrap().list, of("2001:db8::1 192.0.2.1"));
    let only_four = resolver.addresses("mx.example.com", Families { four: true, six: false }).unwrap();
    assert_eq!(only_four.list, of("192.0.2.1"));
    assert_eq!(resolver.look_up("mx.example.com", RecordType::Mx).unwrap().records, []);
    let missing = LookupError::NoSuchName { alias: None, authentic: false };
    assert_eq!(resolver.look_up("no.example.com", RecordType::Mx), Err(missing));
}

#[test]
fn a_long_answer_is_fetched_over_tcp() {
    let server = NameServer::start(Zone::default().mx("example.com", 1, "mx.example.com").truncated());
    assert_eq!(resolver(&[&server]).look_up("example.com", RecordType::Mx).unwrap().records.len(), 1);
    assert_eq!(server.queries(), ["udp 15 example.com", "tcp 15 example.com"]);
}

#[test]
fn forged_answers_are_ignored_up_to_a_limit() {
    let zone = || Zone::default().mx("example.com", 1, "mx.example.com");
    let server = NameServer::start(zone().forged(20));
    assert_eq!(resolver(&[&server]).look_up("example.com", RecordType::Mx).unwrap().records.len(), 1);
    let server = NameServer::start(zone().forged(200));
    let error = resolver(&[&server]).look_up("example.com", RecordType::Mx).unwrap_err();
    assert!(error.to_string().contains("do not match") && error.is_transient(), "{error}");
}

#[test]
fn a_server_from_before_edns_is_asked_without_it() {
    let server = NameServer::start(Zone::default().mx("example.com", 1, "mx.example.com").without_edns());
    assert_eq!(resolver(&[&server]).look_up("example.com", RecordType::Mx).unwrap().records.len(), 1);
}

#[test]
fn the_next_server_is_asked_when_one_fails_and_remembered() {
    let broken = NameServer::start(Zone::default().rcode("example.com", 2).rcode("other.example", 5));
    let zone = Zone::default().mx("example.com", 1, "mx.example.com").mx("other.example", 1, "mx.example.com");
    let good = NameServer::start(zone);
    let resolver = resolver(&[&broken, &good]);
    for name in ["example.com", "other.example"] {
        assert_eq!(resolver.look_up(name, RecordType::Mx).unwrap().records.len(), 1);
    }
    assert_eq!(broken.queries(), ["udp 15 example.com"]);
}

#[test]
fn servers_that_all_fail_are_a_failure_for_now_and_it_names_the_last_word() {
    let broken = NameServer::start(Zone::default().rcode("example.com", 2));
    let error = resolver(&[&broken]).look_up("example.com", RecordType::Mx).unwrap_err();
    assert!(error.is_transient() && error.to_string().contains("SERVFAIL"), "{error}");
    assert_eq!(broken.queries().len(), 2, "each server is asked twice");
    assert_eq!(error.into_error("example.com").kind(), Kind::Temporary);
}

#[test]
fn a_closed_port_and_a_silent_server_cost_little_time() {
    let silent = NameServer::start(Zone::default().silent());
    let closed = UdpPort::closed();
    let servers = NameServers::given(vec![closed, silent.address().parse().unwrap()], false);
    let began = Instant::now();
    let resolver = Resolver::new(servers, Some(began + Duration::from_millis(300)));
    let error = resolver.look_up("example.com", RecordType::Mx).unwrap_err();
    assert!(error.to_string().contains("did not answer in time"), "{error}");
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

/// A port that was free a moment ago.
struct UdpPort;

impl UdpPort {
    fn closed() -> SocketAddr {
        std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
    }
}

#[test]
fn aliases_lead_to_records_and_loops_of_them_to_an_error() {
    let zone = Zone::default().cname("example.com", "b.example").cname("b.example", "c.example");
    let zone = zone.mx("c.example", 1, "mx.example.com").cname("loop.example", "pool.example");
    let zone = zone.cname("pool.example", "loop.example").cname("lost.example", "nowhere.example");
    let server = NameServer::start(zone);
    let resolver = resolver(&[&server]);
    let answer = resolver.look_up("example.com", RecordType::Mx).unwrap();
    assert_eq!((answer.records.len(), answer.name.as_str(), answer.aliases), (1, "c.example", 2));
    let error = resolver.look_up("loop.example", RecordType::Mx).unwrap_err();
    assert!(error.is_transient() && error.to_string().contains("aliases"), "{error}");
    assert!(!resolver.look_up("lost.example", RecordType::Mx).unwrap_err().is_transient());
}

#[test]
fn the_word_of_a_validating_resolver_is_believed_only_on_this_machine() {
    let zone = Zone::default().mx("example.com", 1, "mx.example.com").authentic();
    let server = NameServer::start(zone.clone());
    assert!(resolver(&[&server]).look_up("example.com", RecordType::Mx).unwrap().authentic);
    let list: Vec<SocketAddr> = vec![server.address().parse().unwrap(), "192.0.2.1:53".parse().unwrap()];
    let resolver = Resolver::new(NameServers::given(list, false), None);
    assert!(!resolver.look_up("example.com", RecordType::Mx).unwrap().authentic);
}
