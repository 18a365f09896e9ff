//! Headers of a tar archive in the GNU format, in which names are arbitrary bytes (pax requires UTF-8). No I/O.
//!
//! A name over 100 bytes is written as a long-name entry before its file; a size over 8 GiB is written in base 256.

/// Bytes of one block of the archive.
pub const BLOCK: usize = 512;
/// The end of the archive.
pub const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

const MAX_NAME: usize = 100;
/// The largest number in eleven octal digits.
const MAX_OCTAL: u64 = (1 << 33) - 1;

/// The header of one file or folder.
#[derive(Debug, Clone, Copy)]
pub struct TarHeader<'a> {
    /// The path in the archive without NUL; the path of a folder ends in a slash.
    pub name: &'a [u8],
    /// Bytes of content.
    pub size: u64,
    /// Seconds since 1970.
    pub modified: i64,
    /// Whether a file is executable.
    pub executable: bool,
}

impl TarHeader<'_> {
    /// Appends the header, after a long-name entry if necessary; owner and group are 0, the mode is 755 or 644.
    pub fn write(&self, out: &mut Vec<u8>) {
        if self.name.len() > MAX_NAME {
            block(b"././@LongLink", b'L', 0o644, self.name.len() as u64 + 1, 0, out);
            out.extend_from_slice(self.name);
            out.push(0);
            out.resize(out.len() + padding(self.name.len() as u64 + 1), 0);
        }
        let is_folder = self.name.ends_with(b"/");
        let (kind, mode) = match (is_folder, self.executable) {
            (true, _) => (b'5', 0o755),
            (false, true) => (b'0', 0o755),
            (false, false) => (b'0', 0o644),
        };
        // Times before 1970 have no portable form.
        let modified = u64::try_from(self.modified).unwrap_or(0).min(MAX_OCTAL);
        block(self.name, kind, mode, self.size, modified, out);
    }
}

/// Bytes that fill the last block of a file of this size.
pub fn padding(size: u64) -> usize {
    let over = usize::try_from(size % BLOCK as u64).unwrap_or(0);
    (BLOCK - over) % BLOCK
}

fn block(name: &[u8], kind: u8, mode: u64, size: u64, modified: u64, out: &mut Vec<u8>) {
    let mut block = [0; BLOCK];
    let name = name.get(..MAX_NAME).unwrap_or(name);
    block[..name.len()].copy_from_slice(name);
    octal(&mut block[100..107], mode);
    octal(&mut block[108..115], 0);
    octal(&mut block[116..123], 0);
    if size > MAX_OCTAL {
        block[124] = 0x80;
        block[128..136].copy_from_slice(&size.to_be_bytes());
    } else {
        octal(&mut block[124..135], size);
    }
    octal(&mut block[136..147], modified);
    block[156] = kind;
    block[257..265].copy_from_slice(b"ustar  \0");
    // The checksum counts its own field as spaces.
    block[148..156].fill(b' ');
    let sum = block.iter().map(|byte| u64::from(*byte)).sum();
    octal(&mut block[148..154], sum);
    block[154] = 0;
    out.extend_from_slice(&block);
}

/// Writes a number as octal digits that fill the field.
fn octal(field: &mut [u8], mut value: u64) {
    for digit in field.iter_mut().rev() {
        *digit = b'0' + u8::try_from(value % 8).unwrap_or(0);
        value /= 8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Path, size, time and mode as the crate `tar` reads them.
    fn read(header: TarHeader) -> (Vec<u8>, u64, u64, u32) {
        let mut archive = Vec::new();
        header.write(&mut archive);
        assert_eq!(archive.len() % BLOCK, 0);
        let mut archive = tar::Archive::new(archive.as_slice());
        let entry = archive.entries().unwrap().next().unwrap().unwrap();
        let header = entry.header();
        (entry.path_bytes().into_owned(), header.size().unwrap(), header.mtime().unwrap(), header.mode().unwrap())
    }

    #[test]
    fn names_of_every_length_and_any_bytes_are_read_back() {
        for length in [1, 50, 99, 100, 101, 155, 256, 511, 512, 513, 4000] {
            let name: Vec<u8> = (0..length).map(|place| if place % 7 == 3 { 0xff } else { b'a' }).collect();
            let header = TarHeader { name: &name, size: 5, modified: 1_700_000_000, executable: false };
            assert_eq!(read(header), (name.clone(), 5, 1_700_000_000, 0o644));
            let folder = [name.as_slice(), b"/"].concat();
            assert_eq!(read(TarHeader { name: &folder, size: 0, ..header }).0, folder);
        }
    }

    #[test]
    fn sizes_of_every_order_are_read_back() {
        for size in [0, 1, MAX_OCTAL, MAX_OCTAL + 1, 1 << 40, 1 << 62] {
            assert_eq!(
                read(TarHeader { name: b"a", size, modified: 1, executable: true }),
                (b"a".to_vec(), size, 1, 0o755)
            );
        }
    }

    #[test]
    fn times_that_have_no_form_become_the_nearest_that_has_one() {
        let at = |modified| read(TarHeader { name: b"a", size: 0, modified, executable: false }).2;
        assert_eq!((at(-5), at(i64::MAX)), (0, MAX_OCTAL));
    }

    #[test]
    fn a_file_ends_at_a_block() {
        assert_eq!([0, 1, 511, 512, 513].map(padding), [0, 511, 1, 0, 511]);
    }
}
