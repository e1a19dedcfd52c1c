# One container is a whole installation: docs/reference/configuration.md tells what it takes from its environment.
ARG NODE_IMAGE=node:24-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json ./
COPY scripts/build.mjs scripts/
COPY src src
COPY workers workers
RUN npm run build && chmod +x dist/src/cli/index.js && npm prune --omit=dev --no-audit --no-fund

FROM ${NODE_IMAGE}
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates git redis-server tini \
 && apt-get clean \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --create-home --shell /usr/sbin/nologin deliverd \
 && install -d -o deliverd -g deliverd -m 0700 /data \
 && ln -s /app/dist/src/cli/index.js /usr/local/bin/deliverd
WORKDIR /app
COPY package.json ./
COPY scripts/container-entrypoint.sh ./
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
HEALTHCHECK --start-period=30s --interval=30s --timeout=5s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/healthz`).then((a) => process.exit(a.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["tini", "--", "/app/container-entrypoint.sh"]
CMD ["start"]
