# Vestibule in a container: `docker build --tag vestibule .`

FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock build.rs ./
COPY benches benches
COPY migrations migrations
COPY public public
COPY src src
COPY style style
COPY tests tests
RUN cargo build --release --locked --bin vestibule
# The volume below begins as a copy of this, and so is its user's.
RUN mkdir /data

# Neither a shell nor a package manager: what runs, and the libraries that it needs. Its user is nonroot, 65532.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /src/target/release/vestibule /usr/local/bin/vestibule
COPY --from=build --chown=65532:65532 /data /data
ENV HOST=0.0.0.0
ENV PORT=8000
ENV DATA_DIR=/data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=6s --start-period=30s CMD ["/usr/local/bin/vestibule", "health"]
ENTRYPOINT ["/usr/local/bin/vestibule"]
