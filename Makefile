# cosafs: see README.md. `make demo` and `make test` install what they need.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := build

GO       ?= go
BIN      := bin
SUDO     := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
LINT     := $(BIN)/golangci-lint
LINT_VER := v2.15.0
FUZZTIME ?= 30s

# Debian packages by what they are for. cosafs itself needs the first three lists.
DEPS_COMPOSE := dnf rpm createrepo-c ostree
DEPS_DISK    := supermin qemu-system-x86 qemu-utils linux-image-cloud-amd64 gdisk xfsprogs dosfstools \
                e2fsprogs mtools grub-pc-bin grub-efi-amd64-bin grub-common xorriso squashfs-tools erofs-utils
DEPS_MOUNT   := fuse3
DEPS_STORE   := ca-certificates xz-utils gpgv
DEPS_DEMO    := ostree-boot busybox-static dracut-core ovmf git kmod zstd cpio
DEPS_TEST    := attr udev plocate rsync psmisc procps file python3 python3-flufl.lock gcc libc6-dev \
                nginx-light rclone s3fs awscli gnupg skopeo
DEPS_DAV     := davfs2 cadaver litmus gvfs gvfs-backends gvfs-daemons libglib2.0-bin dbus dbus-daemon curl wget aria2 \
                qemu-block-extra apache2 apache2-utils libnginx-mod-http-dav-ext chromium fonts-dejavu-core nodejs \
                systemd openssl
DEPS_BENCH   := libguestfs-tools
DEPS_RUN     := $(DEPS_COMPOSE) $(DEPS_DISK) $(DEPS_MOUNT) $(DEPS_STORE) $(DEPS_DEMO)

# No test may be skipped for want of a tool.
REQUIRE := all

.PHONY: build test test-short lint fmt fuzz test-code test-program bench bench-artifacts bench-dav bench-stores demo check clean deps deps-bench deps-test man

build: ## the program, static, in bin/
	@command -v $(GO) >/dev/null || { echo "cosafs is built with Go 1.26 or newer: https://go.dev/dl/" >&2; exit 1; }
	CGO_ENABLED=0 $(GO) build -trimpath -o $(BIN)/cosafs ./cmd/cosafs

deps: ; @$(call install,$(DEPS_RUN))
deps-test: ; @$(call install,$(DEPS_RUN) $(DEPS_TEST) $(DEPS_DAV))

deps-bench: ; @$(call install,$(DEPS_BENCH))

# install: the Debian packages that are missing, if any.
define install
missing=$$(for p in $(1); do dpkg-query -W -f='$${db:Status-Status}' $$p 2>/dev/null | grep -qx installed || echo $$p; done); \
if [ -n "$$missing" ]; then \
  $(SUDO) apt-get update -qq && \
  $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $$missing; \
fi
endef

# Two halves at once: package test waits for virtual machines most of its time.
test: deps-test build $(LINT) ## everything, all code with the race detector
	$(MAKE) --no-print-directory -j2 test-code test-program

# All of the program's code, and then what the race detector makes ten times slower.
test-code:
	COSAFS_TEST_REQUIRE=$(REQUIRE) $(GO) test -race -timeout 60m -p 1 $$($(GO) list ./... | grep -v '/test$$')
	$(GO) test -run 'TestTenThousandBuilds|TestKill$$|TestHeapOfManyBuilds' ./index/catalog ./cmd/internal/stream

# The program as its users have it, from outside: none of its code runs in these tests.
test-program:
	COSAFS_TEST_REQUIRE=$(REQUIRE) $(GO) test -timeout 60m ./test

test-short: ## what needs no root and no virtual machine
	$(GO) test -short ./...

lint: $(LINT)
	$(LINT) run ./...

$(LINT):
	GOBIN=$(abspath $(BIN)) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VER)

fmt: $(LINT)
	$(LINT) fmt ./...

fuzz: ## each fuzz target for FUZZTIME
	@for pkg in $$($(GO) list ./...); do \
	  for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    echo "== $$pkg $$target"; $(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$pkg; \
	  done; done

bench: deps-test build ## ratios against a native read and against the bare scripts, in one run
	$(GO) test -run '^$$' -bench . -benchtime 1x -timeout 60m ./test/bench

bench-artifacts: deps-test deps-bench build ## all images of a build: against libguestfs and qemu-img, in one run
	$(GO) test -run '^$$' -bench '^BenchmarkArtifacts' -benchtime 1x -timeout 60m ./test/bench

bench-dav: deps-test build ## serving over WebDAV: ratios against nginx, Apache and rclone, in one run
	$(GO) test -run '^$$' -bench '^BenchmarkDAV' -benchtime 1x -timeout 60m ./test/bench

bench-stores: deps-test build ## reading stores: ratios against raw ranged GETs, rclone and s3fs, in one run
	$(GO) test -run '^$$' -bench '^BenchmarkStores' -benchtime 1x -timeout 60m ./test/bench

demo: deps build ## from nothing to a booted image; look around in demo/ afterwards
	$(GO) run ./test/demo -cosafs $(BIN)/cosafs -dir demo

check: lint test

man: build
	$(BIN)/cosafs man > doc/cosafs.8

clean:
	-$(BIN)/cosafs umount demo/mnt 2>/dev/null
	rm -rf $(BIN) demo .cache
