"""Registries of crates, Python and npm packages, on this machine, with a state: what real cargo, twine and npm publish to.

`registry.py FOLDER`: writes its port into FOLDER/port, every request into FOLDER/requests, and takes faults from files:
FOLDER/cut (an upload is taken, and its connection cut), FOLDER/busy (a look is answered with 429), FOLDER/late (that many looks do
not see what was uploaded), FOLDER/refuse (an upload is refused), FOLDER/hang (an upload is taken, and not answered while the
file is there). The token is `s3same-token`.
"""

import base64
import hashlib
import http.server
import json
import os
import sys
import threading
import time
from email.parser import BytesParser
from email.policy import HTTP
from urllib.parse import unquote

FOLDER = sys.argv[1]
TOKEN = "s3same-token"
lock = threading.RLock()
files = {}  # (kind, project, version, file name) -> content
hidden = set()  # of those, the ones that looks do not see yet


def path(name):
    return os.path.join(FOLDER, name)


def fault(name):
    """Takes a fault, if it is set."""
    try:
        os.remove(path(name))
        return True
    except FileNotFoundError:
        return False


def seen(kind, project):
    """What a look sees of a project, by version and file name."""
    with lock:
        if hidden:
            left = int(open(path("late")).read() or 0) if os.path.exists(path("late")) else 0
            if left > 0:
                with open(path("late"), "w") as late:
                    late.write(str(left - 1))
            else:
                hidden.clear()
        keys = [key for key in files if key[:2] == (kind, project) and key not in hidden]
        return {key[2:]: files[key] for key in keys}


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def note(self, what):
        with lock, open(path("requests"), "a") as requests:
            shown = "with token" if self.headers.get("Authorization") else "as a stranger"
            requests.write(f"{what} {shown}\n")

    def answer(self, status, body, kind="application/json", more=()):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        for name, value in more:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def base(self):
        return f"http://127.0.0.1:{self.server.server_port}"

    def do_GET(self):
        where = unquote(self.path.split("?")[0])
        parts = where.strip("/").split("/")
        if where == "/index/config.json":
            dl = {"dl": self.base() + "/dl/{crate}/{version}", "api": self.base()}
            return self.answer(200, json.dumps(dl).encode())
        if parts[0] == "dl":
            found = files.get(("crates", parts[1], parts[2], f"{parts[1]}-{parts[2]}.crate"))
            return self.answer(200, found[0]) if found else self.answer(404, b"")
        tollgate = self.headers.get("User-Agent", "").startswith("tollgate/")
        if tollgate:
            self.note(f"look {where}")
            if fault("busy"):
                return self.answer(429, b"", more=[("Retry-After", "1")])
        if parts[0] == "index":
            lines = []
            for (version, _), (content, deps) in seen("crates", parts[-1]).items():
                cksum = hashlib.sha256(content).hexdigest()
                line = {"name": parts[-1], "vers": version, "deps": deps, "cksum": cksum, "features": {}, "yanked": False}
                lines.append(json.dumps(line) + "\n")
            return self.answer(200 if lines else 404, "".join(lines).encode(), "text/plain")
        if parts[0] == "simple":
            found = seen("pypi", parts[1])
            listed = [
                {"filename": name, "hashes": {"sha256": hashlib.sha256(content).hexdigest()}, "url": name}
                for (_, name), content in found.items()
            ]
            body = json.dumps({"meta": {"api-version": "1.0"}, "name": parts[1], "files": listed}).encode()
            return self.answer(200 if listed else 404, body, "application/vnd.pypi.simple.v1+json")
        name = where.strip("/")
        found = seen("npm", name)
        versions = {version: meta for (version, _), meta in found.items()}
        body = json.dumps({"name": name, "dist-tags": {}, "versions": versions}).encode()
        return self.answer(200 if found else 404, body)

    def take(self, key, content, refusal):
        """Takes an upload, with all that can go wrong."""
        with lock:
            if fault("refuse"):
                return self.answer(403, b'{"errors":[{"detail":"not today"}],"error":"not today"}')
            if key in files:
                return self.answer(*refusal)
            files[key] = content
            if os.path.exists(path("late")):
                hidden.add(key)
        while os.path.exists(path("hang")):
            time.sleep(0.01)
        if fault("cut"):
            self.close_connection = True
            return self.connection.close()
        return self.answer(200, b'{"ok":true,"warnings":{"invalid_categories":[],"invalid_badges":[],"other":[]}}')

    def body(self):
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.send_response_only(100)
            self.end_headers()
        return self.rfile.read(int(self.headers["Content-Length"]))

    def do_PUT(self):
        body = self.body()
        shown = self.headers.get("Authorization", "")
        if self.path == "/api/v1/crates/new":
            length = int.from_bytes(body[:4], "little")
            meta = json.loads(body[4 : 4 + length])
            content = body[8 + length :]
            self.note(f"upload crate {meta['name']} {meta['vers']}")
            if shown != TOKEN:
                return self.answer(403, b'{"errors":[{"detail":"who are you?"}]}')
            deps = [
                {
                    "name": dep["name"], "req": dep["version_req"], "features": [], "optional": False,
                    "default_features": True, "target": None, "kind": dep["kind"], "registry": None,
                }
                for dep in meta["deps"]
            ]
            name, version = meta["name"], meta["vers"]
            key = ("crates", name, version, f"{name}-{version}.crate")
            refusal = (400, b'{"errors":[{"detail":"crate version is already uploaded"}]}')
            return self.take(key, (content, deps), refusal)
        meta = json.loads(body)
        (version, manifest), = meta["versions"].items()
        self.note(f"upload npm {meta['name']} {version}")
        if shown != f"Bearer {TOKEN}":
            return self.answer(401, b'{"error":"who are you?"}')
        (attachment,) = meta["_attachments"].values()
        content = base64.b64decode(attachment["data"])
        integrity = "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()
        assert manifest["dist"]["integrity"] == integrity
        tags = meta.get("dist-tags", {})
        refusal = (403, b'{"error":"You cannot publish over the previously published versions"}')
        return self.take(("npm", meta["name"], version, ""), {**manifest, "tags": tags}, refusal)

    def do_POST(self):
        body = self.body()
        header = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        form = BytesParser(policy=HTTP).parsebytes(header + body)
        fields = {part.get_param("name", header="content-disposition"): part for part in form.iter_parts()}
        content, name = fields["content"].get_payload(decode=True), fields["content"].get_filename()
        project = fields["name"].get_content().strip().lower().replace("_", "-")
        version = fields["version"].get_content().strip()
        self.note(f"upload pypi {name}")
        expected = "Basic " + base64.b64encode(f"__token__:{TOKEN}".encode()).decode()
        if self.headers.get("Authorization") != expected:
            return self.answer(403, b"who are you?")
        return self.take(("pypi", project, version, name), content, (400, b"File already exists."))



if __name__ == "__main__":
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with open(path("port.new"), "w") as port:
        port.write(str(server.server_port))
    os.rename(path("port.new"), path("port"))
    server.serve_forever()
