#!/bin/sh
# Makes each secret named like a setting (/run/secrets/REDIS_URL) that setting, then starts the command.
set -eu
folder=${SECRETS:-/run/secrets}
for file in "$folder"/[A-Z]*; do
  if [ -s "$file" ]; then
    export "$(basename "$file")=$(cat "$file")"
  fi
done
exec "$@"
