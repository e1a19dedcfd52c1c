#!/bin/sh
# Runs the bundled registry, and cleans it up once a day: docs/guides/containers.md tells what goes. Distribution can
# only collect garbage while nobody pushes, so the registry stops for it. deliverd then tries again what it could not
# push.
set -eu

config=${REGISTRY_CONFIG:-/etc/docker/registry/config.yml}
[ -f "$config" ] || config=/etc/distribution/config.yml
root=${REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY:-/var/lib/registry}/docker/registry/v2
interval=${REGISTRY_CLEANUP_SECONDS:-86400}
days=${REGISTRY_KEEP_DAYS:-}
work=$(mktemp -d)

serve() {
  registry serve "$config" &
  server=$!
}

stop() {
  kill -TERM "$server" 2>/dev/null || true
  wait "$server" || true
}

finish() {
  kill "$sleeper" 2>/dev/null || true
  stop
  rm -rf "$work"
  exit 0
}

is_old() {
  [ -n "$(find "$1" -prune -mtime "+$days")" ]
}

data_of() {
  hex=${1#sha256:}
  cat "$root/blobs/sha256/$(printf %.2s "$hex")/$hex/data" 2>/dev/null || true
}

# Tags that nobody wrote for so many days, then the images that no tag leads to. A part of a kept image stays, and so
# does what was signed for one: an image names its parts, and a signature names its image.
expire() {
  manifests=$1
  for tag in "$manifests"/tags/*/; do
    if [ -f "$tag/current/link" ] && is_old "$tag/current/link"; then rm -rf "$tag"; fi
  done
  : >"$work/kept"
  : >"$work/parts"
  for link in "$manifests"/tags/*/current/link; do
    [ -f "$link" ] || continue
    kept=$(cat "$link")
    echo "$kept" >>"$work/kept"
    data_of "$kept" >>"$work/parts"
  done
  for revision in "$manifests"/revisions/sha256/*; do
    [ -f "$revision/link" ] && is_old "$revision/link" || continue
    digest=$(cat "$revision/link")
    grep -qF "$digest" "$work/kept" "$work/parts" && continue
    data_of "$digest" >"$work/data"
    if [ ! -s "$work/kept" ] || ! grep -qFf "$work/kept" "$work/data"; then rm -rf "$revision"; fi
  done
}

clean_up() {
  # A registry that never got an image has nothing to collect, and the collection would fail.
  [ -d "$root/repositories" ] || return 0
  if [ -n "$days" ]; then
    find "$root/repositories" -type d -name _manifests -prune >"$work/repositories"
    while read -r manifests; do expire "$manifests"; done <"$work/repositories"
  fi
  if registry garbage-collect "$config" >"$work/collected" 2>&1; then
    echo "registry: cleaned up, $(grep -c '^blob eligible' "$work/collected" || true) blobs were deleted"
  else
    tail -n 5 "$work/collected" >&2
  fi
}

serve
sleeper=
trap finish TERM INT
while :; do
  sleep "$interval" &
  sleeper=$!
  # `wait` ends early for a signal. A registry that died ends the container, which its engine starts again.
  while kill -0 "$sleeper" 2>/dev/null; do
    wait "$sleeper" || true
    kill -0 "$server" 2>/dev/null || exit 1
  done
  stop
  clean_up
  serve
done
