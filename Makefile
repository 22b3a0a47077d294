# `make` builds sendwrap, `make test` tests it (and gets what the tests want first), `make fuzz` looks for
# inputs that break it, `make bench` measures it, `make install` installs it, `make release` builds for
# every machine it is released for.

GO     ?= go
build  := CGO_ENABLED=0 $(GO) build -trimpath
arches := amd64 arm64

prefix     ?= /usr/local
sbindir    ?= $(prefix)/sbin
mandir     ?= $(prefix)/share/man
docdir     ?= $(prefix)/share/doc/sendwrap
sysconfdir ?= /etc
statedir   ?= /var/lib/sendwrap

.PHONY: all
all:
	$(build) -o sendwrap .

.PHONY: release
release:
	for arch in $(arches); do GOOS=linux GOARCH=$$arch $(build) -o bin/sendwrap-linux-$$arch . || exit; done

# The path: daemons are not in everybody's.
check   := PATH="$$PATH:/usr/sbin:/sbin" tests/run.sh
scripts := packaging/sendwrap-nft $(wildcard tests/*.sh) .ci/run

.PHONY: setup
setup:
	sh tests/setup.sh

.PHONY: lint
lint: setup
	@unformatted=$$(gofmt -l .) && if [ -n "$$unformatted" ]; then echo "run gofmt -w on:" $$unformatted; exit 1; fi
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	shellcheck $(scripts)
	codespell --quiet-level 2 --ignore-words tests/codespell.txt --skip ./.git,go.sum,sendwrap,bin,./tests/codespell.txt,testdata

# -count=1: the end-to-end tests run a sendwrap that go test does not know they depend on. -p 1: packages
# that are tested side by side would wait for each other's daemons. Once more without the race detector:
# the tests that do less with it. The time limits are for what hangs.
shortened := TestHonestBody|TestLostWhileMapped|TestCrashOfRooms

.PHONY: test
test: lint release
	$(check) $(GO) test -race -count=1 -p 1 -timeout 60m ./...
	$(check) $(GO) test -count=1 -timeout 60m -run '^($(shortened))$$' ./wrapper/ledger
	$(check) tests/fuzz.sh 5s

.PHONY: fuzz
fuzz:
	$(check) tests/fuzz.sh 60s

# All of it; or what BENCH says, as in `make bench BENCH='-only memory -quick'`.
BENCH ?= -markdown docs/BENCHMARKS.md

.PHONY: bench
bench: setup
	$(GO) build -o bin/bench ./tests/bench
	bin/bench $(BENCH)

.PHONY: install
install: all
	install -D -m 755 sendwrap $(DESTDIR)$(sbindir)/sendwrap
	install -D -m 755 packaging/sendwrap-nft $(DESTDIR)$(sbindir)/sendwrap-nft
	install -D -m 644 docs/sendwrap.8 $(DESTDIR)$(mandir)/man8/sendwrap.8
	install -D -m 644 docs/sendwrap.conf.5 $(DESTDIR)$(mandir)/man5/sendwrap.conf.5
	install -D -m 644 sendwrap.conf.example $(DESTDIR)$(docdir)/sendwrap.conf.example
	for file in $$(find packaging -type f ! -name '*.go'); do \
		if test -x $$file; then mode=755; else mode=644; fi; \
		install -D -m $$mode $$file $(DESTDIR)$(docdir)/$$file || exit; \
	done
	test -e $(DESTDIR)$(sysconfdir)/sendwrap.conf || install -D -m 644 sendwrap.conf.example $(DESTDIR)$(sysconfdir)/sendwrap.conf
	install -d -m 700 $(DESTDIR)$(statedir)

.PHONY: clean
clean:
	rm -rf sendwrap bin
