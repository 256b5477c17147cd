ARG NODE_IMAGE=node:24-bookworm-slim

# The production modules, reduced to what runs. One layer does it all, because node-rdkafka with its compiled sources
# weighs half a gigabyte; it depends on the lock file only, so a change of our sources never compiles librdkafka again.
FROM ${NODE_IMAGE} AS modules
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates g++ libssl-dev libzstd-dev make python3 zlib1g-dev \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# librdkafka's configure leaves a feature out without a word when its -dev package is missing; the last stage checks.
# OIDC is left out on purpose: libcurl and what it links to would double the image. lz4 comes with librdkafka.
# nodedir: the base image has Node's headers, node-gyp would download them.
# --ignore-scripts: our own `prepare` has no sources to compile here.
# TypeScript is an optional peer of valibot, which npm installs even with --omit=peer since we have it for development:
# it would be two thirds of the image's own size.
RUN export npm_config_nodedir=/usr/local \
 && npm ci --omit=dev --ignore-scripts \
 && npm rebuild node-rdkafka fs-ext \
 && cd node_modules \
 && mkdir -p /kept/build/Release /kept/build/deps \
 && cp -R node-rdkafka/lib node-rdkafka/librdkafka.js node-rdkafka/package.json node-rdkafka/LICENSE.txt /kept/ \
 && cp node-rdkafka/deps/librdkafka/LICENSES.txt /kept/LICENSES.librdkafka.txt \
 && strip --strip-unneeded -o /kept/build/Release/node-librdkafka.node node-rdkafka/build/Release/node-librdkafka.node \
 && for lib in librdkafka.so.1 librdkafka++.so.1; do \
      strip --strip-unneeded -o "/kept/build/deps/$lib" "node-rdkafka/build/deps/$lib"; \
    done \
 && rm -rf node-rdkafka nan .bin .package-lock.json \
 && mv /kept node-rdkafka \
 && strip --strip-unneeded fs-ext/build/Release/fs_ext.node \
 && find fs-ext -mindepth 1 -type f ! -name fs_ext.node ! -name fs-ext.js ! -name package.json ! -name LICENSE.txt -delete \
 && rm -rf typescript undici/scripts valibot/dist/*.min.* valibot/dist/*.cjs yaml/browser \
 && for package in * @*/*; do \
      for extra in .github bench benchmark benchmarks coverage docs example examples test tests; do \
        rm -rf "${package:?}/$extra"; \
      done; \
    done \
 && find . -type f ! -iname '*licen[cs]e*' ! -iname '*notice*' \
      \( -name '*.ts' -o -name '*.mts' -o -name '*.cts' -o -name '*.map' -o -name '*.md' -o -name '*.tsbuildinfo' \) -delete \
 && find . -type d -empty -delete \
 && chmod -R a+rX . \
 && rm -rf /root/.npm

# Our own JavaScript.
FROM ${NODE_IMAGE} AS program
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts && rm -rf /root/.npm
COPY . ./
# What the program needs at run time, beside its modules, is collected in /kept: `demo` may be there or not.
RUN node_modules/.bin/tsc -p tsconfig.json --sourceMap false --incremental false \
 && mkdir -p /kept/dist \
 && cp -R dist/cli dist/sidecar dist/webhook /kept/dist/ \
 && cp package.json LICENSE /kept/ \
 && if [ -d demo ]; then cp -R demo /kept/; fi \
 && chmod -R a+rX /kept

FROM ${NODE_IMAGE}
# The one library that librdkafka names and the slim base lacks. From the package, not copied, so that a scanner sees its
# version. apt's lists and logs would otherwise be most of this layer.
RUN apt-get update \
 && apt-get install -y --no-install-recommends libssl3 \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/lib/dpkg/*-old /var/log/apt /var/log/dpkg.log \
# Group 0 may write as well: OpenShift starts the image with a random user id in group 0.
 && install -d -o 65532 -g 0 -m 0770 /var/lib/inference-logger
# The authorities that TLS to a public Kafka service is checked against. The package that has them would bring the
# openssl program along.
COPY --from=modules /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
WORKDIR /app
COPY --from=modules /app/node_modules ./node_modules
COPY --from=program /kept ./

# SSL_CERT_FILE: where OpenSSL looks without `ssl.ca.location`. Node resolves librdkafka's calls to its own OpenSSL,
# whose built-in path does not exist here.
# UV_THREADPOOL_SIZE: node-rdkafka's blocking calls hold threads of the pool that the journal's writes need.
# MALLOC_ARENA_MAX: glibc gives every thread of librdkafka an arena that never shrinks.
# NODE_OPTIONS: V8 derives its young generation from the container's memory limit, and a small one promotes every event
# to the old space. There is no --max-old-space-size on purpose: one event of INFERENCE_LOGGER_MAX_EVENT_BYTES in the
# `envelope` format is several strings of its size, and what bounds the memory are the queue's and the events' limits.
ENV NODE_ENV=production \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    UV_THREADPOOL_SIZE=8 \
    MALLOC_ARENA_MAX=2 \
    NODE_OPTIONS=--max-semi-space-size=4

# A number, since Kubernetes cannot tell from a name that it is not root (runAsNonRoot).
USER 65532:65532

# Fails the build when librdkafka was compiled without something that users' clusters need, or when pruning went too far.
RUN node -e 'require("fs-ext"); const missing = ["ssl", "sasl_scram", "sasl_oauthbearer", "lz4", "zstd"].filter(f => !require("node-rdkafka").features.includes(f)); if (missing.length) throw new Error("librdkafka lacks " + missing)' \
 && node dist/cli/main.js --version

# Events of the gateway, events of the sidecar, metrics and health.
EXPOSE 8080 9480 9481

ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="inference-logger" \
      org.opencontainers.image.description="Writes the inference requests and responses that KServe logs to Kafka without losing one" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

ENTRYPOINT ["node", "/app/dist/cli/main.js"]
CMD ["gateway"]
