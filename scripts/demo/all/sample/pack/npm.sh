# What `npm pack` leaves, without npm.
set -eu
mkdir -p dist/package
echo "module.exports = () => 'Hello';" > dist/package/index.js
cat > dist/package/package.json <<END
{ "name": "@acme/hello", "version": "$DELIVERD_VERSION", "license": "Apache-2.0", "main": "index.js" }
END
tar -C dist -cf - package | gzip > dist/acme-hello.tgz
