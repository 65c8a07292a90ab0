# The program with what it runs: git, ssh and certificates. Built by `docker build .` or by Plimsoll itself.
FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --locked --release --bin plimsoll

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates git openssh-client \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 999 --user-group --home-dir /var/lib/plimsoll --create-home plimsoll
COPY --from=build /src/target/release/plimsoll /usr/local/bin/plimsoll
# The user that Argo CD's plugin sidecars run as. Only the home directory is written to, and only for mirrors.
USER 999:999
WORKDIR /var/lib/plimsoll
ENTRYPOINT ["plimsoll"]
