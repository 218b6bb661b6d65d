#!/bin/sh
# Deploys what is checked out: ENVIRONMENT TAG.
mkdir -p ~/www/"$1"
printf '{"version": "%s"}' "${2#v}" > ~/www/"$1"/version.json
