"""Records what git-cliff and commitizen make of the histories in this folder: `python3 record-placed.py TOOLS`, where TOOLS is a
folder made with

    pip install --target TOOLS git-cliff==2.14.2 commitizen==4.19.3

Both are asked with their usual rules. Written down is for each release, the newest first, which commits stand under which title
(`!` behind what breaks something), and after `next` which version was proposed before it was tagged.
"""

import collections
import json
import os
import re
import subprocess
import sys
import tempfile

TOOLS = os.path.realpath(sys.argv[1])
HERE = os.path.dirname(os.path.realpath(__file__))
VERSION = re.compile(r"^v\d+\.\d+\.\d+$")
ENVIRONMENT = {**os.environ, "PYTHONPATH": TOOLS}


def run(*command, ok=True):
    """What a command prints in the working folder; nothing if it fails and may."""
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, errors="replace")
    if ok and done.returncode != 0:
        raise SystemExit(f"{command}: {done.stderr}")
    return done.stdout.strip() if done.returncode == 0 else ""


def git(*words):
    return run("git", *words)


def git_cliff(*words, ok=True):
    return run(f"{TOOLS}/bin/git-cliff", "--offline", "--tag-pattern", VERSION.pattern, *words, ok=ok)


def commitizen(*words, ok=True):
    return run("python3", f"{TOOLS}/bin/cz", *words, ok=ok)


def title(group):
    """A title without its number and its picture."""
    return re.sub(r"<!--.*?-->|[^\x00-\x7f]", "", group).strip()


def by_git_cliff():
    for release in json.loads(git_cliff("--context")):
        titles = collections.OrderedDict()
        for commit in release["commits"]:
            mark = "!" if commit["breaking"] else ""
            titles.setdefault(title(commit["group"]), []).append(commit["id"][:10] + mark)
        yield release["version"] or "unreleased", titles


TEMPLATE = """{% for entry in tree %}
# {{ entry.version }}
{% for title, changes in entry.changes.items() %}
{% for change in changes %}
{{ title or "-" }} {{ change.sha1 }}{% if change.breaking %}!{% endif %}

{% endfor %}
{% endfor %}
{% endfor %}
"""


def by_commitizen():
    with open(".cz.toml", "w") as file:
        file.write('[tool.commitizen]\nname = "cz_conventional_commits"\nversion_provider = "scm"\n')
        file.write('version_scheme = "semver"\ntag_format = "v$version"\n')
    with open("hashes.j2", "w") as file:
        file.write(TEMPLATE)
    release, titles = None, None
    for line in commitizen("changelog", "--dry-run", "--template", "hashes.j2").splitlines():
        if line.startswith("# "):
            if release is not None:
                yield release, titles
            release, titles = line[2:], collections.OrderedDict()
        elif line.strip():
            name, commit = line.rsplit(" ", 1)
            titles.setdefault(name, []).append(commit[:10] + commit[40:])
    if release is not None:
        yield release, titles


def proposals(releases):
    """What each proposes before a release, with the tags of the ones before it."""
    tips = [(release, git("rev-parse", release + "^{commit}")) for release in releases]
    for name in git("tag", "--list").splitlines():
        git("tag", "--delete", name)
    for release, tip in tips:
        git("update-ref", "--no-deref", "HEAD", tip)
        before = git("tag", "--list", "--merged", "HEAD")
        if before:
            cliff = git_cliff("--bumped-version", ok=False)
            cz = commitizen("bump", "--get-next", "--yes", ok=False).splitlines()
            yield release, cliff, "v" + cz[-1] if cz else "none"
        git("tag", release, tip)


def write(recorded, name, proposed, releases):
    placed = {release if VERSION.match(release) else "unreleased": titles for release, titles in recorded}
    with open(name, "w") as file:
        for release in ["unreleased", *reversed(releases)]:
            print(release, file=file)
            if release in proposed:
                print("next", proposed[release], file=file)
            for title, commits in placed.get(release, {}).items():
                print(f"{title}:", *commits, file=file)


def record(name):
    git("init", "--quiet", "--initial-branch", "main")
    with open(f"{HERE}/{name}.history", "rb") as history:
        subprocess.run(["git", "fast-import", "--quiet"], stdin=history, check=True)
    git("reset", "--hard", "--quiet")
    tags = git("tag", "--list", "--merged", "HEAD", "--sort=version:refname").splitlines()
    releases = [tag for tag in tags if VERSION.match(tag)]
    for tag in set(git("tag", "--list").splitlines()) - set(releases):
        git("tag", "--delete", tag)
    cliff, cz = list(by_git_cliff()), list(by_commitizen())
    proposed = list(proposals(releases))
    write(cliff, f"{HERE}/{name}.by-git-cliff", {release: one for release, one, _ in proposed}, releases)
    write(cz, f"{HERE}/{name}.by-commitizen", {release: one for release, _, one in proposed}, releases)


for history in ["made", "grown"]:
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        record(history)
