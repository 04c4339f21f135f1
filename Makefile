.DEFAULT_GOAL := help
.PHONY: help run test lint bench

help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Build and serve at http://localhost:8000
	cargo run

test: ## Run every test, with a throw-away PostgreSQL
	scripts/with-postgres cargo test --no-fail-fast

lint: ## Check the formatting, and clippy with warnings as errors
	cargo fmt --check
	cargo clippy --all-targets --locked -- -D warnings

bench: ## Measure against the bare floors (minutes; not a test)
	cargo bench --bench vestibule
