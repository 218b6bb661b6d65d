//! Publishing with the real tools, to registries on this machine: once, whatever goes wrong.
#![allow(clippy::print_stderr, reason = "what cannot run here is told")]
#![allow(clippy::disallowed_methods, reason = "real programs, in real time and a real environment")]

mod scene;

use scene::{Running, Scene, free_port, listens, text, there, until};

/// A crate with another one of the same workspace in it.
const CRATES: [(&str, &str); 5] = [
    ("Cargo.toml", "[workspace]\nmembers = [\"core\", \"app\"]\nresolver = \"3\"\n"),
    ("core/Cargo.toml", CORE),
    ("core/src/lib.rs", "//! The core.\n\n/// A price.\npub const PRICE: u32 = 3;\n"),
    ("app/Cargo.toml", APP),
    ("app/src/lib.rs", "//! The shop.\n\n/// Twice the price.\npub const TWO: u32 = 2 * shop_core::PRICE;\n"),
];
const CORE: &str = "[package]\nname = \"shop-core\"\nversion = \"1.1.0\"\nedition = \"2024\"\nlicense = \"MIT\"\n\
                    description = \"The core\"\n";
const APP: &str = "[package]\nname = \"shop-app\"\nversion = \"1.1.0\"\nedition = \"2024\"\nlicense = \"MIT\"\n\
                   description = \"The shop\"\n[dependencies]\n\
                   shop-core = { path = \"../core\", version = \"1.1\", registry = \"local\" }\n";

/// Makes a wheel and a source distribution that are never twice the same.
const DISTRIBUTIONS: &str = r#"
import io, os, tarfile, time, zipfile
meta = "Metadata-Version: 2.1\nName: shop-client\nVersion: 1.1.0\n"
noise = f"{time.time_ns()} {os.getpid()}"
os.makedirs("dist")
with zipfile.ZipFile("dist/shop_client-1.1.0-py3-none-any.whl", "w") as wheel:
    wheel.writestr("shop_client.py", f"NOISE = '{noise}'\n")
    wheel.writestr("shop_client-1.1.0.dist-info/METADATA", meta)
    wheel.writestr("shop_client-1.1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    wheel.writestr("shop_client-1.1.0.dist-info/RECORD", "")
with tarfile.open("dist/shop_client-1.1.0.tar.gz", "w:gz") as source:
    for name, text in [("PKG-INFO", meta), ("noise", noise)]:
        info = tarfile.TarInfo(f"shop_client-1.1.0/{name}")
        info.size = len(text)
        source.addfile(info, io.BytesIO(text.encode()))
"#;

const PACKAGE: &str =
    r#"{ "name": "@shop/client", "version": "1.1.0", "main": "client.js", "license": "MIT" }"#;

fn npm(port: u16) -> String {
    format!(
        "      - publish: {{ npm: {{ package: \"@shop/client\", folder: client, access: public, \
         registry: \"http://127.0.0.1:{port}/\", token: SHOP_TOKEN }} }}\n"
    )
}

/// A scene around a registry that has to run before the procedure can be written.
fn with_registry(steps: impl FnOnce(u16) -> String, files: &[(&str, &str)]) -> (Scene, Running, u16) {
    let place = Scene::new("", &[]);
    let (running, port) = place.registry();
    let scene = Scene::new(&steps(port), files);
    // The registry keeps its folder; the scene looks there.
    std::fs::remove_dir(scene.path("registry")).expect("it is empty");
    std::os::unix::fs::symlink(place.path("registry"), scene.path("registry")).expect("a link");
    (scene.and_keep(place), running, port)
}

#[test]
fn crates_of_a_workspace_are_published_one_after_the_other() {
    if !there(&["cargo", "python3", "git"]) {
        return;
    }
    let steps = |port: u16| {
        let one = |package: &str, verify: bool| {
            format!(
                "      - publish: {{ crates: {{ package: {package}, registry: local, verify: {verify}, \
                 index: \"http://127.0.0.1:{port}/index\", token: SHOP_TOKEN }} }}\n"
            )
        };
        one("shop-core", false) + &one("shop-app", true)
    };
    let (scene, _registry, _) = with_registry(steps, &CRATES);
    // The second one is packed and built only with what the first one brought.
    let said = scene.release();
    scene.is_done(&said);
    let uploads = scene.requests("upload");
    assert_eq!(
        uploads,
        ["upload crate shop-core 1.1.0 with token", "upload crate shop-app 1.1.0 with token"]
    );
    assert!(scene.requests("look").iter().all(|look| look.ends_with("as a stranger")));
    assert!(said.contains("shop-app 1.1.0 is there: 127.0.0.1"), "{said}");
}

#[test]
fn files_that_are_never_the_same_are_built_once() {
    if !there(&["twine", "python3", "git"]) {
        return;
    }
    let steps = |port: u16| {
        format!(
            "      - publish: {{ pypi: {{ package: Shop.Client, build: python3 build.py, token: SHOP_TOKEN, \
             url: \"http://127.0.0.1:{port}/legacy/\", index: \"http://127.0.0.1:{port}/simple\" }} }}\n"
        )
    };
    let (scene, _registry, _) = with_registry(steps, &[("build.py", DISTRIBUTIONS)]);
    // The first file comes through and the answer is lost; the second one is uploaded by the next try.
    scene.fault("cut", "");
    let said = scene.release();
    if scene.status() != "done" {
        scene.tollgate(&["retry"]);
    }
    scene.is_done(&said);
    let uploads = scene.requests("upload pypi");
    let wheels = uploads.iter().filter(|upload| upload.contains(".whl")).count();
    assert_eq!((wheels, uploads.len() - wheels), (1, 1), "{uploads:?}\n{said}");
}

#[test]
fn whatever_a_registry_does_an_npm_package_is_there_once() {
    if !there(&["npm", "node", "python3", "git"]) {
        return;
    }
    let files = [("client/package.json", PACKAGE), ("client/client.js", "module.exports = 1;\n")];
    // What goes wrong, and how often npm uploads.
    for (faults, uploads) in [(["cut", "late"], 1), (["busy", "late"], 1), (["refuse", "late"], 2)] {
        let (scene, _registry, _) = with_registry(npm, &files);
        // So many looks do not see what was uploaded.
        faults.iter().for_each(|fault| scene.fault(fault, "2"));
        let mut said = scene.release();
        if faults.contains(&"refuse") {
            assert!(said.contains("did not get into 127.0.0.1"), "{said}");
            said += &text(&scene.tollgate(&["retry"]));
        }
        scene.is_done(&said);
        let made = scene.requests("upload npm");
        // Cut off, it is uploaded again as long as it is not listed; the registry refuses what it has.
        let is_right = made.len() == uploads || faults.contains(&"cut") && made.len() > uploads;
        assert!(is_right, "{faults:?}: {made:?}\n{said}");
    }
}

#[test]
fn killed_in_the_middle_of_an_upload_it_goes_on_there() {
    if !there(&["npm", "node", "python3", "git"]) {
        return;
    }
    let files = [("client/package.json", PACKAGE), ("client/client.js", "module.exports = 1;\n")];
    let (scene, _registry, _) = with_registry(npm, &files);
    scene.fault("hang", "");
    let mut started =
        Running(scene.program(&["start", "--set-version", "1.1.0"]).spawn().expect("tollgate runs"));
    until("the upload has begun", || !scene.requests("upload npm").is_empty());
    started.0.kill().expect("it is killed");
    started.0.wait().expect("it is gone");
    std::fs::remove_file(scene.path("registry/hang")).expect("the registry goes on");
    let said = scene.work();
    scene.is_done(&said);
    assert_eq!(scene.requests("upload npm").len(), 1, "{said}");
}

#[test]
fn a_version_of_somebody_else_stops_the_release() {
    if !there(&["npm", "node", "python3", "git"]) {
        return;
    }
    let other = [("client/package.json", PACKAGE), ("client/client.js", "module.exports = 'theirs';\n")];
    let ours = [("client/package.json", PACKAGE), ("client/client.js", "module.exports = 'ours';\n")];
    let (theirs, _registry, port) = with_registry(npm, &other);
    let said = theirs.release();
    theirs.is_done(&said);
    let scene = Scene::new(&npm(port), &ours);
    let said = scene.release();
    assert!(said.contains("has another @shop/client 1.1.0 already"), "{said}");
    assert!(text(&scene.tollgate(&["why"])).contains("release a higher version"));
    assert_eq!(theirs.requests("upload npm").len(), 1);
    // From the same content it is the same package, and so it is there.
    let same = Scene::new(&npm(port), &other);
    let said = same.release();
    same.is_done(&said);
    assert!(said.contains("was there already"), "{said}");
}

const DEBIAN: &str = "      - publish: { debian: { package: shop, build: sh build.sh, files: \"*.deb\", \
                      repository: REPOSITORY, codename: stable } }\n";
const BUILD: &str = "mkdir -p pkg/DEBIAN pkg/usr/share/shop\ndate +%N > pkg/usr/share/shop/when\n\
printf 'Package: shop\\nVersion: %s-1\\nArchitecture: all\\nSection: misc\\nPriority: optional\\n\
Maintainer: Ana <ana@example.org>\\nDescription: The shop\\n' \"$TOLLGATE_VERSION\" > pkg/DEBIAN/control\n\
dpkg-deb --root-owner-group --build pkg \"shop_$TOLLGATE_VERSION-1_all.deb\"\n";

#[test]
fn killed_at_any_point_a_debian_package_is_there_once() {
    if !there(&["reprepro", "dpkg-deb", "git"]) {
        return;
    }
    let mut points = 0;
    for kill_at in 1..1_000 {
        let place = tempfile::tempdir().expect("a temporary folder");
        let repository = place.path().join("apt");
        std::fs::create_dir_all(repository.join("conf")).expect("a folder");
        let distributions = "Codename: stable\nComponents: main\nArchitectures: amd64\n";
        std::fs::write(repository.join("conf/distributions"), distributions).expect("a file");
        let steps = DEBIAN.replace("REPOSITORY", &repository.display().to_string());
        let scene = Scene::new(&steps, &[("build.sh", BUILD)]);
        // The points of the cut before are killed at elsewhere.
        let at = (30 + kill_at).to_string();
        let mut start = scene.program(&["start", "--set-version", "1.1.0"]);
        let output = start.env("TOLLGATE_KILL_AT", &at).output().expect("tollgate runs");
        let said = text(&output) + &scene.work();
        scene.is_done(&said);
        let list = std::fs::read_to_string(repository.join("dists/stable/main/binary-amd64/Packages"))
            .expect("a list");
        assert_eq!(list.matches("Package: shop\n").count(), 1, "{list}");
        if output.status.success() {
            break;
        }
        points = kill_at;
    }
    assert!(points > 3, "it was killed at {points} points");
}

/// A config, and a manifest that names it: as little as an image can be.
fn image(scene: &Scene, name: &str, word: &str) {
    let script = format!(
        r#"
import hashlib, json, os
os.makedirs("{name}/blobs/sha256")
def blob(text):
    data = text.encode()
    digest = hashlib.sha256(data).hexdigest()
    open("{name}/blobs/sha256/" + digest, "wb").write(data)
    return {{"digest": "sha256:" + digest, "size": len(data)}}
config = blob(json.dumps({{"architecture": "amd64", "os": "linux", "author": "{word}", "rootfs": {{"type": "layers", "diff_ids": []}}, "config": {{}}}}))
manifest = blob(json.dumps({{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
    "config": {{"mediaType": "application/vnd.oci.image.config.v1+json", **config}}, "layers": []}}))
open("{name}/oci-layout", "w").write('{{"imageLayoutVersion": "1.0.0"}}')
index = {{"schemaVersion": 2, "manifests": [{{"mediaType": "application/vnd.oci.image.manifest.v1+json", **manifest}}]}}
open("{name}/index.json", "w").write(json.dumps(index))
"#,
        name = scene.path(name).display()
    );
    scene.run("python3", &["-c", &script]);
}

#[test]
fn an_image_is_copied_by_its_digest() {
    if !there(&["skopeo", "docker-registry", "python3", "git"]) {
        return;
    }
    let port = free_port();
    let steps = format!(
        "      - publish: {{ oci: {{ from: \"127.0.0.1:{port}/staging/shop:build\", \
         to: \"127.0.0.1:{port}/shop:{{{{ version }}}}\", component: shop }} }}\n"
    );
    let scene = Scene::new(&steps, &[]);
    let config = format!(
        "version: 0.1\nstorage:\n  filesystem: {{ rootdirectory: {} }}\nhttp:\n  addr: 127.0.0.1:{port}\n",
        scene.path("images").display()
    );
    std::fs::write(scene.path("config.yml"), config).expect("a file");
    let mut registry = scene.command("docker-registry");
    registry.arg("serve").arg(scene.path("config.yml")).stderr(std::process::Stdio::null());
    let _registry =
        Running(registry.stdout(std::process::Stdio::null()).spawn().expect("docker-registry runs"));
    listens(port);
    let put = |name: &str, word: &str, to: &str| {
        image(&scene, name, word);
        let from = format!("oci:{}", scene.path(name).display());
        let to = format!("docker://127.0.0.1:{port}/{to}");
        scene.run("skopeo", &["--insecure-policy", "copy", "--dest-tls-verify=false", &from, &to]);
    };
    put("ours", "ours", "staging/shop:build");
    let digest = |of: &str| {
        let of = format!("docker://127.0.0.1:{port}/{of}");
        scene
            .run("skopeo", &["inspect", "--tls-verify=false", "--format", "{{.Digest}}", &of])
            .trim()
            .to_owned()
    };
    let built = digest("staging/shop:build");
    let said = scene.release();
    scene.is_done(&said);
    assert_eq!(digest("shop:1.1.0"), built);
    let log = text(&scene.tollgate(&["--json", "log", "--all"]));
    assert!(log.contains("digest/shop") && log.contains(&built), "{log}");

    // A tag that is there with another image is left alone.
    put("theirs", "theirs", "shop:1.2.0");
    let theirs = digest("shop:1.2.0");
    let said = text(&scene.tollgate(&["start", "--set-version", "1.2.0"]));
    assert!(said.contains("already"), "{said}");
    assert_eq!((scene.status().as_str(), digest("shop:1.2.0")), ("stuck", theirs));
}
