# The few things that are done often. `make check` is what CI runs.
.PHONY: check fmt lint test long bless bench docs demo

check:
	.ci/run

fmt:
	cargo fmt

lint:
	cargo clippy --locked --all-targets -- -D warnings

# Installs what the tests need (registry, web server) and runs all of them.
test:
	tests/install-parts
	cargo test --locked

# The same with hundreds of rounds where the short form has tens.
long:
	PLIMSOLL_LONG=1 PROPTEST_CASES=2000 cargo test --locked --release

# Writes generated files anew: schemas, references, snapshots.
bless:
	PLIMSOLL_BLESS=1 INSTA_UPDATE=always cargo test --locked --test it -- generated commands

bench:
	cargo bench --locked

docs:
	RUSTDOCFLAGS=-Dwarnings cargo doc --locked --no-deps

demo:
	cargo run --quiet -- demo
