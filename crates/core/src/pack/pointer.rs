//! Files that stand for others: what Git LFS commits in place of a large file.

/// What such a file begins with.
const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// The length of the longest such file, in bytes.
pub const POINTER_MAX_BYTES: u64 = 1024;

/// Whether the content of a file is a pointer of Git LFS.
pub fn is_lfs_pointer(content: &[u8]) -> bool {
    content.len() as u64 <= POINTER_MAX_BYTES && content.starts_with(POINTER)
}

#[cfg(test)]
mod tests {
    use super::is_lfs_pointer;

    #[test]
    fn pointers_are_small_and_begin_alike() {
        let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n";
        assert!(is_lfs_pointer(pointer));
        assert!(!is_lfs_pointer(b"version 1\n"));
        assert!(!is_lfs_pointer(b""));
        assert!(!is_lfs_pointer(&pointer.repeat(100)), "a text that quotes one");
    }
}
