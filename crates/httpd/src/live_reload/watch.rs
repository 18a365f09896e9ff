//! Seeing files change (inotify(7)): every folder below the root is watched, also those that are made later.
//!
//! What is not served is not watched: dot-files, and what links lead to outside the root. Changes that follow each other
//! closely count as one, so that a build that writes a thousand files makes one reload.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use common::{Failure, Kind};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent, WatchDescriptor};

use super::LiveReload;
use crate::content::routing::Site;

/// Folders watched: a site under development has fewer, and each costs the kernel about a kilobyte.
const MAX_FOLDERS: usize = 8192;
/// Changes count as one when no more than this lies between them,
const QUIET: Duration = Duration::from_millis(60);
/// but nobody waits for longer than this.
const LONGEST: Duration = Duration::from_millis(500);

/// The folders that are watched.
struct Watcher {
    inotify: Inotify,
    folders: HashMap<WatchDescriptor, PathBuf>,
    root: PathBuf,
    site: Arc<Site>,
    has_warned: bool,
}

/// What happened in a while.
#[derive(Default)]
struct Changes {
    any: bool,
    other_than_styles: bool,
}

/// The right to watch, before anything is watched.
pub(crate) struct Unstarted {
    inotify: Inotify,
    root: PathBuf,
}

/// Opens what changes below `root` will be seen through; whatever can fail does so here.
pub(crate) fn open(root: &Path) -> Result<Unstarted, Failure> {
    let fail = |cause: io::Error| Failure::io("watch folder", root.display(), cause).with_kind(Kind::Config);
    match Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK) {
        Ok(inotify) => Ok(Unstarted { inotify, root: root.canonicalize().map_err(fail)? }),
        Err(Errno::EMFILE) => {
            let why = "the limit of this system is reached (sysctl fs.inotify.max_user_instances)";
            Err(Failure::new(Kind::Config, "watch folder", root.display(), why))
        }
        Err(error) => Err(fail(error.into())),
    }
}

impl Unstarted {
    /// Watches the folders in a thread of its own, for as long as the process lives.
    pub(crate) fn start(self, site: &Arc<Site>, live: Arc<LiveReload>) -> io::Result<()> {
        let Self { inotify, root } = self;
        let site = Arc::clone(site);
        let mut watcher = Watcher { inotify, folders: HashMap::new(), root: root.clone(), site, has_warned: false };
        watcher.add(&root);
        log::info!("live reload: {} folders are watched", watcher.folders.len());
        thread::Builder::new().name("watch".into()).spawn(move || watcher.run(&live))?;
        Ok(())
    }
}

impl Watcher {
    fn run(mut self, live: &LiveReload) {
        loop {
            let changes = match self.wait(PollTimeout::NONE).and_then(|_| self.gather()) {
                Ok(changes) => changes,
                Err(error) => return log::error!("live reload ends: {}", common::error::reason(&error)),
            };
            if changes.any {
                live.changed(!changes.other_than_styles);
            }
        }
    }

    /// Waits for an event; whether there is one.
    fn wait(&self, timeout: PollTimeout) -> io::Result<bool> {
        match poll(&mut [PollFd::new(self.inotify.as_fd(), PollFlags::POLLIN)], timeout) {
            Ok(count) => Ok(count > 0),
            Err(Errno::EINTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes events until it is quiet.
    fn gather(&mut self) -> io::Result<Changes> {
        let (begun, mut changes) = (Instant::now(), Changes::default());
        loop {
            match self.inotify.read_events() {
                Ok(events) => events.iter().for_each(|event| self.take(event, &mut changes)),
                Err(Errno::EAGAIN | Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
            let quiet = PollTimeout::try_from(QUIET).unwrap_or(PollTimeout::ZERO);
            if begun.elapsed() > LONGEST || !self.wait(quiet)? {
                return Ok(changes);
            }
        }
    }

    fn take(&mut self, event: &InotifyEvent, changes: &mut Changes) {
        if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
            // What happened meanwhile nobody knows: everything is looked for anew.
            (changes.any, changes.other_than_styles) = (true, true);
            let root = self.root.clone();
            return self.add(&root);
        }
        if event.mask.contains(AddWatchFlags::IN_IGNORED) {
            self.folders.remove(&event.wd);
            return;
        }
        let (Some(folder), Some(name)) = (self.folders.get(&event.wd), &event.name) else { return };
        if self.site.hides_name(name.as_bytes()) {
            return;
        }
        let path = folder.join(name);
        let is_folder = event.mask.contains(AddWatchFlags::IN_ISDIR);
        if is_folder && event.mask.contains(AddWatchFlags::IN_MOVED_FROM) {
            self.forget(&path);
        }
        if event.mask.intersects(AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO) {
            if is_folder {
                self.add(&path);
            } else if event.mask.contains(AddWatchFlags::IN_CREATE) && is_being_written(&path) {
                return;
            }
        }
        changes.any = true;
        changes.other_than_styles |= is_folder || path.extension() != Some(OsStr::new("css"));
    }

    /// Watches a folder and everything below it. The watch comes first, so that nothing is made unseen in between.
    fn add(&mut self, folder: &Path) {
        const FLAGS: AddWatchFlags = AddWatchFlags::IN_CLOSE_WRITE
            .union(AddWatchFlags::IN_CREATE)
            .union(AddWatchFlags::IN_DELETE)
            .union(AddWatchFlags::IN_MOVED_FROM)
            .union(AddWatchFlags::IN_MOVED_TO)
            .union(AddWatchFlags::IN_ONLYDIR)
            .union(AddWatchFlags::IN_DONT_FOLLOW);
        let mut waiting = vec![folder.to_owned()];
        while let Some(folder) = waiting.pop() {
            if self.folders.len() >= MAX_FOLDERS {
                return self.warn(&format!("more than {MAX_FOLDERS} folders; changes in the others are not noticed"));
            }
            match self.inotify.add_watch(&folder, FLAGS) {
                Ok(watch) => _ = self.folders.insert(watch, folder.clone()),
                Err(Errno::ENOSPC) => {
                    return self.warn(
                        "the limit of this system is reached (sysctl fs.inotify.max_user_watches); \
                         changes in other folders are not noticed",
                    );
                }
                // It has gone again, or cannot be read and so not be served.
                Err(_) => continue,
            }
            let Ok(entries) = std::fs::read_dir(&folder) else { continue };
            let below = entries.flatten().filter(|entry| {
                entry.file_type().is_ok_and(|kind| kind.is_dir()) && !self.site.hides_name(entry.file_name().as_bytes())
            });
            waiting.extend(below.map(|entry| entry.path()));
        }
    }

    /// A folder was moved away, perhaps out of the root: what lies in it is nothing to us any more.
    fn forget(&mut self, folder: &Path) {
        let gone: Vec<_> =
            self.folders.iter().filter(|(_, path)| path.starts_with(folder)).map(|(watch, _)| *watch).collect();
        for watch in gone {
            self.folders.remove(&watch);
            let _ = self.inotify.rm_watch(watch);
        }
    }

    fn warn(&mut self, what: &str) {
        if !self.has_warned {
            log::warn!("live reload: {what}");
            self.has_warned = true;
        }
    }
}

/// Whether a file that was just made will be seen again when it is closed; a link will not.
fn is_being_written(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|metadata| metadata.is_file() && metadata.nlink() == 1)
}
