# Two plain files.
set -eu
mkdir -p dist
printf '#!/bin/sh\necho Hello from %s\n' "$DELIVERD_VERSION" > dist/hello.sh
echo "Made of commit $DELIVERD_SHA" > dist/NOTICE
