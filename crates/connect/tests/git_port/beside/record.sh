#!/bin/sh
# Records what other programs make of the histories in this folder: `sh record.sh TOOLS`, where TOOLS is a folder with
#
#     cargo install clog-cli@0.10.0 --locked --root TOOLS
#     npm install --prefix TOOLS conventional-changelog@7.2.1 conventional-changelog-conventionalcommits@9.3.1 \
#         conventional-recommended-bump@11.2.0
set -eu
tools=$(realpath "$1")
here=$(realpath "$(dirname "$0")")
page=https://github.com/acme/app
modules=$tools/node_modules
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for name in made; do
    repo=$work/$name
    git init --quiet --initial-branch main "$repo"
    cd "$repo"
    git fast-import --quiet <"$here/$name.history"
    releases=$(git tag --list 'v*' --sort=version:refname | grep -v -e -)

    # clog needs a file that names the titles. It can only write what lies between two commits.
    printf '[clog]\n[sections]\n"Breaking Changes" = ["breaks"]\nFeatures = ["feat", "ft"]\n' >.clog.toml
    printf '"Bug Fixes" = ["fix", "fx"]\nPerformance = ["perf"]\n' >>.clog.toml
    before=
    for release in $releases; do
        if [ -n "$before" ]; then
            "$tools/bin/clog" --git-dir "$repo/.git" --work-tree "$repo" --repository $page --outfile section \
                --from "$before" --to "$release" --setversion "${release#v}" >/dev/null
            cat section
            rm section
        fi
        before=$release
    done | sed 's/  ([0-9-]*)$//' >"$here/$name.by-clog"

    printf '{"host":"https://github.com","owner":"acme","repository":"app","repoUrl":"%s",' $page >context.json
    printf '"linkCompare":true,"linkReferences":true,"version":"Unreleased"}' >>context.json
    node "$modules/conventional-changelog/dist/cli/index.js" --preset conventionalcommits --release-count 0 --stdout \
        --context context.json | sed '1s/ (.*//' >"$here/$name.by-conventional-changelog"

    # Before each release, with the tags of the ones before it.
    tips=$(for release in $releases; do echo "$release $(git rev-parse "$release^{commit}")"; done)
    git tag --list | xargs git tag --delete >/dev/null
    echo "$tips" | while read -r release tip; do
        git update-ref --no-deref HEAD "$tip"
        echo "$release $(node "$modules/conventional-recommended-bump/dist/cli/index.js" --preset conventionalcommits)"
        git tag "$release" "$tip"
    done >"$here/$name.by-recommended-bump"
done
