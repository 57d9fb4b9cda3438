# e2bfs: `make help` lists the targets.  Each variant has a tree of its own under build/.
comma := ,
SAN   ?=
B     := build/$(if $(SAN),$(subst $(comma),-,$(SAN)),release)

PREFIX  ?= /usr/local
DESTDIR ?=
VERSION := 0.1.0

ifneq ($(V),1)
Q := @
say = @printf '  %-7s %s\n' '$(1)' '$(2)'
endif

PKGS_LIB  := libcurl jansson nettle
PKGS_FUSE := fuse3
PKGS_SRV  := libmicrohttpd

OUR_CPPFLAGS := -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -Iinclude -Isrc -DE2BFS_VERSION='"$(VERSION)"'
OUR_CFLAGS   := -std=gnu11 -g -O2 -fPIC -pthread -fvisibility=default \
	-Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla -Wformat=2
ifeq ($(SAN),)
OUR_CPPFLAGS += -D_FORTIFY_SOURCE=2
OUR_CFLAGS   += -fstack-protector-strong
OUR_LDFLAGS  := -pie -Wl,-z,relro,-z,now
else
OUR_CFLAGS   += -fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=undefined
OUR_LDFLAGS  := -fsanitize=$(SAN)
endif
ifeq ($(CI),true)
OUR_CFLAGS += -Werror
endif
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS_LIB) $(PKGS_FUSE) $(PKGS_SRV) 2>/dev/null)
OUR_LDFLAGS += -pthread

objs = $(patsubst %.c,$(B)/%.o,$(wildcard $(addsuffix /*.c,$(1))))
LIB_OBJS := $(call objs,src/util src/http src/e2b)
FS_OBJS  := $(call objs,src/fs src/cache)
CLI_OBJS := $(call objs,src/cli)
SRV_OBJS := $(call objs,src/sandboxd)

BINS := $(B)/bin/e2bfs $(B)/bin/e2b-inspect $(B)/bin/e2b-sandboxd

all: $(BINS) ## build everything into build/release

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(OUR_CFLAGS) $(OUR_CPPFLAGS) $(PKG_CFLAGS) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(B)/lib/libe2b.a: $(LIB_OBJS)
	@mkdir -p $(@D)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(B)/bin/e2bfs: $(FS_OBJS) $(B)/lib/libe2b.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(OUR_LDFLAGS) $(LDFLAGS) -o $@ $^ $(shell pkg-config --libs $(PKGS_FUSE) $(PKGS_LIB))

$(B)/bin/e2b-inspect: $(CLI_OBJS) $(B)/lib/libe2b.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(OUR_LDFLAGS) $(LDFLAGS) -o $@ $^ $(shell pkg-config --libs $(PKGS_LIB))

$(B)/bin/e2b-sandboxd: $(SRV_OBJS) $(call objs,src/util)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(OUR_LDFLAGS) $(LDFLAGS) -o $@ $^ $(shell pkg-config --libs $(PKGS_SRV) jansson nettle)

# Unit tests: one program each, linked with everything that has no main().
UNIT_SRCS := $(wildcard tests/unit/test_*.c)
UNIT_BINS := $(patsubst tests/unit/%.c,$(B)/unit/%,$(UNIT_SRCS))
$(B)/unit/%: $(B)/tests/unit/%.o $(call objs,src/cache) $(B)/lib/libe2b.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(OUR_LDFLAGS) $(LDFLAGS) -o $@ $^ $(shell pkg-config --libs $(PKGS_LIB))

clean: ## remove build/
	rm -rf build

help: ## this list
	@awk -F ':.*## ' '/^[a-z_.]+:.*## /{ printf "  %-24s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: all clean help
.SECONDARY:
-include $(shell find $(B) -name '*.d' 2>/dev/null)
