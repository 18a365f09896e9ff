//! `smtp-send account new`: finds the submission server of an address, tries it, and writes an account for it.
//!
//! SRV records of the domain name the server (RFC 6186). Answers may be forged, so a host outside of the domain must
//! be confirmed or given as an option (section 6). A password is never written into the account; `--save-password`
//! writes it into a separate file.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, BufRead, IsTerminal, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use common::{Error, Kind, SafeText, random};

use super::entry::{AccountEntry, append};
use super::file::PathBases;
use crate::config::AccountNew;
use crate::dns::{self, LookupError, NameServers, Resolver};
use crate::host;
use crate::net::address::Server;
use crate::proto::address::{Address, Mailbox};
use crate::proto::dns::RecordType;
use crate::proto::srv::{Offer, Service, choose, is_within};
use crate::secret;

/// Short time limit: the user is waiting.
const TIMEOUT: &str = "--timeout=20";
/// Permissions of new folders and files.
const OWN_FOLDER: u32 = 0o700;
const OWN_FILE: u32 = 0o600;

struct SubmissionServer {
    server: String,
    tls: &'static str,
}

/// Writes an account. `probe` tries a server with these arguments.
///
/// # Errors
/// The server cannot be found, confirmed or used, or a file cannot be read or written.
pub fn new(wanted: &AccountNew, probe: impl FnOnce(Vec<String>) -> Result<(), Error>) -> Result<String, Error> {
    let mut prompter = Prompter(io::stdin().is_terminal());
    let typed = match &wanted.address {
        Some(address) => address.clone(),
        None => prompter.answer("Your address", "")?.ok_or_else(|| missing("ADDRESS"))?,
    };
    let address = Address::parse(&typed).map_err(|error| Error::bad_data(&typed, error))?;
    let file = super::files().into_iter().next().unwrap_or_else(|| super::SYSTEM_FILE.into());
    let old = super::read(&file)?.unwrap_or_default();
    let name = match &wanted.name {
        Some(name) if name.is_empty() || name.contains(char::is_control) => {
            return Err(Error::value("--name", name, "not a valid account name"));
        }
        Some(name) => name.clone(),
        None if has_default(&old) => address.domain().to_owned(),
        None => super::DEFAULT.to_owned(),
    };
    let mut keys = connection(wanted, &address, &mut prompter)?;
    if !wanted.unchecked {
        let options = keys.iter().map(|(key, value)| format!("--{key}={value}"));
        let ends = [format!("--to={address}"), "--stop-after=tls".into(), TIMEOUT.into()];
        probe(options.chain(ends).chain(wanted.verbose.then(|| "--verbose".to_owned())).collect())?;
    }
    let user = identity(wanted, &address, &mut prompter, &mut keys)?;
    let secret_file = file.with_file_name(format!("{}.password", name.replace('/', "_")));
    if wanted.save_password {
        keys.push(("password-file", secret_file.display().to_string()));
    }
    let entry = AccountEntry { name, keys };
    write(&file, &old, &entry, wanted.save_password.then_some((&secret_file, &user)))?;
    let way = format!("smtp-send --account {} --to {address} --stop-after auth", entry.name);
    Ok(format!("[account.{}] written into {}\nTo try the login: {way}\n", entry.name, file.display()))
}

/// Keys of an account with their values.
type Keys = Vec<(&'static str, String)>;

fn connection(wanted: &AccountNew, address: &Address, prompter: &mut Prompter) -> Result<Keys, Error> {
    let found = match &wanted.server {
        Some(typed) => given(typed)?,
        None => discovered(wanted, address.domain(), prompter)?,
    };
    let mut keys = vec![("server", found.server), ("tls", found.tls.to_owned())];
    if let Some(path) = &wanted.tls_ca {
        keys.push(("tls-ca", fs::canonicalize(path).unwrap_or_else(|_| path.clone()).display().to_string()));
    }
    Ok(keys)
}

/// Adds the keys of the author and of the login; returns the user name.
fn identity(wanted: &AccountNew, address: &Address, prompter: &mut Prompter, keys: &mut Keys) -> Result<String, Error> {
    let full_name = match &wanted.full_name {
        None => prompter.answer("Your name, for From", &host::full_user_name().unwrap_or_default())?,
        given => given.clone(),
    };
    let author = Mailbox { name: full_name.filter(|name| !name.trim().is_empty()), address: address.clone() };
    keys.push(("from", written(&author)));
    let user = match &wanted.user {
        None => prompter.answer("User to log in as", address.as_str())?.unwrap_or_else(|| address.to_string()),
        Some(user) => user.clone(),
    };
    keys.push(("user", user.clone()));
    let command = match (&wanted.password_command, wanted.save_password) {
        (None, false) => prompter.answer("Command that prints the password (empty: ask each time)", "")?,
        (given, _) => given.clone(),
    };
    keys.extend(command.filter(|command| !command.is_empty()).map(|command| ("password-command", command)));
    Ok(user)
}

/// Whether a file has the default account. Errors in the file are reported later.
fn has_default(text: &str) -> bool {
    let places = PathBases { folder: Path::new("/"), home: None };
    super::file::read(text, "", places).is_ok_and(|(names, _)| names.iter().any(|name| name == super::DEFAULT))
}

fn missing(what: &'static str) -> Error {
    Error::new(Kind::Usage, "missing", what, "there is no terminal for a prompt; see --help")
}

/// A server given as an option: implicit TLS on the port of RFC 8314, else STARTTLS.
fn given(typed: &str) -> Result<SubmissionServer, Error> {
    let server = Server::parse(typed).map_err(|error| Error::value("--server", typed, error))?;
    let tls = if matches!(server.port, Some(465)) { "implicit" } else { "starttls" };
    let port = server.port.unwrap_or(587);
    let host = if server.host.contains(':') { format!("[{}]", server.host) } else { server.host };
    Ok(SubmissionServer { server: format!("{host}:{port}"), tls })
}

fn discovered(wanted: &AccountNew, domain: &str, prompter: &mut Prompter) -> Result<SubmissionServer, Error> {
    let domain = idna::domain_to_ascii(domain).unwrap_or_else(|_| domain.to_owned());
    let wrong = |typed: &str, error| Error::value("--dns-server", typed, error);
    let servers = match &wanted.dns_server {
        Some(typed) => NameServers::given(vec![dns::parse(typed).map_err(|error| wrong(typed, error))?], false),
        None => NameServers::of_system(false).map_err(|error| Error::io("read", "/etc/resolv.conf", error))?,
    };
    let resolver = Resolver::new(servers, None);
    let mut refused = false;
    for service in Service::ALL {
        let name = service.name(&domain);
        let answer = match resolver.look_up(&name, RecordType::Srv) {
            Ok(answer) => answer,
            Err(LookupError::NoSuchName { .. }) => continue,
            Err(error) => return Err(error.into_error(&name)),
        };
        match choose(&answer.records, random_up_to) {
            Offer::Unknown => {}
            Offer::Never => refused = true,
            Offer::At(host, port) => {
                let server = format!("{host}:{port}");
                if !answer.authentic && !is_within(&host, &domain) {
                    confirm(prompter, &domain, &server)?;
                }
                let tls = if service == Service::Submissions { "implicit" } else { "starttls" };
                return Ok(SubmissionServer { server, tls });
            }
        }
    }
    let why = if refused {
        "the domain offers no submission server"
    } else {
        "the domain has no SRV record for submission (RFC 6186); use --server HOST:PORT"
    };
    Err(Error::resolve(domain, why))
}

/// Asks for confirmation of a host outside of the domain.
fn confirm(prompter: &mut Prompter, domain: &str, server: &str) -> Result<(), Error> {
    let question =
        format!("{domain} has its server in another domain: {server}. Is it that of your provider? Type yes");
    if prompter.answer(&question, "")?.as_deref() == Some("yes") {
        return Ok(());
    }
    let why = format!("it is not in {domain} and was not confirmed; confirm it with --server {server}");
    Err(Error::of(Kind::Denied, server, why))
}

/// A number from 0 to `most`.
fn random_up_to(most: u32) -> u32 {
    // Without random numbers the first server is used.
    let drawn = random::bytes().map(u32::from_ne_bytes).unwrap_or_default();
    u32::try_from(u64::from(drawn) % (u64::from(most) + 1)).unwrap_or_default()
}

/// `Name <address>`, the name in quotes if necessary.
fn written(author: &Mailbox) -> String {
    match &author.name {
        None => author.address.to_string(),
        Some(name) => {
            let plain = name.chars().all(|one| one.is_alphanumeric() || one == ' ' || one == '-');
            let quoted = format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""));
            format!("{} <{}>", if plain { name.as_str() } else { quoted.as_str() }, author.address)
        }
    }
}

/// Writes the password, then replaces the configuration file.
fn write(file: &Path, old: &str, entry: &AccountEntry, secret: Option<(&Path, &String)>) -> Result<(), Error> {
    let folder = file.parent().unwrap_or(Path::new("/"));
    let home = host::home_folder();
    let places = PathBases { folder, home: home.as_deref() };
    let text = append(old, entry, places).map_err(|why| Error::config(file.display(), why))?;
    let failed = |path: &Path, error| Error::io("write", path.display(), error).with_kind(Kind::System);
    DirBuilder::new().recursive(true).mode(OWN_FOLDER).create(folder).map_err(|error| failed(folder, error))?;
    if let Some((path, user)) = secret {
        let secret = secret::for_keeping(user)?;
        put(path, format!("{}\n", secret.expose()).as_bytes(), OWN_FILE).map_err(|error| failed(path, error))?;
    }
    let mode = fs::metadata(file).map_or(OWN_FILE, |facts| facts.permissions().mode() & 0o777);
    put(file, text.as_bytes(), mode).map_err(|error| failed(file, error))
}

/// Writes a file atomically. A symbolic link is followed.
fn put(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = path.parent().unwrap_or(Path::new("/"));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.as_file().set_permissions(Permissions::from_mode(mode))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(&path)?;
    File::open(folder)?.sync_all()
}

/// Asks on the terminal, if there is one.
struct Prompter(bool);

impl Prompter {
    /// The answer to a question, or `otherwise` if nothing is typed; `None` without either.
    fn answer(&mut self, question: &str, otherwise: &str) -> Result<Option<String>, Error> {
        let usual = Some(otherwise).filter(|text| !text.is_empty());
        if !self.0 {
            return Ok(usual.map(str::to_owned));
        }
        let hint = usual.map_or_else(String::new, |text| format!(" [{text}]"));
        eprint!("{}: ", SafeText(format!("{question}{hint}").as_bytes()));
        let mut line = String::new();
        let read = io::stdin().lock().read_line(&mut line);
        if read.map_err(|error| Error::io("read", "the terminal", error))? == 0 {
            return Err(Error::usage("account new", "given up"));
        }
        let line = line.trim();
        Ok(if line.is_empty() { usual.map(str::to_owned) } else { Some(line.to_owned()) })
    }
}
