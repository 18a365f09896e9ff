//! The listener of a scripted mail server. One thread per connection; drop closes all of them.

use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use rustls::ServerConfig;

use super::record::{Command, Mail, Observer, Shared};
use super::script::Script;
use super::session::{self, Session};
use super::tls::{self, Authority};

/// A mail server on a loopback port; stopped on drop.
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    listener: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts a server without TLS on a free port of 127.0.0.1.
    ///
    /// # Panics
    /// When the server cannot listen.
    pub fn start(script: Script) -> Self {
        Self::start_on_free_port(script, None)
    }

    /// Starts a server with a certificate for `name` by `authority`, and with STARTTLS unless TLS is implicit.
    ///
    /// # Panics
    /// When the server cannot listen.
    pub fn start_tls(mut script: Script, authority: &Authority, name: &str) -> Self {
        if !script.implicit_tls && !script.extensions.iter().any(|extension| extension == "STARTTLS") {
            script.extensions.push("STARTTLS".into());
        }
        Self::start_on_free_port(script, Some(authority.server_config(name)))
    }

    /// Starts a server on this address, with STARTTLS if an authority and a name for the certificate are given.
    ///
    /// # Errors
    /// The address is in use.
    pub fn start_at(address: SocketAddr, mut script: Script, tls: Option<(&Authority, &str)>) -> std::io::Result<Self> {
        if tls.is_some() {
            script.extensions.push("STARTTLS".into());
        }
        Self::listen(address, script, tls.map(|(authority, name)| authority.server_config(name)), None)
    }

    /// Starts a server with STARTTLS that uses the certificate of `authority` itself: self-signed, marked as an
    /// authority, without a host name.
    ///
    /// # Panics
    /// When the server cannot listen.
    pub fn start_as_authority(script: Script, authority: &Authority) -> Self {
        Self::start_on_free_port(script.extensions(&["STARTTLS"]), Some(authority.own_config()))
    }

    /// Starts a server with STARTTLS and an expired certificate for `name` by `authority`.
    ///
    /// # Panics
    /// When the server cannot listen.
    pub fn start_expired(script: Script, authority: &Authority, name: &str) -> Self {
        Self::start_on_free_port(script.extensions(&["STARTTLS"]), Some(authority.expired_config(name)))
    }

    /// Starts a server with implicit TLS and a self-signed certificate for `name` that is marked as an authority.
    ///
    /// # Panics
    /// When the server cannot listen.
    pub fn start_self_signed(script: Script, name: &str) -> Self {
        Self::start_on_free_port(script.implicit_tls(), Some(tls::self_signed(name)))
    }

    /// Starts a server with STARTTLS that demands a client certificate by `authority`.
    ///
    /// # Panics
    /// When the server cannot listen.
    pub fn start_mutual(script: Script, authority: &Authority, name: &str) -> Self {
        let script = script.extensions(&["STARTTLS", "AUTH EXTERNAL"]);
        Self::start_on_free_port(script, Some(authority.mutual_config(name)))
    }

    /// Starts a server that calls `observer` before it accepts a message, and records nothing.
    pub fn observed(
        address: SocketAddr,
        script: Script,
        observer: impl Fn(&Mail) + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        Self::listen(address, script, None, Some(Box::new(observer)))
    }

    fn start_on_free_port(script: Script, tls: Option<Arc<ServerConfig>>) -> Self {
        Self::listen(SocketAddr::from(([127, 0, 0, 1], 0)), script, tls, None).expect("listen")
    }

    fn listen(
        address: SocketAddr,
        script: Script,
        tls: Option<Arc<ServerConfig>>,
        observer: Observer,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::new(script, tls, observer));
        let listener = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || accept(&listener, &shared))
        };
        Ok(Self { address, shared, listener: Some(listener) })
    }

    /// The address of the listener.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// All commands, after open connections have ended.
    pub fn commands(&self) -> Vec<Command> {
        self.shared.complete_record().commands.clone()
    }

    /// The lines of all commands, after open connections have ended.
    pub fn lines(&self) -> Vec<String> {
        self.commands().into_iter().map(|command| command.line).collect()
    }

    /// All messages, after open connections have ended.
    pub fn mails(&self) -> Vec<Mail> {
        self.shared.complete_record().mails.clone()
    }

    /// The only message.
    ///
    /// # Panics
    /// When there is none or more than one.
    pub fn mail(&self) -> Mail {
        let mut mails = self.mails();
        assert_eq!(mails.len(), 1, "one message was expected");
        mails.remove(0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop();
        // A connection wakes the listener, which then closes all the others.
        let _ = TcpStream::connect(self.address);
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    let mut threads: Vec<(JoinHandle<()>, TcpStream)> = Vec::new();
    let mut connection = 0;
    while let Ok((stream, _)) = listener.accept() {
        if shared.is_stopping() {
            break;
        }
        threads.retain(|(thread, _)| !thread.is_finished());
        let (Ok(kept), Ok(closing)) = (stream.try_clone(), stream.try_clone()) else { continue };
        shared.connection_opened();
        let for_thread = Arc::clone(shared);
        let number = connection;
        connection += 1;
        let thread = thread::spawn(move || {
            // A client that disconnects or breaks the protocol ends its own connection only.
            let _: session::Result = Session::new(stream, &for_thread, number).and_then(Session::run);
            // `threads` keeps a duplicate of the socket, so a drop alone would not close the connection.
            let _ = closing.shutdown(Shutdown::Both);
            for_thread.connection_closed();
        });
        threads.push((thread, kept));
    }
    for (thread, stream) in threads {
        let _ = stream.shutdown(Shutdown::Both);
        let _ = thread.join();
    }
}
