//! On which kind of file system the state lies. File locks and shared memory cannot be trusted over a network.

use std::path::Path;

/// Network file systems by the number that `statfs` gives.
const NETWORK: &[(u32, &str)] = &[
    (0x0000_6969, "nfs"),
    (0x0000_517B, "smb"),
    (0xFF53_4D42, "cifs"),
    (0xFE53_4D42, "smb2"),
    (0x0102_1997, "9p"),
    (0x7375_7245, "coda"),
    (0x5346_414F, "afs"),
    (0x6B41_4653, "afs"),
    (0x0000_564C, "ncp"),
    (0x00C3_6400, "ceph"),
    (0x0BD0_0BD0, "lustre"),
    (0x4750_4653, "gpfs"),
    (0x1983_0326, "beegfs"),
    (0x0116_1970, "gfs2"),
    (0x7461_636F, "ocfs2"),
    (0x786F_4256, "vboxsf"),
];

/// FUSE: what is behind it stands only in the list of mounts.
const FUSE: u32 = 0x6573_5546;

/// Kinds of FUSE file systems that are networks, as they stand after `fuse.` in the list of mounts.
const NETWORK_FUSE: &[&str] = &[
    "afpfs",
    "blobfuse",
    "blobfuse2",
    "ceph",
    "ceph-fuse",
    "curlftpfs",
    "davfs",
    "davfs2",
    "gcsfuse",
    "glusterfs",
    "goofys",
    "juicefs",
    "moosefs",
    "mount-s3",
    "mountpoint-s3",
    "mfs",
    "rclone",
    "s3fs",
    "seaweedfs",
    "smbnetfs",
    "sshfs",
    "weed",
];

/// What the system says about a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mounted {
    magic: u32,
    device: (u32, u32),
    /// Nobody can write to it.
    pub(crate) read_only: bool,
}

/// Asks the system about the file system of a file or folder.
#[cfg(target_os = "linux")]
pub(crate) fn mounted(path: &Path) -> std::io::Result<Mounted> {
    let file_system = rustix::fs::statfs(path)?;
    let flags = rustix::fs::statvfs(path)?.f_flag;
    let device = rustix::fs::stat(path)?.st_dev;
    Ok(Mounted {
        // The number has 32 bits; on some machines it comes with a sign.
        magic: (file_system.f_type as u64 & 0xFFFF_FFFF) as u32,
        device: (rustix::fs::major(device), rustix::fs::minor(device)),
        read_only: flags.contains(rustix::fs::StatVfsMountFlags::RDONLY),
    })
}

/// Elsewhere nothing is known, and everything is taken as local.
#[cfg(not(target_os = "linux"))]
pub(crate) fn mounted(_path: &Path) -> std::io::Result<Mounted> {
    Ok(Mounted { magic: 0, device: (0, 0), read_only: false })
}

impl Mounted {
    /// The kind of file system, if it is one over a network.
    pub(crate) fn network(self) -> Option<String> {
        self.network_in(|| std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default())
    }

    fn network_in(self, mounts: impl FnOnce() -> String) -> Option<String> {
        if self.magic == FUSE {
            let kind = fuse_kind(&mounts(), self.device)?;
            return NETWORK_FUSE.contains(&kind.as_str()).then(|| format!("fuse.{kind}"));
        }
        NETWORK.iter().find(|(magic, _)| *magic == self.magic).map(|(_, kind)| (*kind).to_owned())
    }
}

/// What stands after `fuse.` in the list of mounts for a device.
fn fuse_kind(mounts: &str, (major, minor): (u32, u32)) -> Option<String> {
    let device = format!("{major}:{minor}");
    mounts.lines().find_map(|line| {
        let (mount, source) = line.split_once(" - ")?;
        if mount.split(' ').nth(2)? != device {
            return None;
        }
        source.split(' ').next()?.strip_prefix("fuse.").map(str::to_owned)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
91 22 0:48 / /home/a/far rw,nosuid shared:2 master:3 - fuse.sshfs a@b:/ rw,user_id=0
92 22 0:49 / /home/a/near rw,nosuid - fuse.gocryptfs /x rw,user_id=0
93 22 0:50 / /media/b rw - fuseblk /dev/sdb1 rw
";

    fn kind(magic: u32, minor: u32) -> Option<String> {
        Mounted { magic, device: (0, minor), read_only: false }.network_in(|| MOUNTS.to_owned())
    }

    #[test]
    fn network_file_systems_are_known() {
        assert_eq!(kind(0x6969, 0).as_deref(), Some("nfs"));
        assert_eq!(kind(0xFF53_4D42, 0).as_deref(), Some("cifs"));
        assert_eq!(kind(0x0102_1997, 0).as_deref(), Some("9p"));
        assert_eq!(kind(FUSE, 48).as_deref(), Some("fuse.sshfs"));
    }

    #[test]
    fn local_ones_pass() {
        for minor in [49, 50, 51] {
            assert_eq!(kind(FUSE, minor), None);
        }
        assert_eq!(kind(0xEF53, 0), None);
        assert_eq!(mounted(Path::new("/proc")).map(Mounted::network).unwrap(), None);
    }
}
