#!/bin/sh
# Started as root, deliverd steps down to its own user, taking along only the group that may speak to the engine.
# Started as anyone else (docker run --user, a restricted platform), it goes on as that.
set -eu

as_is() {
  exec deliverd "$@"
}

[ "$(id -u)" = 0 ] || as_is "$@"

engine=${DOCKER_HOST:-unix:///var/run/docker.sock}
socket=${engine#unix://}
groups=$(id -g deliverd)
if [ -S "$socket" ]; then
  if [ -z "$(find "$socket" -perm -060)" ]; then
    echo "deliverd stays root: only root may use $socket (mode $(stat -c %a "$socket"))" >&2
    as_is "$@"
  fi
  groups="$groups,$(stat -c %g "$socket")"
fi

# A folder of the host mounted here belongs to whoever made it.
[ "$(stat -c %U "$DELIVERD_DATA_DIR")" = deliverd ] || chown -R deliverd:deliverd "$DELIVERD_DATA_DIR"
export HOME=/home/deliverd
exec setpriv --reuid=deliverd --regid=deliverd --groups="$groups" --no-new-privs deliverd "$@"
