# zip.sh <archive> <file>...: a zip (APPNOTE 6.3) by gzip alone, whose stream and checksum are the ones that a zip wants.
set -eu
archive=$1
shift
work=$(mktemp -d)
# Little-endian: le <number> <bytes>
le() {
  number=$1 left=$2
  while [ "$left" -gt 0 ]; do
    printf "\\$(printf %03o $((number % 256)))"
    number=$((number / 256)) left=$((left - 1))
  done
}
# Version, flags, method (deflate), time, date (1980-01-01), checksum, both sizes, length of the name, no extra field.
common() {
  le 20 2; le 0 2; le 8 2; le 0 2; le 33 2
  tail -c 8 "$work/gz" | head -c 4
  le "$packed" 4
  tail -c 4 "$work/gz"
  le ${#file} 2; le 0 2
}
offset=0 count=0
: > "$archive"
for file; do
  # A gzip is ten bytes, the stream, the checksum and the size of what is in it.
  gzip -c < "$file" > "$work/gz"
  packed=$(($(wc -c < "$work/gz") - 18))
  { printf 'PK\003\004'; common; printf %s "$file"; tail -c +11 "$work/gz" | head -c "$packed"; } >> "$archive"
  { printf 'PK\001\002'; le 20 2; common; le 0 6; le 0 4; le "$offset" 4; printf %s "$file"; } >> "$work/central"
  offset=$(wc -c < "$archive") count=$((count + 1))
done
size=$(wc -c < "$work/central")
{ cat "$work/central"; printf 'PK\005\006'; le 0 4; le "$count" 2; le "$count" 2; le "$size" 4; le "$offset" 4; le 0 2; } >> "$archive"
rm -r "$work"
