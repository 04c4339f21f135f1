.DEFAULT_GOAL := help
.PHONY: help run test test-browser test-document audit pictures lint bench

help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Build and serve at http://localhost:8000
	cargo run

# Some tests only wait, for a clock or for PostgreSQL: others are run meanwhile.
THREADS := $(shell expr $$(getconf _NPROCESSORS_ONLN) + 2)

# Node's packages first: some of the tests run an example in Node.
test: end2end/node_modules/.package-lock.json ## Run every test, with a throw-away PostgreSQL, and in a browser
	RUST_TEST_THREADS=$(THREADS) scripts/with-postgres scripts/with-others cargo test --no-fail-fast
	tests/schemathesis/run
	tests/systemd/run
	tests/compose/run
	$(MAKE) --no-print-directory test-browser

# Built as `cargo test` builds it, so that nothing is compiled twice. `SPECS` names the files to run; all without.
test-browser: end2end/node_modules/.package-lock.json ## Run the browser tests alone, or those of SPECS
	cargo test --no-run --quiet
	cd end2end && npm run --silent browser && npm run --silent check && npm run --silent test -- $(SPECS)

test-document: ## Let schemathesis hold the API against its OpenAPI document
	cargo test --no-run --quiet
	tests/schemathesis/run

audit: end2end/node_modules/.package-lock.json ## Let Lighthouse judge the sign-in pages (a minute; not a test)
	cargo build --release
	cd end2end && npm run --silent browser && VESTIBULE_BIN=../target/release/vestibule npm run --silent audit

pictures: end2end/node_modules/.package-lock.json ## Take the pictures of the README anew, into docs/
	cargo build --quiet
	cd end2end && npm run --silent browser && npm run --silent pictures

# npm writes this file when it is done.
end2end/node_modules/.package-lock.json: end2end/package.json end2end/package-lock.json
	cd end2end && npm ci

lint: ## Check the formatting, and clippy with warnings as errors
	cargo fmt --check
	cargo metadata --locked --format-version 1 --manifest-path fuzz/Cargo.toml >/dev/null
	cargo clippy --all-targets --locked -- -D warnings

bench: ## Measure against the bare floors (minutes; not a test)
	cargo bench --bench vestibule
