# What `python -m build` leaves, without Python: a wheel and an sdist.
set -eu
name=acme_hello-$DELIVERD_VERSION_PEP440
mkdir -p dist/wheel/acme_hello "dist/wheel/$name.dist-info" "dist/sdist/$name/acme_hello"
echo 'print("Hello")' | tee dist/wheel/acme_hello/__init__.py > "dist/sdist/$name/acme_hello/__init__.py"
tee "dist/wheel/$name.dist-info/METADATA" > "dist/sdist/$name/PKG-INFO" <<END
Metadata-Version: 2.1
Name: acme-hello
Version: $DELIVERD_VERSION_PEP440
Summary: Says hello
License: Apache-2.0
END
cat > "dist/wheel/$name.dist-info/WHEEL" <<END
Wheel-Version: 1.0
Generator: sh
Root-Is-Purelib: true
Tag: py3-none-any
END
cd dist/wheel
files="acme_hello/__init__.py $name.dist-info/METADATA $name.dist-info/WHEEL"
for file in $files; do
  hash=$(sha256sum "$file" | cut -c1-64 | xxd -r -p | base64 | tr '+/' '-_' | tr -d '=')
  echo "$file,sha256=$hash,$(wc -c < "$file")"
done > "$name.dist-info/RECORD"
echo "$name.dist-info/RECORD,," >> "$name.dist-info/RECORD"
sh ../../pack/zip.sh "../$name-py3-none-any.whl" $files "$name.dist-info/RECORD"
tar -C ../sdist -cf - "$name" | gzip > "../$name.tar.gz"
