# Two commands do everything: `make demo` and `make test`. Both install missing Debian packages first.

.PHONY: help demo test accuracy bench schemas fuzz kill-test fips lint advisories packages build units layer deb deb-arm64 deb-test deb-twice loader-test update-test arm64

MILEPOST := target/release/milepost
CARGO_DENY := target/tools/bin/cargo-deny
CARGO_AUDITABLE := target/tools/bin/cargo-auditable
CARGO_CYCLONEDX := target/tools/bin/cargo-cyclonedx

PARSER ?= manifest
SECONDS ?= 60
KILLS ?= 1000

help: ## show what can be made
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: build ## the whole product on this machine: traffic, a hot list, alerts, evidence, purge (DEMO_SECONDS=20 ends it by itself)
	@exec $(MILEPOST) demo $(if $(DEMO_SECONDS),--seconds $(DEMO_SECONDS))

test: packages ## every test, with a real broker, RTSP server and browser
	@echo "Building and running the tests; the first build takes about ten minutes on two cores."
	cargo test --release --locked --no-fail-fast

accuracy: packages ## how well plates are read, by slice; writes target/accuracy/summary.json
	cargo test --release --locked --test accuracy -- --nocapture

bench: packages ## every benchmark; writes target/bench/summary.json, which keeps what kill-test found
	@mkdir -p target/bench && rm -f target/bench/summary.json
	@[ ! -f target/bench/kill-test.json ] || cp target/bench/kill-test.json target/bench/summary.json
	cargo bench --profile release --locked --bench reading --bench pipeline --bench hotlist --bench record --bench health --bench console --bench fleet_page --bench delivery --bench fleet
	@cat target/bench/summary.json

schemas: packages ## the JSON schemas of all messages, anew from their types, into config/schemas
	MILEPOST_WRITE_SCHEMAS=1 cargo test --release --locked --lib contract::
	@git diff --stat -- config/schemas

fuzz: packages ## libFuzzer on one parser of outside bytes: PARSER=manifest SECONDS=60 (tests/parsers/list.rs has the names)
	@mkdir -p target/fuzz/corpus/$(PARSER)
	PARSER=$(PARSER) CORPUS=target/fuzz/corpus/$(PARSER) RUSTC_BOOTSTRAP=1 cargo run --release --manifest-path tests/fuzz/Cargo.toml --target-dir target/fuzz -- \
		-max_total_time=$(SECONDS) -artifact_prefix=target/fuzz/ target/fuzz/corpus/$(PARSER)

kill-test: packages ## kill -9 a unit under load with its broker and receiver, KILLS=1000 times; then as often amid list updates
	MILEPOST_KILLS=$(KILLS) cargo test --release --locked --test kills -- killed_at_any_instant --nocapture
	MILEPOST_KILLS=$(KILLS) cargo test --release --locked --test hotlist -- a_process_killed --nocapture

fips: packages ## the program with the FIPS 140-3 module of AWS-LC, in target/fips/release; needs the Debian packages cmake and golang-go
	cargo build --release --locked --features fips --target-dir target/fips
	@target/fips/release/milepost --version

lint: packages $(CARGO_DENY) ## formatting, clippy, licences
	cargo fmt --check
	cargo clippy --release --locked --all-targets -- -D warnings
	$(CARGO_DENY) check licenses bans sources

units: packages ## what systemd itself says of our units and their sandbox
	.ci/check-units

layer: packages ## the Yocto layer: fresh crates, lint, parsed by bitbake
	.ci/check-layer

# What is shipped names no folder of whoever built it, so that two builders get the same bytes; so it is compiled apart from what
# `test` and `demo` share. Cargo's own `trim-paths` will do once our Rust has it.
deb: export RUSTFLAGS = --remap-path-prefix=$(CURDIR)=. --remap-path-prefix=$(or $(CARGO_HOME),$(HOME)/.cargo)=/cargo
deb: export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct)
deb: packages target/deb/milepost.cdx.json $(CARGO_AUDITABLE) ## the Debian package for this machine's processor, with the list of its parts; into target/deb
	$(CARGO_AUDITABLE) auditable build --release --locked --target-dir target/package
	systemd/debian/build target/package/release/milepost target/deb/milepost.cdx.json target/deb

deb-arm64: target/deb/milepost.cdx.json $(CARGO_AUDITABLE) ## the Debian package for arm64, so for Raspberry Pi OS, made on any Debian; into target/deb-arm64; as root, about 20 minutes
	@mkdir -p target/deb-arm64
	systemd/debian/build-arm64 target/deb/milepost.cdx.json target/deb-arm64

.PHONY: target/deb/milepost.cdx.json
target/deb/milepost.cdx.json: $(CARGO_CYCLONEDX)
	@mkdir -p target/deb
	$(CARGO_CYCLONEDX) cyclonedx --quiet --format json --spec-version 1.5 --no-build-deps --override-filename milepost.cdx
	@sed "s|file://$(CURDIR)|file://.|g" milepost.cdx.json >$@ && rm milepost.cdx.json

deb-test: deb ## the package and its services tried in a booted Debian: killed, hung, upgraded, removed, purged; as root
	systemd/debian/test target/deb/milepost_*_$$(dpkg --print-architecture).deb

deb-twice: $(CARGO_AUDITABLE) $(CARGO_CYCLONEDX) ## do two builders get the same package? builds the last commit in two places, and compares; about 20 minutes
	systemd/debian/build-twice $${TMPDIR:-/var/tmp}/milepost-twice

loader-test: packages ## the Raspberry Pi's loader script by a U-Boot in QEMU: tries, the other system, one without a kernel; as root, two minutes
	yocto/loader-test/run target/loader-test

update-test: deb ## a unit's camera, its way of a stick, and updates that succeed, fail half-way and are refused, on a disk in QEMU; as root, about 50 minutes; STEPS=panic runs that alone
	yocto/update-test/make-disk target/deb/milepost_*_amd64.deb target/update-test
	yocto/update-test/run target/update-test $(STEPS)

arm64: ## compile for arm64, and sign and read on an emulated processor, in a Debian of its own under target; as root
	.ci/check-arm64

advisories: $(CARGO_DENY) ## known vulnerabilities in dependencies; needs the advisory database
	$(CARGO_DENY) check advisories

build: packages
	@echo "Building Milepost; the first build takes about ten minutes on two cores."
	cargo build --release --locked

packages:
	@.ci/install-packages
	@.ci/promtool

$(CARGO_DENY):
	cargo install --quiet --locked --root target/tools cargo-deny

$(CARGO_AUDITABLE):
	cargo install --quiet --locked --root target/tools cargo-auditable

$(CARGO_CYCLONEDX):
	cargo install --quiet --locked --root target/tools cargo-cyclonedx
