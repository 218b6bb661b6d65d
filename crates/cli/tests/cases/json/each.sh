# Runs every command with --json, with what it needs and without; says whether one document came out.
each() {
    out=$(timeout 20 tollgate --json "$@" 2> /dev/null)
    code=$?
    if printf '%s' "$out" | python3 -c 'import json, sys; json.load(sys.stdin)' 2> /dev/null; then
        echo "$code  $*"
    else
        echo "$code  $*: no JSON: $out"
    fi
}
each init
each check
each check --schema
each version
each changelog
each plan
each start --no-work
each start
each status
each status 1.1.0
each status 7.7.7
each why
each why 7.7.7
each hold --why "not yet"
each watch
each resume --no-work
each log
each log --policy
each log --environment stage
each hold --why later
each resume --no-work
each resume
each work --once
each done try --as chris
each done try --as chris --evidence seen
each answer nothing yes
each waive production/good --why no
each reject --as dana --why no
each revoke --as dana production/good
each approve
each approve --as dana
each retry
each abort --why no
each promote stage --release 1.1.0 --no-work
each abort --why no
each promote nowhere --release 1.1.0
each env
each env record stage 9.9.9
each env record nowhere 9.9.9
each policy show
each policy adopt
each audit verify
each audit verify --anchor x
each backup ../copy.db
each backup ../copy.db
each restore ../copy.db
each restore ../copy.db --replace
each completions bash
each bogus
each start --bogus
