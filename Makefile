# `make` builds sendwrap's programs, `make test` installs what the tests need and runs them,
# `make fuzz` searches for inputs that break it, `make bench` measures it, `make install` installs
# what `make` has built, `make uninstall` removes it, `make deb` makes Debian packages, and
# `make release` all that is published (docs/RELEASING.md).
#
# sendwrap-door is what starts for each client: it becomes /usr/local/sbin/sendwrap. sendwrap, the
# full program, does all the rest, and works alone too, but for what people look at: it becomes
# sendwrap-view for `sendwrap top`, `metrics`, `report`, `replay` and `setup`, and starts
# sendwrap-share for `sendwrap share`.

GO     ?= go
arches := amd64 arm64

prefix     ?= /usr/local
sbindir    ?= $(prefix)/sbin
libexecdir ?= $(prefix)/libexec
mandir     ?= $(prefix)/share/man
docdir     ?= $(prefix)/share/doc/sendwrap
bashdir    ?= $(prefix)/share/bash-completion/completions
zshdir     ?= $(prefix)/share/zsh/site-functions
sysconfdir ?= /etc
statedir   ?= /var/lib/sendwrap

# Where the programs are that `make install` installs: here, or in a directory, which ends with /.
from ?=

# -E: a program begins in exec/entry_linux_*.s, so that Go's runtime never writes to a client. Both
# are told where compiled policies are, the door where the full program is. The door has no table of
# symbols.
full  := $(libexecdir)/sendwrap/sendwrap
build := CGO_ENABLED=0 $(GO) build -trimpath \
	-ldflags='-E=_rt0_sendwrap -X=main.stateDir=$(statedir)'
door  := CGO_ENABLED=0 $(GO) build -tags=door -trimpath \
	-ldflags='-s -w -E=_rt0_sendwrap_door -X=main.stateDir=$(statedir) -X=main.fullProgram=$(full)'
view  := CGO_ENABLED=0 $(GO) build -tags=view -trimpath -ldflags='-s -w'
share := CGO_ENABLED=0 $(GO) build -tags=share -trimpath -ldflags='-s -w'

.PHONY: all
all: sendwrap.places
	$(build) -o sendwrap .
	$(door) -o sendwrap-door .
	$(view) -o sendwrap-view .
	$(share) -o sendwrap-share .

.PHONY: programs
programs:
	for arch in $(arches); do \
		GOOS=linux GOARCH=$$arch $(build) -o bin/sendwrap-linux-$$arch . && \
		GOOS=linux GOARCH=$$arch $(door) -o bin/sendwrap-door-linux-$$arch . && \
		GOOS=linux GOARCH=$$arch $(view) -o bin/sendwrap-view-linux-$$arch . && \
		GOOS=linux GOARCH=$$arch $(share) -o bin/sendwrap-share-linux-$$arch . || exit; \
	done

# What is published, in bin/: all of it, checksums, and which modules the programs have in them.
.PHONY: release
release:
	rm -rf bin
	$(MAKE) programs deb dist
	$(GO) run ./tests/sbom bin/sendwrap-*linux-* >bin/sendwrap.cdx.json
	cd bin && sha256sum *linux-* *.deb *.tar.gz *.json >SHA256SUMS

# The source with all modules: it builds without a network.
.PHONY: dist
dist:
	GO='$(GO)' packaging/release/dist

# Not every user has the directories of daemons in PATH.
check   := PATH="$$PATH:/usr/sbin:/sbin" tests/run.sh
scripts := packaging/sendwrap-nft $(wildcard tests/*.sh) .ci/run packaging/release/version.sh \
	packaging/release/dist packaging/deb/build \
	$(addprefix packaging/deb/,postinst prerm postrm)

.PHONY: setup
setup:
	sh tests/setup.sh

.PHONY: lint
lint: setup
	@unformatted=$$(gofmt -l .) && if [ -n "$$unformatted" ]; then \
		echo "run gofmt -w on:" $$unformatted; exit 1; fi
	$(GO) vet ./...
	$(GO) vet -tags=door .
	$(GO) vet -tags=view .
	$(GO) vet -tags=share .
	$(GO) tool staticcheck ./...
	$(GO) tool staticcheck -tags=door .
	$(GO) tool staticcheck -tags=view .
	$(GO) tool staticcheck -tags=share .
	shellcheck $(scripts)
	codespell --quiet-level 2 --ignore-words tests/codespell.txt \
		--skip ./.git,go.sum,nfpm.sum,sendwrap,bin,./tests/codespell.txt,testdata

# The race detector watches the packages that start goroutines or have locks for them. The others
# would only be slower: it sees nothing of shared memory.
packages := $(sort $(dir $(shell find allowlist exec wrapper -name '*_test.go')))
watched  := $(sort $(dir $(shell find $(packages) -maxdepth 1 -name '*.go' ! -name '*_test.go' | \
	xargs grep -lE '^[[:blank:]]*(go [[:alpha:]]|"sync"$$)|[.]Go\>')))

# -count=1: go test does not know that the end-to-end tests depend on the program. -p 3 and
# -parallel 16: most tests wait, for delays and daemons. The timeouts are for tests that hang. The
# packages that take longest come first, so that the last of them does not run alone.
tests := $(check) $(GO) test -count=1 -p 3 -parallel 16 -timeout 60m

.PHONY: test
test: lint programs
	$(tests) ./packaging ./tests ./wrapper/ledger ./tests/guard ./wrapper ./tests/... \
		$(addprefix ./,$(filter-out $(watched),$(packages)))
	$(tests) -race ./wrapper/try $(addprefix ./,$(watched))
	$(check) tests/fuzz.sh 5s

.PHONY: fuzz
fuzz:
	$(check) tests/fuzz.sh 60s

# All rows, or those of BENCH: `make bench BENCH='-only memory -quick'`.
BENCH ?= -markdown docs/BENCHMARKS.md

.PHONY: bench
bench: setup
	$(GO) build -o bin/bench ./tests/bench
	bin/bench $(BENCH)

# The sources of the programs. If none is newer than the programs, `make install` builds nothing:
# root often has no Go.
sources := $(shell find *.go go.* allowlist exec wrapper -type f \
	! -name '*_test.go' ! -path '*/testdata/*')

# What setup gives to super-servers is in the view program.
with_setup := $(addprefix packaging/,xinetd/sendwrap sendwrap.socket sendwrap@.service)

$(from)sendwrap: $(sources) $(from)sendwrap.places
	$(build) -o $@ .

$(from)sendwrap-door: $(sources) $(from)sendwrap.places
	$(door) -o $@ .

$(from)sendwrap-view: $(sources) $(with_setup)
	$(view) -o $@ .

$(from)sendwrap-share: $(sources)
	$(share) -o $@ .

# What the programs have been told. If `make install` is to install elsewhere, they are built again.
$(from)sendwrap.places: FORCE
	@echo $(full) $(statedir) | cmp -s - $@ || echo $(full) $(statedir) >$@

.PHONY: FORCE
FORCE:

# These go into docdir, with the same names. README links to them.
documents := README.md CHANGELOG.md CONTRIBUTING.md SECURITY.md LICENSE \
	sendwrap.conf.example $(wildcard docs/*.md docs/*.png) \
	$(filter-out %.go packaging/deb/% packaging/release/%, \
	$(shell find packaging -type f))

# $(call put,MODE,FROM,TO) installs a text, with the installed paths in it.
put = install -D -m $(1) $(2) $(DESTDIR)$(3) && sed -i \
	-e 's|/usr/local/sbin/sendwrap|$(sbindir)/sendwrap|g' \
	-e 's|/usr/local/libexec/sendwrap|$(libexecdir)/sendwrap|g' \
	-e 's|/usr/local/share/doc/sendwrap|$(docdir)|g' $(DESTDIR)$(3)

# $(call program,FROM,TO) installs a program: a client that comes meanwhile starts the old one or
# the new one, whole.
program = install -D -m 755 $(1) $(DESTDIR)$(2).new && mv -f $(DESTDIR)$(2).new $(DESTDIR)$(2)

policies = $(addprefix $(DESTDIR)$(statedir)/,policy policy-????????????????)

# Policies go: they hold what the older program has made of the text, its defaults too, and nothing
# in them tells one build from another. The next connection makes a new one.
.PHONY: install
install: $(addprefix $(from),sendwrap sendwrap-door sendwrap-view sendwrap-share)
	$(call program,$(from)sendwrap,$(full))
	$(call program,$(from)sendwrap-view,$(full)-view)
	$(call program,$(from)sendwrap-share,$(full)-share)
	$(call program,$(from)sendwrap-door,$(sbindir)/sendwrap)
	$(call put,755,packaging/sendwrap-nft,$(sbindir)/sendwrap-nft)
	$(call put,644,docs/sendwrap.8,$(mandir)/man8/sendwrap.8)
	$(call put,644,docs/sendwrap.conf.5,$(mandir)/man5/sendwrap.conf.5)
	$(call put,644,packaging/completion/bash,$(bashdir)/sendwrap)
	$(call put,644,packaging/completion/zsh,$(zshdir)/_sendwrap)
	for file in $(documents); do \
		if test -x $$file; then mode=755; else mode=644; fi; \
		$(call put,$$mode,$$file,$(docdir)/$$file) || exit; \
	done
	conf=$(DESTDIR)$(sysconfdir)/sendwrap.conf; test -e $$conf || test -h $$conf || { \
		$(call put,644,sendwrap.conf.example,$(sysconfdir)/sendwrap.conf); }
	test -d $(DESTDIR)$(statedir) || install -d -m 700 $(DESTDIR)$(statedir)
	rm -f $(policies)
	@test $(sysconfdir) = /etc || echo \
		'sendwrap reads /etc/sendwrap.conf, unless you write -f $(sysconfdir)/sendwrap.conf'

# Removes what install has installed with the same prefix. docs/OPERATIONS.md, "Remove", says what
# to stop before.
.PHONY: uninstall
uninstall:
	rm -f $(addprefix $(DESTDIR),$(sbindir)/sendwrap $(full) $(full)-view $(full)-share \
		$(sbindir)/sendwrap-nft $(mandir)/man8/sendwrap.8 $(mandir)/man5/sendwrap.conf.5 \
		$(bashdir)/sendwrap $(zshdir)/_sendwrap \
		$(addprefix $(docdir)/,$(documents)))
	for dir in $(dir $(DESTDIR)$(full)) $(DESTDIR)$(docdir); do \
		test ! -d $$dir || \
			find $$dir -depth -type d -exec rmdir --ignore-fail-on-non-empty {} +; \
	done
	rm -f $(policies)
	@echo 'not removed: $(sysconfdir)/sendwrap.conf, and $(statedir) with the ledger'

# The Debian packages, in bin/. The same commit makes the same packages, byte for byte.
.PHONY: deb
deb:
	GO='$(GO)' packaging/deb/build $(arches)

.PHONY: clean
clean:
	rm -rf sendwrap sendwrap-door sendwrap-view sendwrap-share sendwrap.places bin
