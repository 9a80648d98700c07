#!/bin/bash
# Does the stack of docker-compose.yml work, as its users see it, and does it survive?
#   tests/system/compose_check.sh [KILL]
# KILL is a command that, given a service's name, kills -9 its main process and waits until it is back.
# Without it the check does so itself, which needs root on Docker's host.
# Where the stack is up, it is checked as it is. Else it is built, brought up under a project name and
# secrets of its own, and removed again with its volumes. It speaks as AUTH=none; needs docker, python3.
set -euo pipefail
cd "$(dirname "$0")/../.."

# Where the caller has brought the stack up, these only let compose read its file.
for name in POSTGRES_PASSWORD SERVICE_SECRET LINK_KEY; do
  [ -n "${!name:-}" ] || export "$name=$(python3 -c 'import secrets; print(secrets.token_hex(32))')"
done

if [ -z "$(docker compose ps --quiet --status running envoy)" ]; then
  export COMPOSE_PROJECT_NAME=image-studio-check DOCKER_BUILDKIT=1  # never touches the real volumes
  export AUTH=none PUBLIC_URL=  # whatever .env says
  trap 'docker compose --progress quiet down --volumes --timeout 10 || true' EXIT
  docker compose --progress quiet build --pull=false
  docker compose --progress quiet up --detach --no-build --wait --wait-timeout 180 \
    || { docker compose ps --all; docker compose logs --tail 30; exit 1; }
fi

python3 -u tests/system/compose_check.py "$@"
