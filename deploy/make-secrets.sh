#!/bin/sh
# Fills deploy/secrets/ for docker compose: random passwords, the addresses that hold them, a self-signed certificate.
# What is there already is kept, so that a real certificate or a model's key can be put in its place.
set -eu
umask 077
folder=${1:-$(dirname "$0")/secrets}
mkdir -p "$folder"
cd "$folder"

random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
keep() { [ -e "$1" ] || printf '%s' "$2" >"$1"; }

keep redis_password "$(random)"
keep postgres_password "$(random)"
keep REDIS_URL "redis://:$(cat redis_password)@redis:6379/0"
keep SHOP_DATABASE_URL "postgresql+psycopg://holdfast:$(cat postgres_password)@postgres:5432/shop"
keep OPENAI_API_KEY "" # empty: the demo model answers
keep HOLDFAST_JWT_SECRET "" # empty: no tokens are signed with a secret

if [ ! -e tls_certificate ]; then
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 90 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout tls_key -out tls_certificate 2>/dev/null
fi
# Compose mounts the files as they are, to be read by each server's own user; here the folder keeps others out.
chmod 644 -- *
chmod 700 .
