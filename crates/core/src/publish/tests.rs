//! What registries answer, what it means, and what the tools are told.

use proptest::prelude::*;

use super::*;
use crate::model::{Access, Crates, Debian, Npm, Oci, Pypi};

const FORMS: [&str; 2] = ["1.9.0", "1.9.0-rc.1"];

fn artifact(content: &str) -> Artifact {
    use sha2::Digest as _;
    let digits: String = sha2::Sha512::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
    Artifact {
        sha256: Digest::sha256(&Hash::of(content)),
        sha512: format!("sha512:{digits}").parse().unwrap(),
        bytes: content.len() as u64,
    }
}

fn publish(target: Target<String>, version: &str) -> Publish {
    Publish {
        target,
        version: version.into(),
        content: ObjectId("c0ffee".into()),
        variables: BTreeMap::from([("TOLLGATE_VERSION".into(), version.into())]),
        token: Some("TOKEN".into()),
        timeout: SignedDuration::from_mins(5),
        built_at: Timestamp::UNIX_EPOCH,
    }
}

fn crates(package: &str) -> Target<String> {
    Target::Crates(Crates {
        package: package.into(),
        manifest: "Cargo.toml".into(),
        registry: None,
        index: "https://index.crates.io".into(),
        verify: true,
    })
}

fn pypi() -> Target<String> {
    Target::Pypi(Pypi {
        package: "My.App".into(),
        build: "python3 -m build".into(),
        files: vec!["dist/*".into()],
        url: "https://upload.pypi.org/legacy/".into(),
        index: "https://pypi.org/simple".into(),
        user: "__token__".into(),
    })
}

fn npm() -> Target<String> {
    Target::Npm(Npm {
        package: "@shop/app".into(),
        folder: String::new(),
        build: None,
        tag: None,
        registry: "https://registry.npmjs.org".into(),
        access: Some(Access::Restricted),
    })
}

fn debian() -> Target<String> {
    Target::Debian(Debian {
        package: "shop".into(),
        build: "dpkg-buildpackage -b".into(),
        files: vec!["../*.deb".into(), "./more/*.deb".into()],
        repository: "/srv/apt".into(),
        url: None,
        codename: "bookworm".into(),
        component: "main".into(),
        architecture: "amd64".into(),
    })
}

fn oci() -> Target<String> {
    Target::Oci(Oci {
        from: "staging.example.org/app:build-7".into(),
        to: "registry.example.org/team/app:1.9.0".into(),
        component: None,
        user: None,
    })
}

fn named(names: &[&str]) -> Artifacts {
    names.iter().map(|name| ((*name).to_owned(), artifact(name))).collect()
}

fn answered(body: &str) -> Vec<Option<Answer>> {
    vec![Some(Answer { body: body.into(), digest: None })]
}

#[test]
fn a_version_is_looked_for_where_its_registry_keeps_it() {
    let check = |target: Target<String>, ours: &[&str], expected: &[&str]| {
        let lookups = publish(target, "1.9.0").lookups(&named(ours)).unwrap();
        assert_eq!(lookups.iter().map(|lookup| lookup.url.as_str()).collect::<Vec<_>>(), expected);
    };
    check(crates("a"), &[], &["https://index.crates.io/1/a"]);
    check(crates("Ab"), &[], &["https://index.crates.io/2/ab"]);
    check(crates("abc"), &[], &["https://index.crates.io/3/a/abc"]);
    check(crates("Shop_App"), &[], &["https://index.crates.io/sh/op/shop_app"]);
    check(pypi(), &[], &["https://pypi.org/simple/my-app/"]);
    check(npm(), &[], &["https://registry.npmjs.org/@shop%2fapp"]);
    let debs = ["shop_1.9.0_amd64.deb", "shop-doc_1.9.0_all.deb", "shop_1.9.0_arm64.deb"];
    let list = |of: &str| format!("file:///srv/apt/dists/bookworm/main/binary-{of}/Packages");
    check(debian(), &debs, &[&list("amd64"), &list("arm64")]);
    // Before anything is packed.
    check(debian(), &[], &[&list("amd64")]);
    check(oci(), &[], &["https://registry.example.org/v2/team/app/manifests/1.9.0"]);
}

#[test]
fn secrets_are_shown_to_the_registry_alone() {
    let credentials = |target| {
        publish(target, "1.9.0").lookups(&named(&["shop_1.9.0_all.deb"])).unwrap()[0].credentials.clone()
    };
    assert_eq!(credentials(crates("app")).unwrap().scheme, Scheme::Plain);
    assert_eq!(credentials(pypi()).unwrap().scheme, Scheme::Basic("__token__".into()));
    let to_npm = credentials(npm()).unwrap();
    assert!(to_npm.always && to_npm.scheme == Scheme::Bearer);
    assert_eq!(credentials(debian()), None);
}

#[test]
fn what_is_listed_is_read() {
    let digest = |name: &str| artifact(name).sha256;
    let check = |target: Target<String>,
                 version: &str,
                 ours: &[&str],
                 body: &str,
                 expected: &[(&str, Option<Digest>)]| {
        let expected: Listed =
            expected.iter().map(|(name, digest)| ((*name).to_owned(), digest.clone())).collect();
        assert_eq!(publish(target, version).listed(&named(ours), &answered(body)), Ok(expected), "{body}");
    };
    let hash = Hash::of("x");
    let line = |version: &str| {
        format!("{{\"name\":\"app\",\"vers\":\"{version}\",\"cksum\":\"{hash}\",\"yanked\":true}}\n")
    };
    let x = Some(Digest::sha256(&hash));
    check(crates("app"), "1.9.0", &[], &line("1.8.0"), &[]);
    check(crates("app"), "1.9.0", &[], &(line("1.8.0") + &line("1.9.0")), &[("app-1.9.0.crate", x.clone())]);
    check(crates("app"), "1.9.0", &[], &line("1.9.0+other"), &[("app-1.9.0+other.crate", x.clone())]);

    let files = format!(
        "{{\"files\":[{{\"filename\":\"my_app-1.9.0rc1-py3-none-any.whl\",\"hashes\":{{\"sha256\":\"{hash}\"}}}},\
         {{\"filename\":\"my.app-1.8.0.tar.gz\",\"hashes\":{{}}}},{{\"filename\":\"My-App-1.9.0-rc1.zip\",\"hashes\":{{}}}}]}}"
    );
    check(pypi(), FORMS[1], &[], &files, &[("my_app-1.9.0rc1-py3-none-any.whl", x.clone())]);
    let page = format!(
        "<!DOCTYPE html><html><body><A HREF='../../files/my_app-1.9.0.tar.gz#sha256={hash}'>x</A></body></html>"
    );
    check(pypi(), "1.9.0", &[], &page, &[("my_app-1.9.0.tar.gz", x.clone())]);

    let tarball = "shop-app-1.9.0.tgz";
    let packument =
        format!("{{\"versions\":{{\"1.9.0\":{{\"dist\":{{\"integrity\":\"{}\"}}}}}}}}", INTEGRITY_OF_X);
    check(npm(), "1.8.0", &[tarball], &packument, &[]);
    check(npm(), "1.9.0", &[tarball], &packument, &[(tarball, Some(artifact("x").sha512))]);

    let deb = "shop_1.9.0_amd64.deb";
    let stanza = format!("Package: shop\nFilename: pool/main/s/shop/{deb}\nSHA256: {}\n", digest(deb));
    check(
        debian(),
        "1.9.0",
        &[deb],
        &format!("Package: other\nFilename: o.deb\n\n{}", stanza.replace("sha256:", "")),
        &[(deb, Some(digest(deb)))],
    );
    check(debian(), "1.9.0", &[deb], "", &[]);
    // Before it is packed, nobody knows what the file is called.
    for (version, found, is_it) in [
        (FORMS[0], "1:1.9.0-2", true),
        (FORMS[0], "1.9.0~rc.1-1", false),
        (FORMS[0], "1.9.0-rc.1", false),
        (FORMS[1], "1:1.9.0~rc.1-2", true),
        (FORMS[1], "1.9.0-2", false),
    ] {
        let body = stanza.replace("Package: shop", &format!("Package: shop\nVersion: {found}"));
        let listed = publish(debian(), version).listed(&Artifacts::new(), &answered(&body)).unwrap();
        assert_eq!(!listed.is_empty(), is_it, "{found}");
        let other = body.replace("Package: shop\n", "Package: shop-doc\n");
        assert!(publish(debian(), "1.9.0").listed(&Artifacts::new(), &answered(&other)).unwrap().is_empty());
    }
}

/// What npm writes for the content `x`.
const INTEGRITY_OF_X: &str =
    "sha512-pKvURIxJVi2CgRXROh/M6pJ/UrTVRZKX+LQ+QtqJI4vBNibkPcs43bCCSIkn7JBPtCBXRDmD6IWFF51QVRr+Yg==";

#[test]
fn what_is_not_understood_is_no_version() {
    let check = |target: Target<String>, body: &str| {
        assert!(
            publish(target, "1.9.0").listed(&named(&["app-1.9.0.tgz"]), &answered(body)).is_err(),
            "{body}"
        );
    };
    for garbage in ["<html>Not today</html", "{", "{}", "\u{1}"] {
        check(crates("app"), garbage);
        check(npm(), garbage);
        check(debian(), garbage);
        check(oci(), garbage);
    }
    for garbage in ["", "{", "{}", "not today"] {
        check(pypi(), garbage);
    }
    let odd = Answer { body: Vec::new(), digest: Some("md5:1".into()) };
    assert!(publish(oci(), "1.9.0").listed(&named(&[]), &[Some(odd)]).is_err());
    assert_eq!(publish(oci(), "1.9.0").listed(&named(&[]), &[None]), Ok(Listed::new()));
}

#[test]
fn only_what_was_meant_is_published() {
    let check = |target: &Target<String>, version: &str, names: &[&str], expected: bool| {
        let fits = fits(&publish(target.clone(), version), &named(names));
        assert_eq!(fits.is_ok(), expected, "{names:?}: {fits:?}");
    };
    check(&crates("app"), "1.9.0", &["app-1.9.0.crate"], true);
    check(&crates("app"), "1.9.0", &["app-1.8.0.crate"], false);
    check(&crates("app"), "1.9.0", &[], false);
    check(&npm(), "1.9.0", &["shop-app-1.9.0.tgz"], true);
    check(&npm(), "1.9.0", &["app-1.9.0.tgz"], false);
    check(&pypi(), FORMS[1], &["my_app-1.9.0rc1.tar.gz", "my_app-1.9.0rc1-py3-none-any.whl"], true);
    check(&pypi(), FORMS[0], &["my_app-1.9.0rc1.tar.gz"], false);
    check(&pypi(), FORMS[0], &["other-1.9.0.tar.gz"], false);
    check(&debian(), "1.9.0", &["shop_1.9.0-2_amd64.deb", "shop-doc_1.9.0_all.deb"], true);
    check(&debian(), "1.9.0", &["shop_1.9.01_amd64.deb"], false);
    check(&debian(), FORMS[1], &["shop_1.9.0~rc.1-1_amd64.deb"], true);
    check(&debian(), FORMS[0], &["shop_1.9.0~rc.1-1_amd64.deb"], false);
    check(&debian(), "1.9.0", &["shop-doc_1.9.0_all.deb"], false);
    let many: Vec<String> = (0..=FILES_MAX).map(|n| format!("shop{n}_1.9.0_all.deb")).collect();
    check(&debian(), "1.9.0", &many.iter().map(String::as_str).collect::<Vec<_>>(), false);
}

#[test]
fn images_are_named_in_full() {
    for good in [
        "localhost:5000/a:1",
        "r.example.org/team/app:v1.9.0_x",
        "docker.io/library/debian:12",
        "[::1]:5000/a:1",
    ] {
        assert_eq!(good.parse::<Image>().unwrap().to_string(), good);
    }
    let digest = artifact("x").sha256;
    let exact: Image = format!("r.example.org/app:tag@{digest}").parse().unwrap();
    assert_eq!(exact.to_string(), format!("r.example.org/app@{digest}"));
    for bad in [
        "",
        "app",
        "app:1",
        "team/app:1",
        "r.example.org/app",
        "r.example.org/App:1",
        "r.example.org/-a:1",
        "-r.example.org/a:1",
        "r.example.org/a:",
        "r.example.org/a:-1",
        "r.example.org//a:1",
        "r.example.org/a:1 2",
        "r.example.org/a@sha256:1",
        "r.example.org/../a:1",
    ] {
        assert!(bad.parse::<Image>().is_err(), "{bad}");
    }
    let url = |image: &str| image.parse::<Image>().unwrap().manifest_url();
    assert_eq!(url("127.0.0.1:5000/a:1"), "http://127.0.0.1:5000/v2/a/manifests/1");
    assert_eq!(url("docker.io/library/a:1"), "https://registry-1.docker.io/v2/library/a/manifests/1");
}

#[test]
fn tools_get_values_as_variables_and_secrets_by_name() {
    for target in [crates("app"), pypi(), npm(), debian(), oci()] {
        let publish = publish(target.clone(), "1.9.0");
        let packing = publish.packing();
        let uploading = publish.uploading(&named(&["manifest.json"]));
        assert!(packing.secrets.is_empty(), "{target:?}: packing is the team's own build");
        assert_eq!(uploading.secrets.values().collect::<Vec<_>>(), ["TOKEN"]);
        for command in [&packing.command, &uploading.command] {
            assert!(!command.contains("1.9.0") && !command.contains("{{"), "{command}");
        }
        assert_eq!(packing.variables["SOURCE_DATE_EPOCH"], "0");
    }
    let uploading = publish(oci(), "1.9.0").uploading(&named(&["manifest.json"]));
    let digest = artifact("manifest.json").sha256;
    assert_eq!(uploading.variables["TOLLGATE_FROM"], format!("staging.example.org/app@{digest}"));
    assert_eq!(publish(npm(), FORMS[1]).uploading(&named(&[])).variables["TOLLGATE_DIST_TAG"], "next");
    assert_eq!(publish(debian(), "1.9.0").packing().patterns, ["*.deb", "source/more/*.deb"]);
}

#[test]
fn a_registry_of_ones_own_is_told_to_cargo() {
    let Target::Crates(own) = crates("app") else { unreachable!() };
    let index = "http://127.0.0.1:1/index/".into();
    let own = publish(Target::Crates(Crates { registry: Some("our-own".into()), index, ..own }), "1.9.0");
    assert_eq!(own.packing().variables["CARGO_REGISTRIES_OUR_OWN_INDEX"], "sparse+http://127.0.0.1:1/index/");
    assert_eq!(own.uploading(&named(&[])).secrets["CARGO_REGISTRIES_OUR_OWN_TOKEN"], "TOKEN");
    assert_eq!(
        publish(crates("app"), "1.9.0").uploading(&named(&[])).secrets["CARGO_REGISTRY_TOKEN"],
        "TOKEN"
    );
}

fn some_files() -> impl Strategy<Value = BTreeMap<String, u8>> {
    prop::collection::btree_map("[a-d]", 0_u8..3, 0..4)
}

proptest! {
    /// Uploading whatever is missing leads to `There`, and nothing that is there is ever taken for ours when it is not.
    #[test]
    fn a_version_is_ours_or_it_is_not(ours in some_files(), there in some_files()) {
        prop_assume!(!ours.is_empty());
        let content = |content: &u8| artifact(&content.to_string());
        let packed: Artifacts = ours.iter().map(|(name, of)| (name.clone(), content(of))).collect();
        let listing = |files: &BTreeMap<String, u8>| -> Listed {
            files.iter().map(|(name, of)| (name.clone(), Some(content(of).sha512))).collect()
        };
        let differs = ours.iter().any(|(name, of)| there.get(name).is_some_and(|other| other != of));
        let shared = ours.keys().filter(|name| there.contains_key(*name)).count();
        match standing(&packed, &listing(&there)) {
            Standing::There => prop_assert!(!differs && shared == ours.len()),
            Standing::Absent => prop_assert!(there.is_empty()),
            Standing::Partly(missing) => {
                prop_assert!(!differs && missing.len() == ours.len() - shared && shared > 0);
                let mut after = there.clone();
                after.extend(missing.iter().map(|name| (name.clone(), ours[name])));
                prop_assert_eq!(standing(&packed, &listing(&after)), Standing::There);
            }
            Standing::Other(_) => prop_assert!(differs || shared == 0),
        }
    }

    /// Nothing that a registry answers makes reading it fail in another way than by an error.
    #[test]
    fn any_answer_is_survived(body in prop::collection::vec(any::<u8>(), 0..300), text in "[\\[\\]{}\":,a-z<>=#' ]{0,200}") {
        for target in [crates("app"), pypi(), npm(), debian(), oci()] {
            for body in [body.clone(), text.clone().into_bytes()] {
                let digest = Some(String::from_utf8_lossy(&body).into_owned());
                let _ = publish(target.clone(), "1.9.0").listed(&named(&["a"]), &[Some(Answer { body, digest })]);
            }
        }
    }

    #[test]
    fn the_key_tells_publications_apart(version in "[0-9]\\.[0-9]", content in "[a-f]{4}") {
        let one = publish(crates("app"), "1.9.0");
        let other = Publish { version: version.clone(), content: ObjectId(content.clone()), ..one.clone() };
        prop_assert_ne!(one.key(), other.key());
        // When or by which run it is published makes no difference.
        let later = Publish { built_at: Timestamp::MAX, variables: BTreeMap::new(), ..one.clone() };
        prop_assert_eq!(one.key(), later.key());
    }
}
