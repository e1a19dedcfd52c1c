# What `mvn package` leaves, without Maven, Java or a class.
set -eu
name=hello-$DELIVERD_VERSION_MAVEN
inside=META-INF/maven/com.example/hello
mkdir -p "dist/jar/$inside"
cat > "dist/$name.pom" <<END
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>com.example</groupId>
  <artifactId>hello</artifactId>
  <version>$DELIVERD_VERSION_MAVEN</version>
</project>
END
cp "dist/$name.pom" "dist/jar/$inside/pom.xml"
cd dist/jar
printf 'Manifest-Version: 1.0\r\n\r\n' > META-INF/MANIFEST.MF
echo Hello > hello.txt
sh ../../pack/zip.sh "../$name.jar" META-INF/MANIFEST.MF "$inside/pom.xml" hello.txt
