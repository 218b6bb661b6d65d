#!/bin/sh
# Puts this release on a server: lays its files out and starts the service there.
#
# Usage: deploy.sh ENVIRONMENT, with SERVERS (the folder of the servers) and SERVICE (the program) set.
# It does not wait for an answer: whoever deploys looks at /__version__.
set -eu
server="$SERVERS/$1"
rm -rf "$server/files.new"
mkdir -p "$server/files.new"
cp -R setup.py syncstorage "$server/files.new"
printf '{"source": "%s", "commit": "%s", "build": "candidate %s"}\n' \
  "$TOLLGATE_SERVICE" "$TOLLGATE_COMMIT" "$TOLLGATE_CANDIDATE" > "$server/files.new/version.json"

rm -rf "$server/files"
mv "$server/files.new" "$server/files"

# The old process ends as soon as the new one has taken over its port.
nohup "$SERVICE" demo-service --folder "$server" >> "$server/log" 2>&1 < /dev/null &
echo "$TOLLGATE_VERSION is laid out on $1"
