# What the cases have at hand. Sourced by every bash that runs a command of a case.

# A procedure file of this folder, with the port of the case's web server, into the current folder.
procedure() {
    sed "s/@PORT@/$PORT/g" "$(dirname "$BASH_ENV")/$1.yaml" > tollgate.yaml
}

# Commits everything, with a message.
commit() {
    git add -A && git commit -q --allow-empty -m "$1"
}

# A repository `shop` with a procedure file of this folder, one release behind it and two commits since, and a bare remote.
project() {
    git init -q --bare "$ROOT/remote.git"
    git init -q "$ROOT/work/shop" && cd "$ROOT/work/shop" || return
    procedure "${1:-shop}"
    echo 1.0.0 > VERSION
    mkdir -p src && echo first > src/a && commit "feat: the first thing" && git tag v1.0.0
    echo fixed > src/a && commit "fix: prices with a comma"
    echo second > src/b && GIT_AUTHOR_NAME="Brian Brown" GIT_AUTHOR_EMAIL=brian@example.org commit "feat: gift cards"
    git remote add origin "$ROOT/remote.git"
    git push -q -u origin main --tags 2>/dev/null
}

# The same, with its policy in force.
adopted() {
    project "$@" && tollgate policy adopt > /dev/null
}

# What a command leaves unchanged: prints what differs in the repositories and the state after it.
traces() {
    (cd "$ROOT" && find work remote.git state home -type f ! -name '*-wal' ! -name '*-shm' ! -path '*/logs/*' ! -name FETCH_HEAD \
        -exec sha256sum {} + 2>/dev/null | sort -k2)
}
untouched() {
    traces > "$ROOT/tmp/before"
    "$@"
    local code=$?
    traces | diff "$ROOT/tmp/before" - | sed 's/[0-9a-f]\{64\}/HASH/' >&2
    return $code
}

# Commands run in the checkout as soon as there is one.
if [ -d "$ROOT/work/shop" ]; then cd "$ROOT/work/shop" || exit; fi
