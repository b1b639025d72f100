# Libraries and their minimum versions, found by pkg-config. Their packages are in install.sh.
DEPS_SERVER := libevent:2.1 hiredis:0.14 openssl:3.0 jemalloc:5.0 libxxhash:0.8 liblz4:1.9 jansson:2.13
DEPS_TESTS  := cmocka:1.1

PKG_CONFIG ?= pkg-config

deps_modules = $(foreach dep,$(1),$(firstword $(subst :, ,$(dep))))
deps_cflags  = $(shell $(PKG_CONFIG) --cflags $(call deps_modules,$(1)) 2>/dev/null)
deps_libs    = $(shell $(PKG_CONFIG) --libs $(call deps_modules,$(1)) 2>/dev/null)

# "name>=version" for each library that is missing or too old; empty if all are there.
deps_missing = $(strip $(foreach dep,$(1),$(if $(shell $(PKG_CONFIG) --atleast-version=$(lastword \
	$(subst :, ,$(dep))) $(firstword $(subst :, ,$(dep))) 2>/dev/null && echo yes),,$(subst :,>=,$(dep)))))
