//! What was typed, turned into what it means, with every check. Nothing is sent before all of it is known to be good.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use common::{Failure, Kind};

use crate::cli::{Cli, Step, Tls};
use crate::host;
use crate::message::attach::Wanted;
use crate::proto::address::{Address, Mailbox, parse_list};
use crate::proto::command::HeloName;
use crate::server::{HostPort, Server};
use crate::session::StopAfter;
use crate::tls::Trust;
use crate::transport::Family;

/// Port of SMTP between servers.
const SMTP: u16 = 25;
/// Port of submission with TLS from the first byte (RFC 8314).
const SUBMISSIONS: u16 = 465;
/// A wait longer than this is a mistyped number.
const LONGEST_WAIT: f64 = 1e6;
/// Fields that have an option of their own, or that only this program can know.
const OWN_FIELDS: [(&str, &str); 8] = [
    ("From", "use --from"),
    ("To", "use --to"),
    ("Cc", "use --cc"),
    ("Bcc", "use --bcc"),
    ("Subject", "use --subject"),
    ("Reply-To", "use --reply-to"),
    ("MIME-Version", "it is written anyway"),
    ("Content-*", "they follow from the text"),
];

/// Everything a run needs to know.
#[derive(Debug)]
pub struct Config {
    /// Where to send; absent only when nothing is sent.
    pub server: Option<HostPort>,
    /// Which addresses of the server may be used.
    pub family: Family,
    /// The name for EHLO, when it is not the address of the socket.
    pub helo: Option<HeloName>,
    /// When to encrypt.
    pub tls: Tls,
    /// Whom to trust.
    pub trust: Trust,
    /// Longest wait for a reply, in place of the times of RFC 5321.
    pub timeout: Option<Duration>,
    /// Longest time for everything.
    pub max_time: Option<Duration>,
    /// The author.
    pub from: Mailbox,
    /// Where bounces go; `None` is the null path.
    pub reverse_path: Option<Address>,
    /// The field To.
    pub to: Vec<Mailbox>,
    /// The field Cc.
    pub cc: Vec<Mailbox>,
    /// Everybody who gets the message, each address once.
    pub recipients: Vec<Address>,
    /// The field Reply-To.
    pub reply_to: Vec<Mailbox>,
    /// The subject.
    pub subject: Option<String>,
    /// Further fields.
    pub headers: Vec<(String, String)>,
    /// Where the text comes from.
    pub text: TextSource,
    /// Files that go with it.
    pub attachments: Vec<Wanted>,
    /// Whether the message is only printed.
    pub dry_run: bool,
    /// The step to end a probe at.
    pub stop_after: Option<StopAfter>,
    /// How the result is shown.
    pub report: ReportStyle,
}

/// Where a text comes from.
#[derive(Debug, PartialEq, Eq)]
pub enum TextSource {
    /// Standard input.
    Stdin,
    /// The command line.
    Inline(String),
    /// A file.
    File(PathBuf),
    /// None is needed: a probe ends before the message.
    Nothing,
}

/// How the result is shown on standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportStyle {
    /// A line for each recipient.
    Lines,
    /// One JSON object.
    Json,
    /// Not at all.
    Quiet,
}

impl Config {
    /// Checks what was typed. Files with addresses are read here; the text is not.
    pub fn new(cli: Cli) -> Result<Self> {
        let server = cli.server.as_deref().map(|typed| server(typed, cli.port, cli.tls)).transpose()?;
        ensure!(server.is_some() || cli.dry_run, usage("missing --server HOST[:PORT]", "see --help"));
        let stop_after = cli.stop_after.map(stop_after);
        ensure!(
            stop_after != Some(StopAfter::Tls) || cli.tls != Tls::Off,
            usage("--stop-after tls", "no use with --tls off")
        );

        let (to, cc, bcc) = (mailboxes("--to", &cli.to)?, mailboxes("--cc", &cli.cc)?, mailboxes("--bcc", &cli.bcc)?);
        let recipients = each_once(to.iter().chain(&cc).chain(&bcc));
        let needs_recipient = stop_after.is_none_or(|step| step == StopAfter::Rcpt);
        ensure!(!(recipients.is_empty() && needs_recipient), usage("no recipient", "use --to, --cc or --bcc"));

        let from = author(cli.from.as_deref())?;
        let text = text_source(cli.body, cli.body_file, stop_after);
        Ok(Self {
            tls: match (cli.tls, &server) {
                (Tls::Auto, Some(server)) if server.port == SUBMISSIONS => Tls::Implicit,
                (typed, _) => typed,
            },
            trust: trust(cli.tls, cli.insecure, cli.tls_ca, cli.tls_server_name)?,
            server,
            family: family(cli.ipv4, cli.ipv6),
            helo: cli.helo.map_or_else(|| Ok(own_helo()), |typed| helo(&typed).map(Some))?,
            timeout: cli.timeout.map(|seconds| wait("--timeout", seconds)).transpose()?,
            max_time: cli.max_time.map(|seconds| wait("--max-time", seconds)).transpose()?,
            reverse_path: reverse_path(cli.envelope_from.as_deref(), &from)?,
            from,
            to,
            cc,
            recipients,
            reply_to: mailboxes("--reply-to", &cli.reply_to)?,
            subject: cli.subject.map(|typed| one_line("--subject", typed)).transpose()?,
            headers: cli.header.iter().map(|typed| header(typed)).collect::<Result<_>>()?,
            attachments: attachments(&cli.attach, &text)?,
            text,
            dry_run: cli.dry_run,
            stop_after,
            report: report_style(cli.json, cli.quiet),
        })
    }
}

fn usage(what: &'static str, why: &'static str) -> anyhow::Error {
    Failure::new(Kind::Usage, "", what, why).into()
}

fn bad(option: &'static str, typed: &str, error: impl std::error::Error + Send + Sync + 'static) -> anyhow::Error {
    Failure::new(Kind::BadData, option, typed, error).into()
}

fn server(typed: &str, port: Option<u16>, tls: Tls) -> Result<HostPort> {
    let server = Server::parse(typed).map_err(|error| Failure::new(Kind::Usage, "--server", typed, error))?;
    let port = match (server.port, port) {
        (Some(one), Some(other)) if one != other => {
            return Err(usage("--port", "--server names another one"));
        }
        (Some(port), _) | (None, Some(port)) => port,
        (None, None) if tls == Tls::Implicit => SUBMISSIONS,
        (None, None) => SMTP,
    };
    Ok(HostPort { host: server.host, port })
}

fn stop_after(step: Step) -> StopAfter {
    match step {
        Step::Connect => StopAfter::Connect,
        Step::Ehlo => StopAfter::Ehlo,
        Step::Tls => StopAfter::Tls,
        Step::Mail => StopAfter::Mail,
        Step::Rcpt => StopAfter::Rcpt,
    }
}

/// The mailboxes of one option; `@FILE` stands for the lists in a file, one a line, `#` starts a comment line.
fn mailboxes(option: &'static str, typed: &[String]) -> Result<Vec<Mailbox>> {
    let mut all = Vec::new();
    for value in typed {
        let Some(file) = value.strip_prefix('@') else {
            all.extend(parse_list(value).map_err(|error| bad(option, value, error))?);
            continue;
        };
        let text = fs::read_to_string(Path::new(file)).map_err(|cause| match cause.kind() {
            std::io::ErrorKind::InvalidData => Failure::new(Kind::BadData, option, value, "the file is not UTF-8"),
            _ => Failure::io("read", file, cause).with_kind(Kind::NoInput),
        })?;
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with('#')) {
            let place = || format!("{file} line {}", number + 1);
            all.extend(parse_list(line.trim()).map_err(|error| bad(option, &place(), error))?);
        }
    }
    Ok(all)
}

fn attachments(typed: &[String], text: &TextSource) -> Result<Vec<Wanted>> {
    let wrong = |typed, why| Failure::new(Kind::Usage, "--attach", typed, why);
    let list: Vec<Wanted> =
        typed.iter().map(|typed| Wanted::parse(typed).map_err(|why| wrong(typed, why))).collect::<Result<_, _>>()?;
    let readers = list.iter().filter(|one| one.is_stdin()).count() + usize::from(*text == TextSource::Stdin);
    ensure!(
        readers <= 1 || !list.iter().any(Wanted::is_stdin),
        usage("--attach -", "standard input is needed for the text too; use --body")
    );
    Ok(list)
}

/// The addresses in their order, without repetitions.
fn each_once<'a>(mailboxes: impl Iterator<Item = &'a Mailbox>) -> Vec<Address> {
    let mut seen = HashSet::new();
    mailboxes.map(|mailbox| &mailbox.address).filter(|address| seen.insert(*address)).cloned().collect()
}

fn author(typed: Option<&str>) -> Result<Mailbox> {
    if let Some(typed) = typed {
        return Mailbox::parse(typed).map_err(|error| bad("--from", typed, error));
    }
    let address = format!("{}@{}", host::user_name(), host::best_name());
    Mailbox::parse(&address).map_err(|error| bad("no --from, and your own address is not valid:", &address, error))
}

fn reverse_path(typed: Option<&str>, from: &Mailbox) -> Result<Option<Address>> {
    match typed {
        Some("" | "<>") => Ok(None),
        Some(typed) => {
            let mailbox = Mailbox::parse(typed).map_err(|error| bad("--envelope-from", typed, error))?;
            Ok(Some(mailbox.address))
        }
        None => Ok(Some(from.address.clone())),
    }
}

fn text_source(body: Option<String>, file: Option<PathBuf>, stop_after: Option<StopAfter>) -> TextSource {
    match (body, file) {
        (Some(text), _) => TextSource::Inline(text),
        (None, Some(file)) if file.as_os_str() != "-" => TextSource::File(file),
        (None, None) if stop_after.is_some() => TextSource::Nothing,
        _ => TextSource::Stdin,
    }
}

fn family(ipv4: bool, ipv6: bool) -> Family {
    match (ipv4, ipv6) {
        (true, _) => Family::V4,
        (_, true) => Family::V6,
        _ => Family::Any,
    }
}

fn report_style(json: bool, quiet: bool) -> ReportStyle {
    match (json, quiet) {
        (true, _) => ReportStyle::Json,
        (false, true) => ReportStyle::Quiet,
        (false, false) => ReportStyle::Lines,
    }
}

/// The full name of this host; a short one is worth less than the address that the socket knows.
fn own_helo() -> Option<HeloName> {
    host::full_name().and_then(|name| HeloName::parse(&name))
}

fn helo(typed: &str) -> Result<HeloName> {
    let wrong = || Failure::new(Kind::BadData, "--helo", typed, "not a host name or an address in brackets");
    Ok(HeloName::parse(typed).ok_or_else(wrong)?)
}

fn wait(option: &'static str, seconds: f64) -> Result<Duration> {
    ensure!(seconds > 0.0 && seconds <= LONGEST_WAIT, usage(option, "a number of seconds above 0 is needed"));
    Ok(Duration::from_secs_f64(seconds))
}

fn one_line(option: &'static str, text: String) -> Result<String> {
    let breaks = |character: char| character.is_control() && character != '\t';
    ensure!(
        !text.contains(breaks),
        Failure::new(Kind::BadData, option, "", "a line break or control character in a header field")
    );
    Ok(text)
}

fn header(typed: &str) -> Result<(String, String)> {
    let wrong = |why: String| anyhow!(Failure::new(Kind::BadData, "--header", typed, why));
    let (name, value) = typed.split_once(':').ok_or_else(|| wrong("write 'Name: value'".into()))?;
    let valid = |byte: u8| byte.is_ascii_graphic() && byte != b':';
    if name.is_empty() || name.len() > 70 || !name.bytes().all(valid) {
        return Err(wrong("the name of a field has no spaces and only ASCII letters, digits and signs".into()));
    }
    for (own, cure) in OWN_FIELDS {
        let same = match own.strip_suffix('*') {
            Some(start) => name.to_ascii_lowercase().starts_with(&start.to_ascii_lowercase()),
            None => name.eq_ignore_ascii_case(own),
        };
        if same {
            return Err(wrong(format!("{own} cannot be given this way, {cure}")));
        }
    }
    Ok((name.to_owned(), one_line("--header", value.trim().to_owned())?))
}

fn trust(tls: Tls, insecure: bool, ca: Option<PathBuf>, server_name: Option<String>) -> Result<Trust> {
    let mut useless =
        [(insecure, "--insecure"), (ca.is_some(), "--tls-ca"), (server_name.is_some(), "--tls-server-name")]
            .into_iter()
            .filter(|(given, _)| *given);
    if let (Tls::Off, Some((_, option))) = (tls, useless.next()) {
        return Err(usage(option, "no use with --tls off"));
    }
    ensure!(!(insecure && ca.is_some()), usage("--insecure", "no use with --tls-ca"));
    Ok(match (insecure, tls, ca, server_name) {
        (true, _, _, server_name) => Trust { ca: None, server_name, check: crate::tls::Check::Never },
        (false, Tls::Auto, None, None) => Trust { check: crate::tls::Check::OffLoopback, ..Trust::default() },
        (false, _, ca, server_name) => Trust { ca, server_name, check: crate::tls::Check::Always },
    })
}
