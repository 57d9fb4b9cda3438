# e2bfs: `make help` lists the targets.  Each variant has a tree of its own under build/.
comma := ,
SAN   ?=
BUILD := build
B     := $(BUILD)/$(if $(SAN),$(subst $(comma),-,$(SAN)),release)

PREFIX     ?= /usr/local
DESTDIR    ?=
bindir     ?= $(PREFIX)/bin
# mount(8) looks for helpers here only; somebody's own prefix is not the system's business.
mountdir   ?= $(if $(filter /usr /usr/local,$(PREFIX)),/sbin,$(PREFIX)/sbin)
libdir     ?= $(PREFIX)/lib
includedir ?= $(PREFIX)/include
mandir     ?= $(PREFIX)/share/man
VERSION    := 0.1.0
SOVERSION  := 0

ifneq ($(V),1)
Q := @
say = @printf '  %-7s %s\n' '$(1)' '$(2)'
endif

# --- flags: ours first, so that the user's win -------------------------------------------------

PKGS_LIB  := libcurl jansson nettle
PKGS_FUSE := fuse3
PKGS_SRV  := libmicrohttpd zlib
PKGS_ALL  := $(PKGS_LIB) $(PKGS_FUSE) $(PKGS_SRV)
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS_ALL) 2>/dev/null)

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wvla -Wformat=2
OUR_CPPFLAGS := -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -Iinclude -Isrc \
	-DE2BFS_VERSION='"$(VERSION)"'
OUR_CFLAGS   := -std=gnu11 -g -O2 -fPIC -pthread $(WARNINGS)
OUR_LDFLAGS  := -pthread -Wl,--as-needed
PIE          := -pie
ifneq ($(COVERAGE),)
OUR_CFLAGS   += -O0 --coverage
OUR_LDFLAGS  += --coverage
else ifeq ($(SAN),)
OUR_CPPFLAGS += -D_FORTIFY_SOURCE=2
OUR_CFLAGS   += -fstack-protector-strong
OUR_LDFLAGS  += -Wl,-z,relro,-z,now
else
OUR_CFLAGS   += -O1 -fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=undefined
OUR_LDFLAGS  += -fsanitize=$(SAN)
endif
ifeq ($(CI),true)
OUR_CFLAGS += -Werror
endif

compile = $(CC) $(OUR_CFLAGS) $(OUR_CPPFLAGS) $(PKG_CFLAGS) $(CPPFLAGS) $(CFLAGS)
link    = $(CC) $(OUR_CFLAGS) $(CFLAGS) $(OUR_LDFLAGS) $(LDFLAGS)
libs    = $(shell pkg-config --libs $(1))

# --- what is built from what -------------------------------------------------------------------

objs = $(patsubst %.c,$(B)/%.o,$(wildcard $(addsuffix /*.c,$(1))))
LIB_OBJS := $(call objs,src/util src/http src/e2b)
FS_OBJS  := $(call objs,src/fs src/cache)
CLI_OBJS := $(call objs,src/cli)
SRV_OBJS := $(call objs,src/sandboxd)

# A program exists as soon as its main.c does.
PROGRAMS := $(if $(wildcard src/fs/main.c),e2bfs) $(if $(wildcard src/cli/main.c),e2b-inspect) \
	$(if $(wildcard src/sandboxd/main.c),e2b-sandboxd)
BINS  := $(addprefix $(B)/bin/,$(PROGRAMS))
# mount(8) finds its helper by this name; e2bfs knows from it how it was called.
LINKS := $(if $(filter e2bfs,$(PROGRAMS)),$(B)/bin/mount.e2bfs)
LIBS  := $(B)/lib/libe2b.a $(B)/lib/libe2b.so $(B)/lib/pkgconfig/e2b.pc

all: $(BINS) $(LINKS) $(LIBS) ## build everything into build/release

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(compile) -MMD -MP -c -o $@ $<

# The archives of the layers above the library are for tests: the linker takes what a test uses.
$(B)/lib/libe2b.a: $(LIB_OBJS)
$(B)/test/fs.a: $(filter-out %/main.o,$(FS_OBJS))
$(B)/test/cli.a: $(filter-out %/main.o,$(CLI_OBJS))
$(B)/test/sandboxd.a: $(filter-out %/main.o,$(SRV_OBJS))
$(B)/%.a:
	@mkdir -p $(@D)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(B)/lib/libe2b.so.$(SOVERSION): $(LIB_OBJS) src/libe2b.map
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(link) -shared -Wl,-soname,$(@F) -Wl,--version-script=src/libe2b.map -o $@ \
		$(LIB_OBJS) $(call libs,$(PKGS_LIB))

$(B)/lib/libe2b.so: $(B)/lib/libe2b.so.$(SOVERSION)
	$(Q)ln -sf $(<F) $@

# PREFIX may change from one call to the next, so installing fills it in once more.
fill_in = sed -e 's|@PREFIX@|$(PREFIX)|;s|@LIBDIR@|$(libdir)|;s|@INCLUDEDIR@|$(includedir)|' \
	-e 's|@VERSION@|$(VERSION)|;s|@REQUIRES@|$(PKGS_LIB)|' src/e2b.pc.in
$(B)/lib/pkgconfig/e2b.pc: src/e2b.pc.in Makefile
	@mkdir -p $(@D)
	$(Q)$(fill_in) >$@

$(B)/bin/e2bfs: $(FS_OBJS) $(B)/lib/libe2b.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(link) $(PIE) -o $@ $^ $(call libs,$(PKGS_FUSE) $(PKGS_LIB))

$(B)/bin/mount.e2bfs: $(B)/bin/e2bfs
	$(Q)ln -sf $(<F) $@

$(B)/bin/e2b-inspect: $(CLI_OBJS) $(B)/lib/libe2b.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(link) $(PIE) -o $@ $^ $(call libs,$(PKGS_LIB))

$(B)/bin/e2b-sandboxd: $(SRV_OBJS) $(call objs,src/util)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(link) $(PIE) -o $@ $^ $(call libs,$(PKGS_SRV) jansson nettle)

# --- test programs -----------------------------------------------------------------------------

# test_sandboxd_x finds names in sandboxd first, every other test in the library.
TEST_ARCHIVES := $(B)/lib/libe2b.a $(B)/test/fs.a $(B)/test/cli.a $(B)/test/sandboxd.a
test_libs = $(if $(findstring sandboxd,$(1)),$(B)/test/sandboxd.a) -Wl,--start-group \
	$(TEST_ARCHIVES) -Wl,--end-group $(call libs,$(PKGS_ALL))

UNIT_BINS := $(patsubst tests/unit/%.c,$(B)/unit/%,$(wildcard tests/unit/test_*.c))
$(B)/unit/%: $(B)/tests/unit/%.o $(TEST_ARCHIVES)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(link) $(PIE) -o $@ $< $(call test_libs,$*)

# Small programs that the bats tests act through.
HELPER_BINS := $(patsubst tests/helpers/%.c,$(B)/helpers/%,$(wildcard tests/helpers/*.c))
$(B)/helpers/%: $(B)/tests/helpers/%.o
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(link) $(PIE) -o $@ $<

# Fuzz targets need clang: make fuzz-bins CC=clang SAN=fuzzer-no-link,address,undefined
FUZZ_BINS := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
$(B)/fuzz/%: $(B)/tests/fuzz/%.o $(TEST_ARCHIVES)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(link) -fsanitize=fuzzer -o $@ $< $(call test_libs,$*)

unit-bins: $(UNIT_BINS)
fuzz-bins: $(FUZZ_BINS)
test-bins: all $(UNIT_BINS) $(HELPER_BINS)

# --- run and test ------------------------------------------------------------------------------
# Libraries are looked up while make reads this file, so what installs them starts make again.

run: ## mount a local demo at ./mnt, print what to try, unmount on Ctrl-C
	@scripts/install-deps.sh run
	@$(MAKE) --no-print-directory all
	@exec scripts/demo.sh $(B)/bin

test: ## every test (15 minutes at most on 2 cores)
	@scripts/install-deps.sh test
	@MAKE='$(MAKE)' BUILD='$(BUILD)' scripts/run-tests.sh

check: test ## the same as test

test-long: ## everything under everything, and longer
	@scripts/install-deps.sh test
	@MAKE='$(MAKE)' BUILD='$(BUILD)' scripts/run-tests.sh --long

unit bats asan tsan valgrind fuzz: ## one part of the tests
	@scripts/install-deps.sh test
	@MAKE='$(MAKE)' BUILD='$(BUILD)' scripts/run-tests.sh $@

sdk: ## the local server, used by the official Python and JavaScript SDKs (network, node, npm)
	@$(MAKE) --no-print-directory all
	@exec tests/sdk/run.sh $(B)/bin $(BUILD)

bench: ## print timings against the local server; nothing is asserted
	@scripts/install-deps.sh test
	@$(MAKE) --no-print-directory all
	@exec tests/bench/run.sh $(B)/bin

coverage: ## which lines the tests run: build/coverage/index.html
	@scripts/install-deps.sh coverage
	@MAKE='$(MAKE)' BUILD='$(BUILD)' scripts/coverage.sh

lint: ## clang-tidy, cppcheck, shellcheck, layers, formatting, manual pages
	@scripts/install-deps.sh test
	@scripts/lint.sh

format: ## put all C files into the project's format
	@scripts/format.sh

compile_commands.json: Makefile ## for editors and clang-tidy
	$(Q)printf '%s\n' $(wildcard src/*/*.c tests/*/*.c) | jq -nR \
		--arg dir '$(CURDIR)' --arg cc $(call quote,$(compile)) \
		'[inputs | {directory: $$dir, file: ., command: "\($$cc) -c \(.)"}]' >$@

squote := '
quote = '$(subst $(squote),'\'',$(1))'

# --- install -----------------------------------------------------------------------------------

MAN_PAGES := $(wildcard man/*.[1-8])
HEADERS   := $(wildcard include/e2b/*.h)
man_path   = $(DESTDIR)$(mandir)/man$(subst .,,$(suffix $(1)))/$(notdir $(1))

install: all ## into DESTDIR and PREFIX (/usr/local)
	$(Q)install -d $(DESTDIR)$(bindir) $(DESTDIR)$(libdir)/pkgconfig \
		$(DESTDIR)$(includedir)/e2b $(sort $(dir $(foreach page,$(MAN_PAGES),$(call man_path,$(page)))))
	$(Q)install -m 755 $(BINS) $(DESTDIR)$(bindir)
	$(Q)install -d $(DESTDIR)$(mountdir)
	$(Q)$(foreach link,$(LINKS),ln -sf $(bindir)/e2bfs $(DESTDIR)$(mountdir)/$(notdir $(link)))
	$(Q)install -m 644 $(B)/lib/libe2b.a $(DESTDIR)$(libdir)
	$(Q)install -m 755 $(B)/lib/libe2b.so.$(SOVERSION) $(DESTDIR)$(libdir)
	$(Q)ln -sf libe2b.so.$(SOVERSION) $(DESTDIR)$(libdir)/libe2b.so
	$(Q)$(fill_in) >$(DESTDIR)$(libdir)/pkgconfig/e2b.pc
	$(Q)install -m 644 $(HEADERS) $(DESTDIR)$(includedir)/e2b
	$(Q)$(foreach page,$(MAN_PAGES),install -m 644 $(page) $(call man_path,$(page));)

uninstall: ## remove what install put there
	$(Q)rm -f $(addprefix $(DESTDIR)$(bindir)/,$(notdir $(BINS))) \
		$(addprefix $(DESTDIR)$(mountdir)/,$(notdir $(LINKS))) \
		$(addprefix $(DESTDIR)$(libdir)/libe2b.,a so so.$(SOVERSION)) \
		$(DESTDIR)$(libdir)/pkgconfig/e2b.pc $(foreach page,$(MAN_PAGES),$(call man_path,$(page)))
	$(Q)rm -rf $(DESTDIR)$(includedir)/e2b

clean: ## remove build/
	$(Q)rm -rf $(BUILD)

help: ## this list
	@awk -F ':.*## ' '/^[a-z_. -]+:.*## /{ printf "  %-36s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: all unit-bins fuzz-bins test-bins run test check test-long unit bats asan tsan valgrind \
	fuzz sdk bench coverage lint format compile_commands.json install uninstall clean help
.SECONDARY:
.DELETE_ON_ERROR:
-include $(shell find $(B) -name '*.d' 2>/dev/null)
