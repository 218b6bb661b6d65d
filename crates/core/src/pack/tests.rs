use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::model::{Algorithm, SbomFormat, SbomSpec};
use crate::publish::Artifact;

fn artifact(content: &str) -> Artifact {
    let hash = Hash::of(content);
    let sha512 = format!("sha512:{hash}{hash}").parse().unwrap();
    Artifact { sha256: Digest::sha256(&hash), sha512, bytes: content.len() as u64 }
}

fn artifacts(names: &[&str]) -> Artifacts {
    names.iter().map(|name| ((*name).to_owned(), artifact(name))).collect()
}

fn pack(sbom: Option<SbomSpec>) -> Pack {
    Pack {
        spec: PackSpec {
            build: Some("make dist".into()),
            files: vec!["dist/*".into(), "../*.deb".into()],
            published: Vec::new(),
            checksums: vec![Algorithm::Sha256],
            sbom,
            provenance: None,
            component: None,
        },
        run: RunId(uuid::Uuid::from_u128(7)),
        service: "shop".parse().unwrap(),
        version: "1!2.0+a".into(),
        content: ObjectId("a".repeat(40)),
        tag: None,
        published: Artifacts::new(),
        variables: BTreeMap::new(),
        timeout: SignedDuration::from_mins(1),
        built_at: Timestamp::UNIX_EPOCH,
    }
}

fn sbom(format: SbomFormat, name: Option<&str>) -> SbomSpec {
    SbomSpec { command: "sbom".into(), format, name: name.map(Into::into) }
}

#[test]
fn checksums_are_lines_of_digits_and_names() {
    let (files, published) =
        (artifacts(&["b.tar.gz", "a.whl"]), artifacts(&["r.example.org/shop:1", "c.crate"]));
    let text = checksums(Algorithm::Sha256, &files, &published);
    let expected: String =
        ["a.whl", "b.tar.gz", "c.crate"].iter().map(|name| format!("{}  {name}\n", Hash::of(name))).collect();
    assert_eq!(text, expected);
    let long = checksums(Algorithm::Sha512, &files, &Artifacts::new());
    assert!(long.lines().all(|line| line.find("  ") == Some(128)), "{long}");
}

proptest! {
    // Whatever order files are found in, and wherever they come from, the same files have the same checksums.
    #[test]
    fn the_same_files_have_the_same_checksums(
        names in proptest::collection::btree_set("[a-z0-9._+-]{1,20}", 0..20),
        split in any::<u32>(),
    ) {
        let all: Artifacts = names.iter().map(|name| (name.clone(), artifact(name))).collect();
        let (one, other): (Artifacts, Artifacts) = all
            .clone()
            .into_iter()
            .enumerate()
            .partition_map_by(|number| split >> (number % 32) & 1 == 0);
        let whole = checksums(Algorithm::Sha256, &all, &Artifacts::new());
        prop_assert_eq!(&whole, &checksums(Algorithm::Sha256, &one, &other));
        prop_assert_eq!(whole.lines().count(), all.len());
        for (line, (name, file)) in whole.lines().zip(&all) {
            prop_assert_eq!(line, format!("{}  {name}", file.sha256.digits()));
        }
    }
}

/// Splits what is numbered.
trait Parted: Iterator<Item = (usize, (String, Artifact))> + Sized {
    fn partition_map_by(self, first: impl Fn(usize) -> bool) -> (Artifacts, Artifacts) {
        let (mut one, mut other) = (Artifacts::new(), Artifacts::new());
        for (number, (name, file)) in self {
            if first(number) { &mut one } else { &mut other }.insert(name, file);
        }
        (one, other)
    }
}
impl<I: Iterator<Item = (usize, (String, Artifact))>> Parted for I {}

#[test]
fn the_digest_stands_for_images_too() {
    let image = |content: &str| Artifacts::from([("r.example.org/shop:1".to_owned(), artifact(content))]);
    let digest = |files: &[&str], published: Artifacts| {
        Pack { published, ..pack(None) }.packed(artifacts(files), None).digest
    };
    assert_ne!(digest(&[], image("one")), digest(&[], image("other")));
    assert_ne!(digest(&["a.whl"], image("one")), digest(&["a.whl"], image("other")));
    assert_ne!(digest(&["a.whl"], image("one")), digest(&["a.whl"], Artifacts::new()));
    assert_eq!(digest(&["a.whl"], image("one")), digest(&["a.whl"], image("one")));
    // Of files alone, it is that of the file with the checksums.
    let sums = checksums(Algorithm::Sha256, &artifacts(&["a.whl"]), &Artifacts::new());
    assert_eq!(digest(&["a.whl"], Artifacts::new()), Digest::sha256(&Hash::of(sums)));
}

#[test]
fn more_than_a_command_can_get_is_not_packed() {
    let names = |length: usize| -> Artifacts {
        (0..FILES_MAX)
            .map(|number| format!("{number:0length$}"))
            .map(|name| (name.clone(), artifact(&name)))
            .collect()
    };
    let mut all = pack(None);
    all.spec.checksums = vec![Algorithm::Sha256, Algorithm::Sha512];
    all.spec.provenance = Some(crate::model::ProvenanceSpec { builder: "https://example.org/b".into() });
    assert_eq!(all.fits(&names(30)), Ok(()));
    let why = all.fits(&names(100)).unwrap_err();
    assert!(why.contains("a command can get 54 KiB"), "{why}");
    // What is published besides counts as well, and what is not told of does not.
    let (one, other): (Artifacts, Artifacts) =
        names(100).into_iter().partition(|(name, _)| name.ends_with('7'));
    let why = Pack { published: other, ..all.clone() }.fits(&one).unwrap_err();
    assert!(why.contains("KiB"), "{why}");
    assert_eq!(pack(None).fits(&names(100)), Ok(()));
}

#[test]
fn names_of_made_files_are_plain() {
    let one = pack(Some(sbom(SbomFormat::Cyclonedx, None)));
    assert_eq!(one.sbom_file().unwrap(), "shop-1-2.0+a.cdx.json");
    assert_eq!(one.patterns(), ["source/dist/*", "*.deb", "out/shop-1-2.0+a.cdx.json"]);
}

#[test]
fn what_is_kept_is_told_by_run_content_and_spec() {
    let one = pack(None);
    let with = |change: fn(&mut Pack)| {
        let mut other = one.clone();
        change(&mut other);
        other.key()
    };
    assert_eq!(with(|other| other.timeout = SignedDuration::from_mins(9)), one.key());
    let others: [fn(&mut Pack); 4] = [
        |other| other.run = RunId(uuid::Uuid::from_u128(8)),
        |other| other.content = ObjectId("b".repeat(40)),
        |other| other.spec.build = None,
        |other| other.version = "2".into(),
    ];
    for change in others {
        assert_ne!(with(change), one.key());
    }
}

#[test]
fn what_was_found_has_to_be_what_is_packed() {
    let check = |pack: &Pack, names: &[&str], expected: Result<(), &str>| {
        let found = pack.fits(&artifacts(names));
        match expected {
            Ok(()) => assert_eq!(found, Ok(()), "{names:?}"),
            Err(words) => assert!(found.clone().unwrap_err().contains(words), "{names:?}: {found:?}"),
        }
    };
    let plain = pack(None);
    check(&plain, &["a.whl"], Ok(()));
    check(&plain, &[], Err("no file fits"));
    check(&plain, &["SHA256SUMS", "a.whl"], Err("is to be made of what was packed"));
    let many: Vec<String> = (0..=FILES_MAX).map(|number| format!("f{number}")).collect();
    check(&plain, &many.iter().map(String::as_str).collect::<Vec<_>>(), Err("100 is the most"));
    let listed = pack(Some(sbom(SbomFormat::Spdx, None)));
    check(&listed, &["a.whl", "shop-1-2.0+a.spdx.json"], Ok(()));
    check(&listed, &["a.whl"], Err("left no SBOM"));
    check(&listed, &["shop-1-2.0+a.spdx.json"], Err("no file fits"));
    let mut after = pack(None);
    after.published = BTreeMap::from([("a.whl".to_owned(), artifact("other"))]);
    check(&after, &["a.whl"], Err("another file of that name was published"));
    after.published = artifacts(&["a.whl"]);
    check(&after, &["a.whl"], Ok(()));
}

#[test]
fn lists_of_parts_have_to_be_of_this_release() {
    let check = |format, name: Option<&str>, text: &str, expected: Result<u32, &str>| {
        let of = sbom(format, name);
        let found = pack(Some(of.clone())).sbom_parts(&of, text.as_bytes());
        match expected {
            Ok(parts) => assert_eq!(found, Ok(parts), "{text}"),
            Err(words) => assert!(found.clone().unwrap_err().contains(words), "{text}: {found:?}"),
        }
    };
    let cyclonedx = |component: &str| {
        let components = r#"[{"type":"library","name":"a"},{"type":"library","name":"b"}]"#;
        format!(
            r#"{{"bomFormat":"CycloneDX","specVersion":"1.6","metadata":{{{component}}},"components":{components}}}"#
        )
    };
    let right = cyclonedx(r#""component":{"type":"application","name":"shop","version":"1!2.0+a"}"#);
    check(SbomFormat::Cyclonedx, None, &right, Ok(2));
    check(SbomFormat::Cyclonedx, Some("desk"), &right, Err("describes `shop`, not `desk`"));
    check(SbomFormat::Spdx, None, &right, Err("is no SPDX 2"));
    let grouped = cyclonedx(r#""component":{"group":"@shop","name":"client","version":"1!2.0+a"}"#);
    check(SbomFormat::Cyclonedx, Some("@shop/client"), &grouped, Ok(2));
    check(SbomFormat::Cyclonedx, None, &cyclonedx(""), Err("does not say what it describes"));
    let unversioned = cyclonedx(r#""component":{"name":"shop"}"#);
    check(SbomFormat::Cyclonedx, None, &unversioned, Err("does not say which version"));
    let other = cyclonedx(r#""component":{"name":"shop","version":"1\u001b[2J"}"#);
    check(SbomFormat::Cyclonedx, None, &other, Err("describes shop 1"));
    check(SbomFormat::Cyclonedx, None, "{}", Err("is no CycloneDX"));
    check(SbomFormat::Cyclonedx, None, "<bom/>", Err("is not JSON"));
    check(SbomFormat::Cyclonedx, None, "[1]", Err("is not"));
    let spdx = |described: &str, packages: &str| {
        format!(
            r#"{{"spdxVersion":"SPDX-2.3","SPDXID":"SPDXRef-DOCUMENT",{described},"packages":[{packages}]}}"#
        )
    };
    let ours = r#"{"SPDXID":"SPDXRef-1","name":"shop","versionInfo":"1!2.0+a"}"#;
    let theirs = r#"{"SPDXID":"SPDXRef-2","name":"left-pad","versionInfo":"1.0"}"#;
    let both = format!("{ours},{theirs}");
    check(SbomFormat::Spdx, None, &spdx(r#""documentDescribes":["SPDXRef-1"]"#, &both), Ok(1));
    let related = r#""relationships":[{"spdxElementId":"SPDXRef-DOCUMENT","relationshipType":"DESCRIBES","relatedSpdxElement":"SPDXRef-1"}]"#;
    check(SbomFormat::Spdx, None, &spdx(related, &both), Ok(1));
    check(SbomFormat::Spdx, None, &spdx(related, theirs), Err("does not say what it describes"));
    let relation = |kind: &str, number: usize| {
        format!(
            r#"{{"spdxElementId":"SPDXRef-DOCUMENT","relationshipType":"{kind}","relatedSpdxElement":"SPDXRef-{number}"}}"#
        )
    };
    let many = |kind: &str, numbers: &mut dyn Iterator<Item = usize>| {
        let relations: Vec<String> = numbers.map(|number| relation(kind, number)).collect();
        spdx(&format!(r#""relationships":[{}]"#, relations.join(",")), &both)
    };
    check(SbomFormat::Spdx, None, &many("DESCRIBES", &mut (1..=1_000)), Ok(0));
    check(SbomFormat::Spdx, None, &many("DESCRIBES", &mut (1..=1_001)), Err("more than 1000 parts"));
    // One that is said again is no other, and what is no description is not kept at all.
    check(SbomFormat::Spdx, None, &many("DESCRIBES", &mut (0..5_000).map(|_| 1)), Ok(1));
    check(SbomFormat::Spdx, None, &many("CONTAINS", &mut (1..5_000)), Err("does not say what it describes"));
    let named: Vec<String> = (1..=1_001).map(|number| format!("\"SPDXRef-{number}\"")).collect();
    let named = spdx(&format!(r#""documentDescribes":[{}]"#, named.join(",")), &both);
    check(SbomFormat::Spdx, None, &named, Err("more than 1000 parts"));
    check(SbomFormat::Spdx, None, &spdx(r#""relationships":7"#, &both), Err("not of the declared format"));
    let wrong = spdx(r#""documentDescribes":["SPDXRef-2"]"#, &both);
    check(SbomFormat::Spdx, None, &wrong, Err("describes `left-pad`, not `shop`"));
    check(
        SbomFormat::Spdx,
        None,
        r#"{"spdxVersion":"SPDX-2.3","packages":7}"#,
        Err("not of the declared format"),
    );
}

#[test]
fn addresses_of_the_source_tell_no_secret_and_no_folder() {
    let check = |url: &str, expected: Option<&str>| assert_eq!(source_uri(url).as_deref(), expected, "{url}");
    check("https://me:pw@git.example.org/a/b.git", Some("git+https://git.example.org/a/b.git"));
    check("https://token@git.example.org/a", Some("git+https://git.example.org/a"));
    check("https://git.example.org/a?token=x#y", Some("git+https://git.example.org/a"));
    check("ssh://git:pw@git.example.org:2222/a", Some("git+ssh://git@git.example.org:2222/a"));
    check("git@git.example.org:team/shop.git", Some("git+ssh://git@git.example.org/team/shop.git"));
    check("/srv/shop.git", None);
    check("file:///srv/shop.git", None);
    check("../origin.git", None);
    check("https://git.example.org/a b", None);
    check("", None);
}
