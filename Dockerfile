# The image: the compiled program, the few libraries it needs, and certificates. No shell.
#
#   docker build -t matrixrtc-auth .
#
# Where the base binary of this Deno version cannot be downloaded, put one into the folder as
# `denort`, and the `deno` of the same version beside it as `denort-deno`.

ARG DENO_VERSION=2.9.6

FROM docker.io/denoland/deno:${DENO_VERSION} AS build
# `system` trusts what the image trusts, for networks with an authority of their own.
ARG DENO_TLS_CA_STORE=mozilla
WORKDIR /src
COPY deno.json deno.lock main.ts denort* ./
COPY lib lib
COPY tools tools
RUN if [ -e denort ]; then export DENORT_BIN=$PWD/denort; fi; \
    if [ -e denort-deno ]; then export DENO_COMPILE=$PWD/denort-deno; fi; \
    deno task compile

FROM docker.io/library/debian:bookworm-slim AS root
RUN if [ ! -e /etc/ssl/certs/ca-certificates.crt ]; then \
      apt-get update && apt-get install -y --no-install-recommends ca-certificates; \
    fi
WORKDIR /root-of-image
COPY --from=build /src/dist/matrixrtc-auth ./
# The loader and the libraries, each at its place; `hosts` before DNS, as --add-host expects.
RUN ldd matrixrtc-auth | grep -o '/[^ ]*' | xargs -I{} cp --parents -L {} . \
    && mkdir -p etc/ssl/certs \
    && cp -L /etc/ssl/certs/ca-certificates.crt etc/ssl/certs/ \
    && echo 'hosts: files dns' > etc/nsswitch.conf

FROM scratch
LABEL org.opencontainers.image.title="matrixrtc-auth" \
      org.opencontainers.image.description="MatrixRTC authorization service for LiveKit" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=root /root-of-image /
USER 10001:10001
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["/matrixrtc-auth", "healthcheck"]
ENTRYPOINT ["/matrixrtc-auth"]
