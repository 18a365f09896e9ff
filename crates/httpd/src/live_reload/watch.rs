//! Watches every folder below the root for changes, including folders that are created later (inotify(7)).
//!
//! Files that are not served are not watched: dot-files, and targets of links outside the root. Changes in quick succession
//! count as one, so that a build that writes a thousand files causes one reload.

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

use common::{Error, Kind};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent, WatchDescriptor};

use super::LiveReload;
use crate::content::routing::Site;

/// Watched folders; each takes about a kilobyte of kernel memory.
const MAX_FOLDERS: usize = 8192;
/// Time without changes after which an event is sent.
const QUIET_TIME: Duration = Duration::from_millis(60);
/// Longest delay of an event.
const MAX_DELAY: Duration = Duration::from_millis(500);

/// The watched folders.
struct Watcher {
    inotify: Inotify,
    folders: HashMap<WatchDescriptor, PathBuf>,
    root: PathBuf,
    site: Arc<Site>,
    has_warned: bool,
}

/// Changes that are sent as one event.
#[derive(Default)]
struct Changes {
    any: bool,
    other_than_styles: bool,
}

/// An inotify instance before folders are added.
pub(crate) struct FolderWatch {
    inotify: Inotify,
    root: PathBuf,
}

/// Opens the inotify instance for `root`.
pub(crate) fn open(root: &Path) -> Result<FolderWatch, Error> {
    let fail = |cause: io::Error| Error::io("watch folder", root.display(), cause).with_kind(Kind::Config);
    match Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK) {
        Ok(inotify) => Ok(FolderWatch { inotify, root: root.canonicalize().map_err(fail)? }),
        Err(Errno::EMFILE) => {
            let why = "the system limit is reached; raise sysctl fs.inotify.max_user_instances";
            Err(Error::new(Kind::Config, "watch folder", root.display(), why))
        }
        Err(error) => Err(fail(error.into())),
    }
}

impl FolderWatch {
    /// Watches the folders on a new thread until the process ends.
    pub(crate) fn start(self, site: &Arc<Site>, live_reload: Arc<LiveReload>) -> io::Result<()> {
        let Self { inotify, root } = self;
        let site = Arc::clone(site);
        let mut watcher = Watcher { inotify, folders: HashMap::new(), root: root.clone(), site, has_warned: false };
        watcher.add(&root);
        log::info!("live reload: watching {} folders", watcher.folders.len());
        thread::Builder::new().name("watch".into()).spawn(move || watcher.run(&live_reload))?;
        Ok(())
    }
}

impl Watcher {
    fn run(mut self, live_reload: &LiveReload) {
        loop {
            let changes = match self.wait(PollTimeout::NONE).and_then(|_| self.gather()) {
                Ok(changes) => changes,
                Err(error) => return log::error!("live reload stops: {}", common::error::reason(&error)),
            };
            if changes.any {
                live_reload.changed(!changes.other_than_styles);
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

    /// Reads events until none arrives for [`QUIET_TIME`].
    fn gather(&mut self) -> io::Result<Changes> {
        let (begun, mut changes) = (Instant::now(), Changes::default());
        loop {
            match self.inotify.read_events() {
                Ok(events) => events.iter().for_each(|event| self.take(event, &mut changes)),
                Err(Errno::EAGAIN | Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
            let quiet = PollTimeout::try_from(QUIET_TIME).unwrap_or(PollTimeout::ZERO);
            if begun.elapsed() > MAX_DELAY || !self.wait(quiet)? {
                return Ok(changes);
            }
        }
    }

    fn take(&mut self, event: &InotifyEvent, changes: &mut Changes) {
        if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
            // Events were lost, so all folders are added again.
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

    /// Watches a folder and all folders below it. The watch is added before the folder is read, so no change is missed.
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
                return self
                    .warn(&format!("more than {MAX_FOLDERS} folders; changes in the other folders are not detected"));
            }
            match self.inotify.add_watch(&folder, FLAGS) {
                Ok(watch) => _ = self.folders.insert(watch, folder.clone()),
                Err(Errno::ENOSPC) => {
                    return self.warn(
                        "the system limit is reached; raise sysctl fs.inotify.max_user_watches; \
                         changes in the other folders are not detected",
                    );
                }
                // The folder was removed, or is unreadable and therefore not served.
                Err(_) => continue,
            }
            let Ok(entries) = std::fs::read_dir(&folder) else { continue };
            let below = entries.flatten().filter(|entry| {
                entry.file_type().is_ok_and(|kind| kind.is_dir()) && !self.site.hides_name(entry.file_name().as_bytes())
            });
            waiting.extend(below.map(|entry| entry.path()));
        }
    }

    /// Stops watching a folder that was moved, perhaps out of the root.
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

/// Whether a new file causes another event when it is closed; a link does not.
fn is_being_written(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|metadata| metadata.is_file() && metadata.nlink() == 1)
}
