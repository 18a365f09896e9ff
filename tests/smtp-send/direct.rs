//! Without `--server`: the exchangers of each domain, from a scripted name server, on several loopback addresses.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use testkit::dns::{NameServer, Zone};
use testkit::process::{Finished, finish};
use testkit::smtp::{Authority, Behaviour, Script, Server};

use crate::home::Home;
use crate::support::{assert_fails, assert_sent, run};

/// A server with its certificate: the authority that signs it and the name in it.
type Wanted<'a> = Option<(Script, Option<(&'a Authority, &'a str)>)>;

/// Servers at 127.0.0.1 and up, all on one port; `None` is a closed port.
fn servers(wanted: &[Wanted<'_>]) -> (Vec<Option<Server>>, u16) {
    for _ in 0..50 {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let start = |(number, wanted): (usize, &Wanted<'_>)| {
            let last = u8::try_from(number + 1).unwrap();
            let address = SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), free));
            wanted.as_ref().map(|(script, tls)| Server::start_at(address, script.clone(), *tls)).transpose()
        };
        if let Ok(servers) = wanted.iter().enumerate().map(start).collect::<Result<Vec<_>, _>>() {
            return (servers, free);
        }
    }
    panic!("no port is free on all addresses");
}

/// One server on 127.0.0.1, in clear.
fn one(script: Script) -> (Server, u16) {
    let (mut servers, port) = servers(&[Some((script, None))]);
    (servers.remove(0).unwrap(), port)
}

fn send(names: &NameServer, port: u16, args: &[&str]) -> Finished {
    let (names, port) = (names.address(), port.to_string());
    run(&[&["--dns-server", &names, "--port", &port, "--from", "me@example.org"], args].concat(), b"Hello\n")
}

fn mail_of(domain: &str) -> Zone {
    Zone::default().mx(domain, 10, &format!("mx.{domain}")).address(&format!("mx.{domain}"), "127.0.0.1")
}

#[test]
fn the_mail_goes_to_the_exchanger_of_the_domain() {
    let (server, port) = one(Script::default());
    let names = NameServer::start(mail_of("example.com"));
    let finished = send(&names, port, &["--to", "bob@Example.com,amy@example.com"]);
    assert_sent(&finished);
    assert_eq!(server.mail().to.len(), 2, "one transaction for both");
    assert!(finished.stdout.contains("bob@Example.com: accepted"), "{finished:?}");
    assert_eq!(names.queries(), ["udp 15 example.com", "udp 28 mx.example.com", "udp 1 mx.example.com"]);
}

#[test]
fn each_domain_has_its_own_exchanger_and_each_recipient_its_own_fate() {
    let refusal = Script::default().reply("RCPT", "550 5.1.1 no such user");
    let (servers, port) = servers(&[Some((Script::default(), None)), Some((refusal, None))]);
    let zone = mail_of("example.com").mx("example.net", 1, "mx.example.net").address("mx.example.net", "127.0.0.2");
    let names = NameServer::start(zone.rcode("example.org", 2).mx("example.edu", 0, "."));
    let to = "a@example.com,b@example.net,c@example.org,d@example.edu,e@nowhere.example,f@example.com";
    let finished = send(&names, port, &["--to", to]);
    assert_fails(&finished, 69, &["4 of 5 domains failed"]);
    let lines: Vec<&str> = finished.stdout.lines().collect();
    assert_eq!(lines.len(), 6, "{finished:?}");
    for (line, words) in [
        (0, &["a@example.com: accepted"][..]),
        (1, &["f@example.com: accepted"]),
        (2, &["b@example.net: refused at RCPT: 550 5.1.1"]),
        (3, &["c@example.org: not sent: ", "SERVFAIL"]),
        (4, &["d@example.edu: not sent: ", "5.1.10"]),
        (5, &["e@nowhere.example: not sent: ", "no such domain"]),
    ] {
        assert!(words.iter().all(|word| lines[line].contains(word)), "{words:?} in {finished:?}");
    }
    let mail = servers[0].as_ref().unwrap().mail();
    assert_eq!(mail.to.len(), 2);
    let text = String::from_utf8_lossy(&mail.message).into_owned();
    assert!(text.contains("e@nowhere.example"), "the header names all recipients: {text}");
}

#[test]
fn what_each_answer_of_dns_means_for_the_exit_code() {
    let names = NameServer::start(Zone::default().rcode("broken.example", 2).mx("null.example", 0, "."));
    for (domain, code) in [("nowhere.example", 68), ("broken.example", 75), ("null.example", 69)] {
        assert_fails(&send(&names, 25, &["--to", &format!("bob@{domain}")]), code, &[domain]);
    }
}

#[test]
fn a_domain_without_mx_is_delivered_to_itself_and_never_when_the_question_failed() {
    let (server, port) = one(Script::default());
    let zone = Zone::default().address("example.com", "127.0.0.1").address("broken.example", "127.0.0.1");
    let names = NameServer::start(zone.rcode("broken.example", 2));
    assert_sent(&send(&names, port, &["--to", "bob@example.com"]));
    assert_fails(&send(&names, port, &["--to", "bob@broken.example"]), 75, &["SERVFAIL"]);
    assert_eq!(server.mails().len(), 1);
}

#[test]
fn address_literals_and_domains_in_other_scripts_are_understood() {
    let (server, port) = one(Script::default());
    let names = NameServer::start(mail_of("xn--mller-kva.example"));
    assert_sent(&send(&names, port, &["--to", "bob@[127.0.0.1]"]));
    assert_sent(&send(&names, port, &["--to", "bob@müller.example"]));
    assert_eq!(server.mails().len(), 2);
}

#[test]
fn a_dead_exchanger_a_dead_address_and_a_busy_server_lead_to_the_next() {
    let busy = Script::default().reply("CONNECT", "421 4.3.2 busy");
    let grumpy = Script::default().reply("CONNECT", "554 5.7.1 go away");
    let (servers, port) = servers(&[None, Some((busy, None)), Some((grumpy, None)), Some((Script::default(), None))]);
    let zone = Zone::default().mx("example.com", 1, "gone.example").mx("example.com", 2, "dead.example");
    let zone = zone.address("dead.example", "127.0.0.1").mx("example.com", 3, "busy.example");
    let zone = zone.address("busy.example", "127.0.0.2").mx("example.com", 4, "grumpy.example");
    let zone = zone.address("grumpy.example", "127.0.0.3").mx("example.com", 5, "good.example");
    let zone = zone.address("good.example", "127.0.0.1").address("good.example", "127.0.0.4");
    let names = NameServer::start(zone);
    let began = Instant::now();
    let finished = send(&names, port, &["--to", "bob@example.com", "--json"]);
    assert_sent(&finished);
    assert!(finished.stdout.contains(&format!("\"server\":\"good.example:{port}\"")), "{finished:?}");
    assert_eq!(servers[3].as_ref().unwrap().mails().len(), 1);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[test]
fn when_all_exchangers_fail_the_one_that_may_come_back_decides() {
    let zone = Zone::default().mx("example.com", 1, "dead.example").mx("example.com", 2, "gone.example");
    let names = NameServer::start(zone.address("dead.example", "127.0.0.1"));
    let (_, port) = servers(&[None]);
    assert_fails(&send(&names, port, &["--to", "bob@example.com"]), 75, &["dead.example"]);
}

#[test]
fn a_further_try_begins_with_the_first_exchanger_again() {
    let (_server, port) = one(Script::default().reply("CONNECT", "421 4.3.2 busy"));
    let names = NameServer::start(mail_of("example.com"));
    let finished = send(&names, port, &["--to", "bob@example.com", "--retry", "1"]);
    assert_eq!(finished.code(), 75, "{finished:?}");
    assert_eq!(names.queries().len(), 6, "the exchangers are looked up again: {:?}", names.queries());
}

#[test]
fn several_messages_for_a_domain_share_a_connection() {
    let (server, port) = one(Script::default());
    let names = NameServer::start(mail_of("example.com"));
    let folder = tempfile::TempDir::new().unwrap();
    let paths: Vec<String> = (0..3)
        .map(|number| {
            let path = folder.path().join(format!("{number}.eml"));
            fs::write(&path, format!("From: me@example.org\nTo: bob@example.com\nSubject: {number}\n\nx\n")).unwrap();
            path.to_str().unwrap().to_owned()
        })
        .collect();
    let args = ["--eml", &paths[0], &paths[1], &paths[2]];
    let finished = run(&[&["--dns-server", &names.address(), "--port", &port.to_string()][..], &args].concat(), b"");
    assert_sent(&finished);
    assert_eq!(server.mails().len(), 3);
    assert!(server.commands().iter().all(|command| command.connection == 0));
}

#[test]
fn tls_is_used_where_offered_with_any_certificate() {
    let authority = Authority::new();
    let (servers, port) = servers(&[Some((Script::default(), Some((&authority, "another.example"))))]);
    let names = NameServer::start(mail_of("example.com"));
    let finished = send(&names, port, &["--to", "bob@example.com", "--json"]);
    assert_sent(&finished);
    assert!(servers[0].as_ref().unwrap().mail().tls);
    assert!(finished.stdout.contains("\"certificate_checked\":false"), "{finished:?}");
}

#[test]
fn tls_that_does_not_work_is_left_out_only_when_nothing_demands_it() {
    // It offers STARTTLS and has no certificate.
    let broken = Script::default().extensions(&["STARTTLS"]).reply("STARTTLS", "454 4.7.0 not now");
    let (server, port) = one(broken);
    let names = NameServer::start(mail_of("example.com"));
    let finished = send(&names, port, &["--to", "bob@example.com"]);
    assert_eq!(finished.code(), 0, "{finished:?}");
    assert!(finished.stderr.contains("retrying once in clear"), "{finished:?}");
    assert!(!server.mail().tls);
    let finished = send(&names, port, &["--to", "bob@example.com", "--tls", "starttls"]);
    assert_eq!(finished.code(), 75, "{finished:?}");
    assert_eq!(server.mails().len(), 1);
}

#[test]
fn a_failed_handshake_is_followed_by_clear_text_once_and_with_a_warning() {
    let closes =
        Script::default().extensions(&["STARTTLS"]).at("STARTTLS", 0, Behaviour::ReplyAndClose("220 go".into()));
    let (server, port) = one(closes);
    let names = NameServer::start(mail_of("example.com"));
    let finished = send(&names, port, &["--to", "bob@example.com"]);
    assert_eq!(finished.code(), 0, "{finished:?}");
    assert!(finished.stderr.contains("retrying once in clear"), "{finished:?}");
    assert_eq!(server.commands().last().map(|command| command.connection), Some(1));
}

#[test]
fn bytes_injected_behind_starttls_never_lead_to_clear_text() {
    let injected = "220 Go on\r\n250-evil.example.com\r\n250 SIZE\r\n";
    for behaviour in [
        // In the segment of the reply, and in later segments.
        Behaviour::Raw(injected.into()),
        Behaviour::Drip(injected.into(), Duration::from_millis(5)),
    ] {
        let (server, port) = one(Script::default().extensions(&["STARTTLS"]).at("STARTTLS", 0, behaviour.clone()));
        let names = NameServer::start(mail_of("example.com"));
        let finished = send(&names, port, &["--to", "bob@example.com"]);
        assert_eq!(finished.code(), 76, "{behaviour:?} {finished:?}");
        assert!(!finished.stderr.contains("retrying once in clear"), "{finished:?}");
        assert!(server.commands().iter().all(|command| command.connection == 0), "{behaviour:?}");
        assert_eq!(server.mails(), [], "{behaviour:?}");
    }
}

/// A file with the policy of a domain that has this exchanger.
fn policy(mode: &str, exchanger: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("policy.txt");
    fs::write(&path, format!("version: STSv1\nmode: {mode}\nmx: {exchanger}\nmax_age: 86400\n")).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

#[test]
fn a_policy_in_force_demands_a_good_certificate_of_a_named_exchanger() {
    let (authority, other_authority) = (Authority::new(), Authority::new());
    let (servers, port) = servers(&[Some((Script::default(), Some((&authority, "mx.example.com"))))]);
    let names = NameServer::start(mail_of("example.com"));
    let (_folder, file) = policy("enforce", "mx.example.com");
    let send = |ca: &Authority, policy: &str| {
        let ca = ca.file();
        let args = ["--to", "bob@example.com", "--tls-ca", ca.to_str().unwrap(), "--mta-sts-policy", policy, "--json"];
        send(&names, port, &args)
    };
    let finished = send(&authority, &file);
    assert_sent(&finished);
    assert!(finished.stdout.contains("\"certificate_checked\":true"), "{finished:?}");
    assert_fails(&send(&other_authority, &file), 77, &["certificate of mx.example.com"]);
    let (_folder, other) = policy("enforce", "*.example.net");
    assert_fails(&send(&authority, &other), 77, &["MTA-STS"]);
    // Without a policy for the domain, --tls-ca itself demands a good certificate.
    assert_fails(&send(&other_authority, &format!("other.example={file}")), 77, &["certificate of mx.example.com"]);
    assert_eq!(servers[0].as_ref().unwrap().mails().len(), 1);
}

#[test]
fn a_policy_in_force_never_lets_mail_go_in_clear() {
    let (server, port) = one(Script::default());
    let names = NameServer::start(mail_of("example.com"));
    let (_folder, file) = policy("enforce", "*.example.com");
    let finished = send(&names, port, &["--to", "bob@example.com", "--mta-sts-policy", &format!("example.com={file}")]);
    assert_fails(&finished, 77, &["does not offer STARTTLS"]);
    assert!(server.mails().is_empty());
}

#[test]
fn an_old_or_broken_policy_is_reported_before_anything_is_sent() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("policy.txt");
    let args = ["--to", "bob@example.com", "--body", "x", "--dns-server", "127.0.0.1:1", "--mta-sts-policy"];
    let refused = |code, words: &[&str]| {
        assert_fails(&run(&[&args[..], &[path.to_str().unwrap()]].concat(), b""), code, words);
    };
    refused(66, &["policy.txt"]);
    fs::write(&path, "<html>404</html>").unwrap();
    refused(78, &["STSv1"]);
    fs::write(&path, "version: STSv1\nmode: none\nmax_age: 60\n").unwrap();
    let past = std::time::SystemTime::now() - Duration::from_secs(3600);
    fs::File::options().write(true).open(&path).unwrap().set_modified(past).unwrap();
    refused(78, &["download it again"]);
}

/// The records of a name server whose word on validation is believed, for a server with the authority's certificate.
fn dane(parameters: [u8; 3], data: &[u8], port: u16) -> Zone {
    mail_of("example.com").authentic().tlsa(&format!("_{port}._tcp.mx.example.com"), parameters, data)
}

#[test]
fn a_certificate_named_in_dns_is_demanded_whatever_the_issuers_of_this_system() {
    let (authority, other_authority) = (Authority::new(), Authority::new());
    let (servers, port) = servers(&[Some((Script::default(), Some((&authority, "mx.example.com"))))]);
    let mails = || servers[0].as_ref().unwrap().mails().len();
    let names = NameServer::start(dane([2, 0, 0], &authority.certificate(), port));
    let finished = send(&names, port, &["--to", "bob@example.com", "--json"]);
    assert_sent(&finished);
    assert!(finished.stdout.contains("\"certificate_checked\":true"), "{finished:?}");
    let names = NameServer::start(dane([2, 0, 0], &other_authority.certificate(), port));
    assert_fails(&send(&names, port, &["--to", "bob@example.com"]), 77, &["certificate"]);
    let names = NameServer::start(dane([3, 1, 1], &[7; 32], port));
    assert_fails(&send(&names, port, &["--to", "bob@example.com"]), 77, &["TLSA"]);
    assert_eq!(mails(), 1);
    // Unusable records demand TLS with any certificate.
    let names = NameServer::start(dane([1, 1, 1], &[7; 32], port));
    assert_sent(&send(&names, port, &["--to", "bob@example.com"]));
    assert_eq!(mails(), 2);
}

#[test]
fn records_without_validation_and_a_failing_query_are_distinguished() {
    let (server, port) = one(Script::default());
    let record = format!("_{port}._tcp.mx.example.com");
    let names = NameServer::start(mail_of("example.com").tlsa(&record, [3, 1, 1], &[7; 32]));
    assert_sent(&send(&names, port, &["--to", "bob@example.com"]));
    let names = NameServer::start(mail_of("example.com").authentic().rcode(&record, 2));
    assert_fails(&send(&names, port, &["--to", "bob@example.com"]), 75, &["TLSA", "SERVFAIL"]);
    let names = NameServer::start(dane([3, 1, 1], &[7; 32], port));
    assert_fails(&send(&names, port, &["--to", "bob@example.com"]), 77, &["STARTTLS"]);
    assert_eq!(server.mails().len(), 1);
}

#[test]
fn options_that_need_a_server_say_so() {
    for option in [
        &["--user", "me"][..],
        &["--lmtp"],
        &["--tls", "implicit"],
        &["--tls-server-name", "x"],
        &["--tls-pin", "sha256//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="],
        &["--connections", "2"],
        &["--journal", "/nonexistent/j", "--eml", "/dev/null"],
    ] {
        let args = [&["--to", "bob@example.com", "--dns-server", "127.0.0.1:1"], option].concat();
        assert_fails(&run(&args, b"x\n"), 64, &[option[0], "--server"]);
    }
    for option in [&["--dns-server", "127.0.0.1"][..], &["--dns-trust-ad"], &["--mta-sts-policy", "x"]] {
        let args = [&["--to", "bob@example.com", "--server", "127.0.0.1:1"], option].concat();
        assert_fails(&run(&args, b"x\n"), 64, &[option[0], "--server"]);
    }
    assert_fails(&run(&["--to", "b@example.com", "--dns-server", "ns.example"], b"x\n"), 64, &["--dns-server"]);
}

#[test]
fn a_dry_run_shows_the_route_with_v_and_makes_no_query_otherwise() {
    let names = NameServer::start(mail_of("example.com").mx("example.com", 5, "first.example.com"));
    let finished = send(&names, 25, &["--to", "bob@example.com", "--dry-run"]);
    assert_sent(&finished);
    assert!(names.queries().is_empty());
    let finished = send(&names, 25, &["--to", "bob@example.com", "--dry-run", "-v"]);
    assert!(finished.stderr.contains("first.example.com (5), mx.example.com (10)"), "{finished:?}");
}

#[test]
fn no_answer_within_the_given_time_is_a_failure_for_now() {
    let names = NameServer::start(Zone::default().silent());
    let began = Instant::now();
    assert_fails(&send(&names, 25, &["--to", "bob@example.com", "--max-time", "0.4"]), 75, &["example.com"]);
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}

/// A home whose account names no server.
fn home_without_server(names: &NameServer, port: u16, more: &str) -> Home {
    let names = names.address();
    Home::new(&format!("[account.default]\nfrom = 'me@example.org'\ndns-server = '{names}'\nport = {port}\n{more}\n"))
}

/// The recipients for whom the files of a folder below the state of the program are, one text for each file.
fn kept(home: &Home, folder: &str) -> Vec<String> {
    let files = fs::read_dir(home.path().join(".local/state/smtp-send").join(folder));
    let read = |file: fs::DirEntry| fs::read_to_string(file.path()).unwrap();
    files.map(|files| files.map(|file| read(file.unwrap())).collect()).unwrap_or_default()
}

#[test]
fn sendmail_mode_with_an_account_without_a_server_keeps_the_message_for_those_who_have_not_got_it() {
    let (server, port) = one(Script::default());
    let names = NameServer::start(mail_of("example.com").rcode("example.net", 2));
    let home = home_without_server(&names, port, "");
    let mut command = home.sendmail(&["-i", "bob@example.com", "ann@example.net"]);
    let finished = finish(&mut command, b"Subject: x\n\nText\n");
    assert_fails(&finished, 75, &["SERVFAIL", "for ann@example.net is kept"]);
    assert_eq!(server.mail().to, ["<bob@example.com>"]);
}

#[test]
fn sendmail_mode_without_any_account_sends_nothing_by_itself() {
    let home = Home::new("");
    let finished = finish(&mut home.sendmail(&["-i", "bob@example.com"]), b"Subject: x\n\nText\n");
    assert_fails(&finished, 78, &["no account"]);
}

#[test]
fn the_queue_buries_what_a_domain_refuses_and_keeps_the_rest() {
    let (server, port) = one(Script::default());
    let names = NameServer::start(mail_of("example.com").rcode("example.net", 2).mx("example.edu", 0, "."));
    let home = home_without_server(&names, port, "queue = true");
    let to = ["-i", "a@example.com", "b@example.net", "c@example.edu"];
    let finished = finish(&mut home.sendmail(&to), b"Subject: x\n\nText\n");
    assert_fails(&finished, 69, &["copy is kept"]);
    assert_eq!(server.mail().to, ["<a@example.com>"]);
    let letters = kept(&home, "dead-letters");
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert!(letters[0].contains("c@example.edu") && !letters[0].contains("b@example.net"), "{letters:?}");
    let waiting = kept(&home, "queue").concat();
    assert!(waiting.contains("b@example.net") && !waiting.contains("a@example.com"), "{waiting}");
}
