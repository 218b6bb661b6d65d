//! A file that keeps the end of a stream.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// How much of a stream is kept.
pub(super) const TAIL_MAX_BYTES: usize = 1024 * 1024;

/// Keeps the last bytes of a stream in memory and, as they come, in a file. The file may grow to twice the limit before it is
/// cut, so that cutting stays cheap.
#[derive(Debug)]
pub(super) struct Tail {
    path: PathBuf,
    limit: usize,
    file: File,
    in_file: usize,
    ring: VecDeque<u8>,
    /// Whether some write failed (the disk is full, say): what is in memory is written once more at the end.
    behind: bool,
}

impl Tail {
    /// Makes the file anew.
    pub(super) fn create(path: PathBuf, limit: usize) -> io::Result<Self> {
        let file = File::create(&path)?;
        Ok(Self { path, limit, file, in_file: 0, ring: VecDeque::new(), behind: false })
    }

    /// Adds to the stream. A full disk does not end the command: the error is kept for the end.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let bytes = &bytes[bytes.len().saturating_sub(self.limit)..];
        let excess = (self.ring.len() + bytes.len()).saturating_sub(self.limit);
        self.ring.drain(..excess);
        self.ring.extend(bytes);
        if self.file.write_all(bytes).is_err() {
            self.behind = true;
        }
        self.in_file += bytes.len();
        if self.in_file > 2 * self.limit && self.rewrite().is_err() {
            self.behind = true;
        }
    }

    /// Brings the file to its final content, safe from a power cut.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        if self.behind || self.in_file > self.limit {
            self.rewrite()?;
            self.behind = false;
        }
        self.file.sync_all()
    }

    /// Puts a file of the last bytes in place of the one there.
    fn rewrite(&mut self) -> io::Result<()> {
        let next = self.path.with_extension("next");
        let mut file = File::create(&next)?;
        let (one, two) = self.ring.as_slices();
        file.write_all(one)?;
        file.write_all(two)?;
        std::fs::rename(&next, &self.path)?;
        self.file = file;
        self.in_file = self.ring.len();
        Ok(())
    }
}

/// The last bytes of a file; nothing when there is no file.
pub(super) fn read_tail(path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let length = file.metadata()?.len();
    let limit = limit as u64;
    file.seek(SeekFrom::Start(length.saturating_sub(limit)))?;
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_bytes_are_kept_and_the_file_stays_small() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("output");
        let mut tail = Tail::create(path.clone(), 10).unwrap();
        let mut all = Vec::new();
        for size in [0, 3, 7, 1, 9, 25, 4, 2, 2, 2] {
            let piece: Vec<u8> =
                (0..size).map(|n| b'a' + u8::try_from((all.len() + n) % 26).unwrap()).collect();
            all.extend_from_slice(&piece);
            tail.push(&piece);
            let length = std::fs::metadata(&path).unwrap().len();
            assert!(length <= 20, "{length}");
            assert_eq!(read_tail(&path, 10).unwrap(), all[all.len().saturating_sub(10)..]);
        }
        tail.finish().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), all[all.len() - 10..]);
    }

    #[test]
    fn no_file_is_no_output() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read_tail(&folder.path().join("none"), 10).unwrap().is_empty());
    }
}
