//! Random bytes of the kernel (getrandom(2)), for identifiers and keys.

use std::io;

use common::{Error, Kind};
use rustix::rand::{GetRandomFlags, getrandom};

/// `LENGTH` random bytes; up to 256 bytes come in one call.
pub(crate) fn random<const LENGTH: usize>() -> Result<[u8; LENGTH], Error> {
    let mut bytes = [0; LENGTH];
    let filled = match getrandom(&mut bytes, GetRandomFlags::empty()) {
        Ok(count) if count == LENGTH => Ok(bytes),
        Ok(_) => Err(io::ErrorKind::UnexpectedEof.into()),
        Err(errno) => Err(io::Error::from(errno)),
    };
    filled.map_err(|cause| Error::io("get", "random bytes", cause).with_kind(Kind::System))
}
