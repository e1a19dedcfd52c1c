#!/bin/sh
# The command `deliverd` of the container image. As root, as the container starts and `docker exec` runs, it steps down
# to its own user, taking along only the group that may speak to the engine. As anyone else (docker run --user, a
# restricted platform), it goes on as that.
set -eu

# Commands that ask a server ask the one in this container, not its public address.
export DELIVERD_SERVER="${DELIVERD_SERVER:-http://127.0.0.1:${PORT:-8080}}"

as_is() {
  exec /app/bin/deliverd "$@"
}

[ "$(id -u)" = 0 ] || as_is "$@"

# Only a daemon has something to announce, and a data directory to take over.
daemon=
for word in "$@"; do
  case $word in start | receiver | worker) daemon=yes ;; esac
done

engine=${DOCKER_HOST:-unix:///var/run/docker.sock}
socket=${engine#unix://}
groups=$(id -g deliverd)
if [ -S "$socket" ]; then
  if [ -z "$(find "$socket" -perm -060)" ]; then
    [ -z "$daemon" ] || echo "deliverd stays root: only root may use $socket (mode $(stat -c %a "$socket"))" >&2
    as_is "$@"
  fi
  groups="$groups,$(stat -c %g "$socket")"
fi

# A folder of the host mounted here belongs to whoever made it.
if [ -n "$daemon" ] && [ "$(stat -c %U "$DELIVERD_DATA_DIR")" != deliverd ]; then
  chown -R deliverd:deliverd "$DELIVERD_DATA_DIR"
fi
export HOME=/home/deliverd
exec setpriv --reuid=deliverd --regid=deliverd --groups="$groups" --no-new-privs /app/bin/deliverd "$@"
