#!/bin/sh
# The local tests. They need nothing installed.
set -eu
passed=0
check() {
  if ! sh -c "$2" > /dev/null 2>&1; then
    echo "failed: $1"
    exit 1
  fi
  passed=$((passed + 1))
}
check "setup.py has a version of three numbers" "grep -Eq \"version='[0-9]+\\.[0-9]+\\.[0-9]+'\" setup.py"
check "every module has a docstring" "for module in syncstorage/*.py; do head -1 \$module | grep -q '^\"\"\"' || exit 1; done"
check "no tabs in the source" "! grep -rq \"\$(printf '\\t')\" syncstorage"
check "deploy.sh is a sound script" "sh -n deploy.sh"
echo "$passed tests passed"
