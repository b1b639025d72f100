# make install, uninstall, dist and deb. Included by the Makefile. lib/lib.mk installs the library and flotilla-cli.

.PHONY: install-server uninstall-server

BINDIR     := $(PREFIX)/bin
MANDIR     := $(PREFIX)/share/man
DOCDIR     := $(PREFIX)/share/doc/flotilla
SYSCONFDIR ?= $(if $(filter /usr,$(PREFIX)),/etc,$(PREFIX)/etc)
# systemd reads these also below /usr/local.
UNITDIR     := $(PREFIX)/lib/systemd/system
SYSUSERSDIR := $(PREFIX)/lib/sysusers.d
TMPFILESDIR := $(PREFIX)/lib/tmpfiles.d
COMPLETIONS := $(PREFIX)/share/bash-completion/completions
CONFIG_FILE := $(SYSCONFDIR)/flotilla/redis.conf
VERSION     := $(shell sed -n 's/^.define FLOTILLA_VERSION *"\(.*\)"/\1/p' src/base/version.h)

# What is made from templates and from redis.conf.example goes through here.
PACKAGING := $(BUILD)/packaging
GENERATED := $(addprefix $(PACKAGING)/,flotilla.service tmpfiles.conf redis.conf completion.bash flotilla-server.1 \
	flotilla-check.1 flotilla.conf.5)
FILL_IN    = sed -e 's|@BINDIR@|$(BINDIR)|g' -e 's|@CONFIG_FILE@|$(CONFIG_FILE)|g' -e 's|@SYSCONFDIR@|$(SYSCONFDIR)|g' \
	-e 's|@DOCDIR@|$(DOCDIR)|g'

# Each run makes them anew: PREFIX may be another.
$(PACKAGING)/flotilla.service: deploy/systemd/flotilla.service.in FORCE
	@mkdir -p $(@D)
	$(Q)$(FILL_IN) $< > $@

$(PACKAGING)/tmpfiles.conf: deploy/systemd/tmpfiles.conf.in FORCE
	@mkdir -p $(@D)
	$(Q)$(FILL_IN) $< > $@

$(PACKAGING)/%.1: deploy/man/%.1.in FORCE
	@mkdir -p $(@D)
	$(Q)$(FILL_IN) $< > $@

$(PACKAGING)/flotilla.conf.5: redis.conf.example deploy/man/conf-page.awk FORCE
	@mkdir -p $(@D)
	$(Q)LC_ALL=C awk -f deploy/man/conf-page.awk $< > $@

# A service listens on this machine alone until somebody decides otherwise.
$(PACKAGING)/redis.conf: redis.conf.example FORCE
	@mkdir -p $(@D)
	$(Q)sed -e 's|^dir \./$$|dir /var/lib/flotilla|' -e 's|^bind \* -::\*$$|bind 127.0.0.1 -::1|' \
		-e 's|^supervised no$$|supervised auto|' $< > $@

$(PACKAGING)/completion.bash: deploy/completion.bash.in redis.conf.example FORCE
	@mkdir -p $(@D)
	$(Q)sed -e "s|@DIRECTIVES@|$$(sed -n 's/^\([a-z][a-z-]*\) .*/--\1/p' redis.conf.example | sort -u | tr '\n' ' ')|" \
		$< > $@

INSTALL_DATA = install -D -m 644
install: install-server install-lib
uninstall: uninstall-server uninstall-lib

install-server: $(SERVER) $(CHECK) $(GENERATED)
	$(Q)install -D -m 755 $(SERVER) $(DESTDIR)$(BINDIR)/flotilla-server
	$(Q)install -D -m 755 $(CHECK) $(DESTDIR)$(BINDIR)/flotilla-check
	$(Q)$(INSTALL_DATA) $(PACKAGING)/flotilla-server.1 $(DESTDIR)$(MANDIR)/man1/flotilla-server.1
	$(Q)$(INSTALL_DATA) $(PACKAGING)/flotilla-check.1 $(DESTDIR)$(MANDIR)/man1/flotilla-check.1
	$(Q)$(INSTALL_DATA) $(PACKAGING)/flotilla.conf.5 $(DESTDIR)$(MANDIR)/man5/flotilla.conf.5
	$(Q)$(INSTALL_DATA) $(PACKAGING)/completion.bash $(DESTDIR)$(COMPLETIONS)/flotilla-server
	$(Q)$(INSTALL_DATA) $(PACKAGING)/completion.bash $(DESTDIR)$(COMPLETIONS)/flotilla-check
	$(Q)$(INSTALL_DATA) $(PACKAGING)/flotilla.service $(DESTDIR)$(UNITDIR)/flotilla.service
	$(Q)$(INSTALL_DATA) deploy/systemd/sysusers.conf $(DESTDIR)$(SYSUSERSDIR)/flotilla.conf
	$(Q)$(INSTALL_DATA) $(PACKAGING)/tmpfiles.conf $(DESTDIR)$(TMPFILESDIR)/flotilla.conf
	$(Q)$(INSTALL_DATA) redis.conf.example $(DESTDIR)$(DOCDIR)/redis.conf.example
	$(Q)$(INSTALL_DATA) README.md $(DESTDIR)$(DOCDIR)/README.md
	$(Q)$(INSTALL_DATA) LICENSE $(DESTDIR)$(DOCDIR)/LICENSE
	$(Q)[ -e $(DESTDIR)$(CONFIG_FILE) ] || install -D -m 640 $(PACKAGING)/redis.conf $(DESTDIR)$(CONFIG_FILE)
	@echo "installed to $(DESTDIR)$(PREFIX); configuration: $(DESTDIR)$(CONFIG_FILE)"

# A configuration that somebody has changed stays, and so does all data.
uninstall-server: $(PACKAGING)/redis.conf
	$(Q)rm -f $(addprefix $(DESTDIR),$(BINDIR)/flotilla-server $(BINDIR)/flotilla-check \
		$(MANDIR)/man1/flotilla-server.1 $(MANDIR)/man1/flotilla-check.1 $(MANDIR)/man5/flotilla.conf.5 \
		$(COMPLETIONS)/flotilla-server $(COMPLETIONS)/flotilla-check $(UNITDIR)/flotilla.service \
		$(SYSUSERSDIR)/flotilla.conf $(TMPFILESDIR)/flotilla.conf)
	$(Q)rm -rf $(DESTDIR)$(DOCDIR)
	$(Q)if cmp -s $(PACKAGING)/redis.conf $(DESTDIR)$(CONFIG_FILE); then rm -f $(DESTDIR)$(CONFIG_FILE); fi
	$(Q)if [ -e $(DESTDIR)$(CONFIG_FILE) ]; then echo "kept, because it was changed: $(DESTDIR)$(CONFIG_FILE)"; \
	else rmdir $(DESTDIR)$(SYSCONFDIR)/flotilla 2>/dev/null || true; fi

# The commit's files with the commit's time: who makes it, where and when leaves no trace.
dist:
	@mkdir -p $(BUILD)
	$(Q)git -c tar.umask=0022 archive --format=tar --prefix=flotilla-$(VERSION)/ HEAD | gzip -9 -n \
		> $(BUILD)/flotilla-$(VERSION).tar.gz
	@echo $(BUILD)/flotilla-$(VERSION).tar.gz

deb:
	$(Q)BUILD='$(BUILD)' MAKE='$(MAKE)' deploy/debian/build
