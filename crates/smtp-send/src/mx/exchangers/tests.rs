//! MX lists built from the answers of a scripted name server.

use testkit::dns::{NameServer, Zone};

use super::*;
use crate::config;
use crate::dns::NameServers;

fn planned(zone: Zone, domain: &str) -> Result<MxList, Error> {
    let server = NameServer::start(zone);
    let name_servers = NameServers::given(vec![server.address().parse().unwrap()], false);
    let settings = MxSettings { name_servers, policies: Vec::new(), port: 25 };
    MxHosts::new(domain, &settings, &config::route_of(&[]), None).look_up()
}

fn hosts(plan: &MxList) -> Vec<String> {
    let name = |one: &Exchanger| match &one.host {
        Host::Named(name) => name.clone(),
        Host::Address(address) => address.to_string(),
    };
    plan.hosts.iter().map(name).collect()
}

#[test]
fn the_lowest_preference_comes_first_and_equals_take_turns() {
    let zone = Zone::default().mx("example.com", 20, "c.example").mx("example.com", 10, "a.example");
    let zone = zone.mx("example.com", 10, "b.example");
    let mut first = std::collections::HashSet::new();
    for _ in 0..60 {
        let plan = planned(zone.clone(), "example.com").unwrap();
        assert_eq!(hosts(&plan)[2], "c.example");
        first.insert(hosts(&plan)[0].clone());
        if first.len() == 2 {
            return;
        }
    }
    panic!("always the same: {first:?}");
}

#[test]
fn a_domain_without_mx_is_its_own_exchanger() {
    let plan = planned(Zone::default().address("example.com", "192.0.2.1"), "example.com").unwrap();
    assert_eq!((hosts(&plan), plan.implicit), (vec!["example.com".to_owned()], true));
    assert!(plan.to_string().contains("no MX"), "{plan}");
}

#[test]
fn an_alias_of_a_domain_leads_to_the_exchangers_of_its_target() {
    let zone = Zone::default().cname("example.com", "example.net").mx("example.net", 5, "mx.example.net");
    assert_eq!(hosts(&planned(zone, "example.com").unwrap()), ["mx.example.net"]);
}

#[test]
fn a_null_mx_refuses_permanently_and_is_ignored_beside_others() {
    let failure = planned(Zone::default().mx("example.com", 0, "."), "example.com").unwrap_err();
    assert_eq!(failure.kind(), REFUSED);
    assert!(failure.to_string().contains("5.1.10"), "{failure}");
    let zone = Zone::default().mx("example.com", 0, ".").mx("example.com", 5, "mx.example.com");
    assert_eq!(hosts(&planned(zone, "example.com").unwrap()), ["mx.example.com"]);
}

#[test]
fn no_such_domain_is_final_and_a_failing_server_is_not() {
    let failure = planned(Zone::default(), "example.com").unwrap_err();
    assert_eq!(failure.kind(), Kind::UnknownHost, "{failure}");
    let failure = planned(Zone::default().rcode("example.com", 2), "example.com").unwrap_err();
    assert_eq!(failure.kind(), Kind::Temporary, "{failure}");
    assert!(failure.to_string().contains("SERVFAIL") && failure.to_string().contains("--server"), "{failure}");
}

#[test]
fn an_address_literal_needs_no_name_server() {
    for (domain, address) in [("[192.0.2.1]", "192.0.2.1"), ("[ipv6:2001:db8::1]", "2001:db8::1")] {
        assert_eq!(hosts(&planned(Zone::default().silent(), domain).unwrap()), [address]);
    }
}

#[test]
fn a_thousand_exchangers_are_cut_to_a_few() {
    let zone =
        (0..60).fold(Zone::default(), |zone, number| zone.mx("example.com", number, &format!("m{number}.example")));
    assert_eq!(hosts(&planned(zone, "example.com").unwrap()).len(), MAX_MX_HOSTS);
}
