# One container is a whole installation: docs/guides/containers.md tells how to run it, and how to pin these bases.
ARG NODE_IMAGE=node:24-bookworm-slim
ARG BASE_IMAGE=debian:bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json ./
COPY scripts/assets.mjs scripts/build.mjs scripts/external.mjs scripts/image-packages.mjs scripts/
COPY src src
COPY workers workers
RUN npm run build && chmod +x dist/src/cli/index.js \
 && node scripts/image-packages.mjs && rm -rf node_modules/.bin node_modules/@libsql/linux-*-musl*

# Node alone: npm and its like are needed for building only.
FROM ${BASE_IMAGE}
COPY --from=build /usr/local/bin/node /usr/local/bin/node
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates git libstdc++6 redis-server sqlite3 tini \
 && apt-get clean \
 && rm -rf /var/lib/apt/lists/* /usr/share/doc /usr/share/man \
 && useradd --uid 1000 --create-home --shell /usr/sbin/nologin deliverd \
 && install -d -o deliverd -g deliverd -m 0700 /data \
 && mkdir -p /app/bin \
 && ln -s /app/dist/src/cli/index.js /app/bin/deliverd
WORKDIR /app
COPY package.json ./
# Under this name for `docker exec`, too: whatever runs in the container runs as the daemon's user.
COPY scripts/container-entrypoint.sh /usr/local/bin/deliverd
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
# The engine stands outside: it reaches the intake under an address of its own host, to which the port is published.
ENV NODE_ENV=production \
    PORT=8080 \
    DELIVERD_DATA_DIR=/data \
    DELIVERD_INTAKE_LISTEN=0.0.0.0:5055 \
    DELIVERD_INTAKE_ADVERTISE=127.0.0.1:5055
VOLUME /data
EXPOSE 8080 5055
HEALTHCHECK --start-period=30s --interval=15s --timeout=5s CMD ["deliverd", "health"]
ENTRYPOINT ["tini", "--", "deliverd"]
CMD ["start"]
