# A disk with an empty file system on it: real, and nothing that would boot.
set -eu
mkdir -p dist
dd if=/dev/zero of=dist/disk.raw bs=1024 count=8192
mke2fs -F -L hello dist/disk.raw
