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

# A repository `shop` with nothing but the procedure of a template, on the branch that it releases from, and a bare remote. Its
# environments are folders of the case's web server.
from_template() {
    git init -q --bare "$ROOT/remote.git"
    git init -q "$ROOT/work/shop" && cd "$ROOT/work/shop" || return
    tollgate init --template "$1" > /dev/null
    git symbolic-ref HEAD "refs/heads/${2:-master}"
    sed -i -E "s#https://([a-z]+)\.shop\.example\.org#http://127.0.0.1:$PORT/\1#; s#https://shop\.example\.org#http://127.0.0.1:$PORT/production#; s/times: 3/times: 1/" \
        tollgate.yaml
    git remote add origin "$ROOT/remote.git"
}

# What an environment answers from now on: its version, and its commit.
runs() {
    mkdir -p ~/www/"$1"
    printf '{"version": "%s", "commit": "%s"}' "$2" "$3" | tee ~/www/"$1"/__version__ > ~/www/"$1"/version.json
}

# Somebody's command, while others do something as soon as it has said what it waits for.
meanwhile() {
    local said=$1 others=$2
    shift 2
    "$@" > ../said 2>&1 &
    until grep -qs -- "$said" ../said; do
        kill -0 $! 2> /dev/null || break
        sleep 0.02
    done
    $others
    wait $!
    local code=$?
    cat ../said >&2
    return $code
}

# A repository `shop` with one release and some commits since, whose changelog is written as this says.
changelog_of() {
    git init -q --bare "$ROOT/remote.git"
    git init -q "$ROOT/work/shop" && cd "$ROOT/work/shop" || return
    procedure changelogs && sed -i "s|@CHANGELOG@|$1|" tollgate.yaml
    if [ -n "$2" ]; then printf '%b' "$2" > CHANGELOG.md; fi
    commit "feat: the first thing" && git tag v1.0.0
    commit "fix(cart): prices with a comma (#12)" && commit "docs: say more"
    GIT_AUTHOR_NAME="Brian Brown" GIT_AUTHOR_EMAIL=brian@example.org commit "feat!: gift cards, see SHOP-7"
    commit "fix: <b>hostile</b> [text](https://evil.example)"
    git remote add origin "$ROOT/remote.git"
    git push -q -u origin main --tags 2>/dev/null
    tollgate policy adopt > /dev/null
}

# A repository `shop` with a train that departs at a time told from now.
on_train() {
    project trains && sed -i "s/@TIME@/$(date -u -d "$1" +%H:%M)/" tollgate.yaml
    commit "chore: a train" && git push -q 2> /dev/null
}

# As if the rules had been put in force so long ago, and nothing had run since.
adopted_before() {
    local seconds=$(($(date +%s) - $(date -d "$1 ago" +%s)))
    sql "update record set at = at - $seconds * 1000000000 where kind = 'adopted'" \
        "delete from record where stream in (select id from stream where name like 'train/%')" \
        "delete from stream where name like 'train/%'" "delete from timer where stream like 'train/%'"
}

# The day that a train departs for is this one from now on, and is asked for at once.
due_on() {
    echo "$1" > due && commit "chore: $1" && git push -q 2> /dev/null
    sql "update poll set due = 1"
    tollgate work --once 2>&1 | grep -v "^nothing"
}

# Releases, and shows the changelog that was pushed.
changelog_after() {
    tollgate start > ../started 2>&1 || cat ../started
    git fetch -q && git show origin/main:CHANGELOG.md
}

# What a command leaves unchanged: prints what differs in the repositories and the state after it. The clone of Tollgate's own
# is only a copy of what the remote has.
traces() {
    (cd "$ROOT" && find work remote.git state home small -type f ! -name '*-wal' ! -name '*-shm' ! -path '*/clones/*' ! -path '*/plans/*' \
        ! -name FETCH_HEAD -exec sha256sum {} + 2> /dev/null | sort -k2)
}
untouched() {
    traces > "$ROOT/tmp/before"
    "$@"
    local code=$?
    traces | diff "$ROOT/tmp/before" - | sed 's/[0-9a-f]\{64\}/HASH/' >&2
    return $code
}

# Waits until a text stands in a file.
await() {
    until grep -qs -- "$1" "$2"; do sleep 0.02; done
}

# Carries on, again and again, until `why` says something.
till() {
    until tollgate work --once > "$ROOT/tmp/till" 2>&1; tollgate why | grep -q -- "$1"; do sleep 0.1; done
    tollgate why
}

# Puts an answer where the case's web server gives it.
answers() { printf '%s' "$2" > "$ROOT/home/www/$1"; }

# Does something to the state behind Tollgate's back.
sql() {
    python3 -B "$(dirname "$BASH_ENV")/sql.py" "${DB:-$ROOT/state/tollgate/shop/state.db}" "$@"
}

# Runs a command as somebody who may not write here.
as_nobody() {
    if [ "$(id -u)" = 0 ]; then setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; else "$@"; fi
}

# Commands run in the checkout as soon as there is one.
if [ -d "$ROOT/work/shop" ]; then cd "$ROOT/work/shop" || exit; fi
