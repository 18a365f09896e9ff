//! Random bytes of the kernel (getrandom(2)), for identifiers and keys.

use std::io;

use rustix::rand::{GetRandomFlags, getrandom};

use crate::error::{Error, Kind};

/// `LENGTH` random bytes; the kernel returns up to 256 bytes in one call.
///
/// # Errors
/// The kernel has no random numbers ([`Kind::System`]).
pub fn bytes<const LENGTH: usize>() -> Result<[u8; LENGTH], Error> {
    let mut bytes = [0; LENGTH];
    let filled = match getrandom(&mut bytes, GetRandomFlags::empty()) {
        Ok(count) if count == LENGTH => Ok(bytes),
        Ok(_) => Err(io::ErrorKind::UnexpectedEof.into()),
        Err(errno) => Err(io::Error::from(errno)),
    };
    filled.map_err(|cause| Error::io("get", "random numbers", cause).with_kind(Kind::System))
}

/// `LENGTH` random bytes as lower-case hexadecimal digits.
///
/// # Errors
/// As [`bytes`].
pub fn hex<const LENGTH: usize>() -> Result<String, Error> {
    Ok(bytes::<LENGTH>()?.map(|byte| format!("{byte:02x}")).concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_identifiers_have_the_requested_length_and_differ() {
        let (one, other) = (hex::<12>().unwrap(), hex::<12>().unwrap());
        assert!(one.len() == 24 && one != other);
        assert!(one.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
}
