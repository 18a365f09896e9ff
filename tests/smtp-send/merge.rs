//! A message for each row of a table: `--merge`.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;
use testkit::process::Finished;
use testkit::smtp::{Script, Server};

use crate::support::{assert_fails, assert_sent, run};

const TEMPLATE: &str = "From: Shop <shop@example.org>\nTo: {name} <{email}>\nSubject: Your order {order}, {name}\n\n\
                        Dear {name},\n\nyour order {order} is {{ready}}.\n";

struct Folder(TempDir);

impl Folder {
    fn new(table: &str, template: &str) -> Self {
        let folder = Self(TempDir::new().unwrap());
        fs::write(folder.path("table.csv"), table).unwrap();
        fs::write(folder.path("template.eml"), template).unwrap();
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn send(&self, server: &Server, more: &[&str]) -> Finished {
        let (address, table, template) =
            (server.address().to_string(), self.path("table.csv"), self.path("template.eml"));
        let args = ["--server", &address, "--merge", table.to_str().unwrap(), template.to_str().unwrap()];
        run(&[&args[..], more].concat(), b"")
    }
}

fn messages(server: &Server) -> Vec<String> {
    server.mails().into_iter().map(|mail| String::from_utf8(mail.message).unwrap()).collect()
}

#[test]
fn each_row_gets_its_message_with_its_values_encoded() {
    let server = Server::start(Script::default().extensions(&["PIPELINING"]));
    let table = "\u{feff}email,name,order\r\nann@example.com,Ann,1\r\njo@example.com,\"Jörg \"\"Jo\"\", Dr.\",2\r\n";
    let folder = Folder::new(table, TEMPLATE);
    let finished = folder.send(&server, &[]);
    assert_sent(&finished);
    assert!(finished.stdout.contains("table.csv line 3: jo@example.com: accepted"), "{finished:?}");
    let mails = server.mails();
    assert_eq!(
        mails.iter().map(|mail| mail.to.concat()).collect::<Vec<_>>(),
        ["<ann@example.com>", "<jo@example.com>"]
    );
    assert!(mails.iter().all(|mail| mail.from.starts_with("<shop@example.org>")));
    let messages = messages(&server);
    assert!(messages[0].contains("To: Ann <ann@example.com>\r\nSubject: Your order 1, Ann\r\n"), "{}", messages[0]);
    assert!(messages[0].ends_with("\r\n\r\nDear Ann,\r\n\r\nyour order 1 is {ready}.\r\n"), "{}", messages[0]);
    assert!(messages[1].is_ascii() && messages[1].contains("To: =?utf-8?b?"), "{}", messages[1]);
    assert!(messages[1].contains("Dear J=C3=B6rg \"Jo\", Dr.,\r\n"), "{}", messages[1]);
    for message in &messages {
        let header = message.split("\r\n\r\n").next().unwrap();
        for field in ["Date: ", "Message-ID: <", "From: ", "To: ", "MIME-Version: "] {
            assert_eq!(header.matches(field).count(), 1, "{field} in {message}");
        }
    }
}

#[test]
fn what_is_wrong_is_named_before_anything_is_sent() {
    let server = Server::start(Script::default());
    let table = "email,name,order\na@example.com,A,1\n";
    let cases: [(&str, &str, i32, &[&str]); 10] = [
        (table, "From: a@x\nSubject: {nam} {ordr}\n\nx\n", 65, &["template.eml", "no column is called nam, ordr"]),
        (table, "From: a@x\n\nx { y\n", 65, &["the text", "write '{{'"]),
        (table, "Cc: a@x\n\nx\n", 65, &["Cc", "the address of its row only"]),
        (table, "no header", 65, &["no message"]),
        ("mail;name;order\na@x;A;1\n", TEMPLATE, 65, &["--merge-separator"]),
        ("address,name,order\n", TEMPLATE, 65, &["no column has the name email or to", "--merge-to"]),
        ("email,name,order\n", TEMPLATE, 65, &["no row"]),
        ("", TEMPLATE, 65, &["table.csv", "empty"]),
        (
            "email,name,order\na@example.com,A,1\nb@example.com,B\n",
            TEMPLATE,
            65,
            &["line 3: 2 fields", "nothing is sent"],
        ),
        (
            "email,name,order

invalid,A,1\n",
            TEMPLATE,
            65,
            &["line 3: email: 'invalid': no '@'"],
        ),
    ];
    for (table, template, code, words) in cases {
        assert_fails(&Folder::new(table, template).send(&server, &[]), code, words);
    }
    let folder = Folder::new(table, TEMPLATE);
    assert_fails(&folder.send(&server, &["--merge-to", "missing"]), 65, &["no column has the name missing"]);
    assert_fails(&folder.send(&server, &["--merge-separator", "ab"]), 64, &["--merge-separator"]);
    assert_fails(&folder.send(&server, &["--to", "x@example.com"]), 64, &["--merge", "--to"]);
    fs::remove_file(folder.path("template.eml")).unwrap();
    assert_fails(&folder.send(&server, &[]), 66, &["template.eml", "No such file"]);
    assert_eq!(server.lines(), Vec::<String>::new());
}

#[test]
fn bad_rows_are_named_and_stop_everything_or_are_left_out() {
    let server = Server::start(Script::default());
    let table = "email,name,order\na@example.com,\"A\nBcc: evil@example.com\",1\nb@example.com,B,2\nc@,C,3\n";
    let folder = Folder::new(table, TEMPLATE);
    let finished = folder.send(&server, &[]);
    assert_eq!((finished.code(), finished.stderr.lines().count()), (65, 3), "{finished:?}");
    for words in ["line 2: To: a line break", "line 5: email: 'c@'", "2 of 3 rows cannot be sent"] {
        assert!(finished.stderr.contains(words), "{words} in {finished:?}");
    }
    assert!(server.mails().is_empty());
    let finished = folder.send(&server, &["--keep-going"]);
    assert!(finished.code() == 65 && finished.stderr.contains("2 messages were left out"), "{finished:?}");
    assert_eq!(server.mail().to, ["<b@example.com>"]);
}

#[test]
fn another_column_and_another_separator_can_be_named() {
    let server = Server::start(Script::default());
    let folder = Folder::new("kunde;adresse\nJö;jo@example.com\n", "From: a@example.org\nSubject: {Kunde}\n\nx\n");
    assert_sent(&folder.send(&server, &["--merge-separator", ";", "--merge-to", "Adresse"]));
    assert!(messages(&server)[0].starts_with("To: jo@example.com\r\n"), "{:?}", messages(&server));
}

#[test]
fn an_address_that_comes_again_is_reported() {
    let server = Server::start(Script::default());
    let folder = Folder::new("email,name,order\na@example.com,A,1\nA@example.com,A,2\n", TEMPLATE);
    let finished = folder.send(&server, &[]);
    assert_eq!((finished.code(), server.mails().len()), (0, 2));
    assert!(finished.stderr.contains("A@example.com in line 3 and line 2"), "{finished:?}");
}

#[test]
fn a_dry_run_shows_the_first_message() {
    let server = Server::start(Script::default());
    let folder = Folder::new("email,name,order\na@example.com,A,1\nb@example.com,B,2\n", TEMPLATE);
    let finished = folder.send(&server, &["--dry-run"]);
    assert_sent(&finished);
    assert!(
        finished.stdout.contains("Subject: Your order 1, A\n") && !finished.stdout.contains("order 2"),
        "{finished:?}"
    );
    assert_eq!(server.lines(), Vec::<String>::new());
}

#[test]
fn a_stopped_merge_goes_on_and_message_ids_stay_the_same() {
    let script = Script::default().at("RCPT", 2, testkit::smtp::Behaviour::Reply("450 4.7.1 Busy".into()));
    let server = Server::start(script);
    let folder = Folder::new("email,name,order\na@example.com,A,1\nb@example.com,B,2\n", TEMPLATE);
    let journal = folder.path("journal");
    let journal = ["--journal", journal.to_str().unwrap()];
    assert_eq!(folder.send(&server, &journal).code(), 75);
    assert_eq!(folder.send(&server, &journal).code(), 0);
    let id = |message: &String| message.split("Message-ID: <").nth(1).unwrap().split('.').next().unwrap().to_owned();
    let ids: Vec<_> = messages(&server).iter().map(id).collect();
    assert!(ids.len() == 2 && ids[0] == ids[1], "{ids:?}");
    fs::write(folder.path("table.csv"), "email,name,order\na@example.com,A,1\nb@example.com,B,3\n").unwrap();
    assert_fails(&folder.send(&server, &journal), 78, &["other messages"]);
}

#[test]
fn the_table_may_come_from_standard_input() {
    let server = Server::start(Script::default());
    let folder = Folder::new("", TEMPLATE);
    let (address, template) = (server.address().to_string(), folder.path("template.eml"));
    let args = ["--server", &address, "--merge", "-", template.to_str().unwrap(), "--connections", "2"];
    assert_sent(&run(&args, b"to,name,email,order\nx@example.com,N,y@example.com,7\n"));
    assert_eq!(server.mail().to, ["<y@example.com>"]);
}
