//! Files that were packed: found by patterns, kept whole or not at all, given back as they were.

use std::fs;
use std::path::Path;

use tempfile::TempDir;
use tollgate_connect::depot::FolderDepot;
use tollgate_core::journal::Hash;
use tollgate_engine::ports::{Artifacts, Depot, PortError};

struct Place {
    folder: TempDir,
    depot: FolderDepot,
}

impl Place {
    /// With these files to be packed.
    fn new(files: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in files {
            let file = folder.path().join("packed").join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, format!("content of {name}")).unwrap();
        }
        let depot = FolderDepot::new(&folder.path().join("state"));
        Self { folder, depot }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    async fn keep(&self, patterns: &[&str]) -> Result<Artifacts, PortError> {
        let patterns: Vec<String> = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
        self.depot.keep(&key(), &self.path("packed"), &patterns).await
    }
}

fn key() -> Hash {
    Hash::of("a publication")
}

fn names(kept: &Artifacts) -> Vec<&str> {
    kept.keys().map(String::as_str).collect()
}

#[tokio::test]
async fn what_was_kept_stays_as_it_was() {
    let place = Place::new(&["out/a.whl", "out/b.tar.gz", "out/c.log"]);
    assert_eq!(place.depot.kept(&key()).await, Ok(None));
    let kept = place.keep(&["out/*.whl", "out/*.tar.gz"]).await.unwrap();
    assert_eq!(names(&kept), ["a.whl", "b.tar.gz"]);
    assert_eq!(kept["a.whl"].sha256.to_string(), format!("sha256:{}", Hash::of("content of out/a.whl")));
    assert_eq!(kept["a.whl"].bytes, 20);
    // Packed again, it is another file; the first one counts.
    fs::write(place.path("packed/out/a.whl"), "something else").unwrap();
    assert_eq!(place.keep(&["out/*"]).await.unwrap(), kept);
    let again = FolderDepot::new(&place.path("state"));
    assert_eq!(again.kept(&key()).await, Ok(Some(kept)));

    let folder = place.path("laid/out");
    place.depot.lay_out(&key(), &["a.whl".to_owned()], &folder).await.unwrap();
    assert_eq!(fs::read_to_string(folder.join("a.whl")).unwrap(), "content of out/a.whl");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    assert!(place.depot.lay_out(&key(), &["c.log".to_owned()], &folder).await.is_err());

    // What a process left that was killed while it kept files is found, and goes as well.
    let half = Hash::of("half");
    let folder = place.path("state/publications");
    fs::create_dir_all(folder.join(format!(".new-{half}/files"))).unwrap();
    fs::create_dir(folder.join("somebody-else-s")).unwrap();
    let mut keys = place.depot.keys().await.unwrap();
    keys.sort();
    let mut expected = [key(), half];
    expected.sort();
    assert_eq!(keys, expected);
    place.depot.forget(&half).await.unwrap();
    assert_eq!(place.depot.keys().await, Ok(vec![key()]));
    place.depot.forget(&key()).await.unwrap();
    assert_eq!(place.depot.kept(&key()).await, Ok(None));
    place.depot.forget(&key()).await.unwrap();
    assert_eq!(place.depot.keys().await, Ok(Vec::new()));
}

#[tokio::test]
async fn what_was_changed_is_not_given_out() {
    let place = Place::new(&["a.whl"]);
    place.keep(&["*.whl"]).await.unwrap();
    let kept = place.path("state/publications").join(key().to_string()).join("files/a.whl");
    fs::write(kept, "content of A.whl").unwrap();
    let error = place.depot.lay_out(&key(), &["a.whl".to_owned()], &place.path("out")).await.unwrap_err();
    assert!(error.why.contains("not as it was packed"), "{error}");
    assert!(error.hint.unwrap().contains("tollgate respin"));
    let error = place.depot.read(&key(), "a.whl", 100).await.unwrap_err();
    assert!(error.why.contains("not as it was packed"), "{error}");
}

#[tokio::test]
async fn what_is_gone_is_said_to_be_gone() {
    let place = Place::new(&["a.whl", "b.whl"]);
    place.keep(&["*.whl"]).await.unwrap();
    let check = async |name: &str| {
        let laid = place.depot.lay_out(&key(), &[name.to_owned()], &place.path("out")).await.unwrap_err();
        let read = place.depot.read(&key(), name, 100).await.unwrap_err();
        for error in [laid, read] {
            assert!(error.why.contains(&format!("`{name}` was packed, and is not kept any more")), "{error}");
            assert!(error.hint.as_ref().unwrap().contains("tollgate abort"), "{error}");
            assert_eq!(error.class, tollgate_engine::ports::FailureClass::Permanent);
        }
    };
    let kept = place.path("state/publications").join(key().to_string());
    fs::remove_file(kept.join("files/a.whl")).unwrap();
    check("a.whl").await;
    fs::remove_dir_all(&kept).unwrap();
    check("b.whl").await;
}

#[tokio::test]
async fn files_are_read_and_texts_are_put_beside_them() {
    let place = Place::new(&["a.whl"]);
    place.keep(&["*.whl"]).await.unwrap();
    assert_eq!(place.depot.read(&key(), "a.whl", 16).await.unwrap(), b"content of a.whl");
    let error = place.depot.read(&key(), "a.whl", 15).await.unwrap_err();
    assert!(error.why.contains("larger than 15 bytes"), "{error}");
    assert!(place.depot.read(&key(), "../record.json", 100).await.is_err());
    let folder = place.path("laid/out");
    place.depot.lay_out(&key(), &["a.whl".to_owned()], &folder).await.unwrap();
    let texts = [("SUMS".to_owned(), "a line\n".to_owned())].into();
    place.depot.write(&folder, &texts).await.unwrap();
    assert_eq!(fs::read_to_string(folder.join("SUMS")).unwrap(), "a line\n");
    // Nothing that was packed is written over.
    let texts = [("a.whl".to_owned(), "other".to_owned())].into();
    assert!(place.depot.write(&folder, &texts).await.is_err());
    assert_eq!(fs::read_to_string(folder.join("a.whl")).unwrap(), "content of a.whl");
}

#[tokio::test]
async fn a_crash_while_keeping_leaves_nothing() {
    let place = Place::new(&["a.whl"]);
    // What a process left behind that died before it was done.
    let half = place.path("state/publications").join(format!(".new-{}", key()));
    fs::create_dir_all(half.join("files")).unwrap();
    fs::write(half.join("files/old.whl"), "old").unwrap();
    assert_eq!(place.depot.kept(&key()).await, Ok(None));
    assert_eq!(names(&place.keep(&["*.whl"]).await.unwrap()), ["a.whl"]);
    assert!(!half.exists());
}

#[tokio::test]
async fn patterns_find_files_and_nothing_outside() {
    let files = ["dist/a.whl", "dist/.hidden", "dist/deep/er/b.whl", "c.deb", "odd/x y.whl", "twice/a.whl"];
    let check = async |patterns: &[&str], expected: Result<&[&str], &str>| {
        let place = Place::new(&files);
        std::os::unix::fs::symlink("/etc", place.path("packed/dist/link")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", place.path("packed/dist/link.whl")).unwrap();
        match (place.keep(patterns).await, expected) {
            (Ok(kept), Ok(expected)) => assert_eq!(names(&kept), expected, "{patterns:?}"),
            (Err(error), Err(words)) => assert!(error.why.contains(words), "{patterns:?}: {error}"),
            (other, _) => panic!("{patterns:?}: {other:?}"),
        }
    };
    check(&["dist/*"], Ok(&["a.whl"])).await;
    check(&["dist/**/*.whl"], Ok(&["a.whl", "b.whl"])).await;
    check(&["./c.deb", "dist/*/*/*.whl"], Ok(&["b.whl", "c.deb"])).await;
    check(&["dist/.hid*"], Ok(&[".hidden"])).await;
    check(&["none/*", "c.deb"], Ok(&["c.deb"])).await;
    check(&["none/*"], Err("no file fits `none/*`")).await;
    check(&["dist/link/passwd"], Err("no file fits")).await;
    check(&["../packed/c.deb"], Err("leaves its folder")).await;
    check(&["odd/*"], Err("not the name of a file that could be published")).await;
    check(&["dist/*", "twice/*"], Err("more than one `a.whl`")).await;
}

#[tokio::test]
async fn folders_are_made_or_emptied() {
    let place = Place::new(&["a"]);
    place.depot.clear(&place.path("packed")).await.unwrap();
    assert!(!Path::new(&place.path("packed/a")).exists());
    place.depot.clear(&place.path("new/one")).await.unwrap();
    assert!(place.path("new/one").is_dir());
}
