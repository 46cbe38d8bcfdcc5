# One image for the API, the worker and the sender; the command picks which. Node's version is package.json's.
FROM node:24.21.0-slim AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# No install scripts: the image has its own Node, and the native parts come built.
RUN npm install --no-save --omit=dev --ignore-scripts

FROM packages AS bundle
COPY . .
RUN node stack/bundle.ts /app/workflows.bundle.js

FROM node:24.21.0-slim
WORKDIR /app
ENV LETHE_ENVIRONMENT=production \
    NODE_OPTIONS="--max-semi-space-size=8 --max-old-space-size=384 --disable-sigusr1 --report-exclude-env" \
    MALLOC_ARENA_MAX=2 MALLOC_TRIM_THRESHOLD_=131072 \
    LETHE_WORKFLOW_BUNDLE=/app/workflows.bundle.js
COPY --from=packages /app/node_modules node_modules
COPY . .
COPY --from=bundle /app/workflows.bundle.js ./
# Where the worker keeps the last checkpoint of the evidence log, what no restore may undo is written down, and each process
# keeps its encrypted log: all else is owned by root and read only to this user.
RUN install -d -o node -g node -m 0700 /var/lib/lethe /var/lib/lethe-ledger /var/log/lethe
USER node
EXPOSE 8443
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=6 \
    CMD ["node", "-e", "fetch('http://127.0.0.1:8080/healthz').then((a) => process.exit(a.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "api/server.ts"]
