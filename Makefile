# vmemail. One non-recursive Makefile, automatic dependencies, out-of-tree builds (make B=dir).
#   make            programs into $(B)/bin, plugins into $(B)/lib
#   make check      every test; closes with "N passed, N failed"
#   make demo       voice message and fax reach a real mailbox     make bench    ratios to peers
#   make install    DESTDIR and prefix are honoured                make lint     format, tidy, layers, man
#   make sim        a million random schedules against a model      make sim-planted  bugs it must find
#   make asan tsan  the tests under sanitizers, each in a tree of its own
#   make torture    kill -9 at random moments (KILLS=500)
#   make fuzz       hostile input for every parser (FUZZ=NAME FUZZ_SECONDS=60), with clang++
# WERROR=1 turns warnings into errors (CI does); V=1 shows the commands.

B ?= build
prefix ?= /usr/local/vm
mandir ?= $(prefix)/man
# Where programs that are built find libvmstore and its header, for vmstore.pc.
pc_libdir ?= $(prefix)/lib
pc_includedir ?= $(prefix)/include
WERROR ?= 0
SANITIZE ?=

CXX ?= g++
CXXFLAGS ?= -O2 -g
WARN := -Wall -Wextra -Wconversion -Wshadow -Wnon-virtual-dtor $(if $(filter 1,$(WERROR)),-Werror)
HARDEN := $(if $(SANITIZE),,-D_FORTIFY_SOURCE=2) -fstack-protector-strong
# vptr checks want type information that SOCI hides.
SAN := $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize=vptr -fno-omit-frame-pointer)
MIME_CFLAGS := $(shell pkg-config --cflags gmime-3.0 libxml-2.0 2>/dev/null)
ALL_CXXFLAGS = -std=c++20 -pthread -fPIC -fvisibility=hidden $(WARN) $(HARDEN) $(SAN) \
               -Isrc -Iplugins $(CXXFLAGS)
ALL_LDFLAGS = -pthread -Wl,-z,relro,-z,now -Wl,--as-needed $(SAN) $(LDFLAGS)
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-5s %s\n' $(1) '$(2)';)

.DELETE_ON_ERROR:
# Kept though only a pattern names them (.SECONDARY would also stop a new source from being built).
.PRECIOUS: $(B)/obj/%.o
.PHONY: all check demo bench torture fuzz install deb check-deb lint asan tsan clean format

LAYERS := base core config oauth2 media mime store transport agent diagnose asterisk
PROGRAMS := vmemaild vmconfig vmctl vmasterisk vmreadmail vmoauth2
PLUGINS := smtpimap4 smtppop3
TESTS := base core config oauth2 media mime store transport plugins agent diagnose asterisk app

all: $(PROGRAMS:%=$(B)/bin/%) $(PLUGINS:%=$(B)/lib/lib%.so) $(B)/lib/libvmcontent.so $(B)/lib/libvmstore.so

# ---- objects -----------------------------------------------------------------------------------
objs = $(patsubst %.cc,$(B)/obj/%.o,$(sort $(wildcard $(1)/*.cc)))

$(B)/obj/%.o: %.cc Makefile
	@mkdir -p $(@D)
	$(call say,CXX,$<)$(CXX) $(ALL_CXXFLAGS) $(EXTRA_CXXFLAGS) -MMD -MP -c -o $@ $<

# GMime and libxml2 stay in one layer, libcurl in the plugins: only they see those headers.
$(B)/obj/src/mime/%.o $(B)/obj/tests/mime/%.o: EXTRA_CXXFLAGS = $(MIME_CFLAGS)
# The mails' wording is a file a language; the programs carry a copy of each for roots that have none.
$(B)/obj/src/mime/built_in.o: $(wildcard etc/templates/*.ini)
$(B)/obj/src/mime/built_in.o: EXTRA_CXXFLAGS = -DVM_TEMPLATES='"etc/templates"'

# ---- layers ------------------------------------------------------------------------------------
define layer
$(B)/obj/libvm_$(1).a: $(call objs,src/$(1))
	@rm -f $$@
	$$(call say,AR,$$@)ar rcs $$@ $$^
endef
$(foreach l,$(LAYERS),$(eval $(call layer,$(l))))

# Downwards only, as in src/layers.txt.
LIBS_ALL := $(foreach l,asterisk diagnose agent transport store mime media oauth2 config core base,$(B)/obj/libvm_$(l).a)
EXTERNAL := -lsoci_core -lsoci_sqlite3 -lsqlite3 $(shell pkg-config --libs gmime-3.0 libxml-2.0 2>/dev/null) \
            -lsndfile -ltiff -linih -lspdlog -lfmt -lcrypto -lseccomp -ldl

# ---- what composes and converts, loaded by the programs when they first need it (src/content/table.h) ---------
CONTENT_BUILD := $(shell cat src/base/*.h src/core/*.h src/media/*.h src/mime/*.h src/content/*.h | cksum | cut -d' ' -f1)
$(B)/obj/src/content/%.o: EXTRA_CXXFLAGS = -DVM_CONTENT_BUILD='"vmcontent-$(CONTENT_BUILD)"'
LAZY_CONTENT := $(B)/obj/src/content/lazy.o
$(LAZY_CONTENT) $(B)/obj/src/content/library.o: $(wildcard $(foreach l,base core media mime content,src/$(l)/*.h))
CONTENT_ARCHIVES := $(foreach l,mime media core base,$(B)/obj/libvm_$(l).a)
$(B)/lib/libvmcontent.so: $(B)/obj/src/content/library.o $(CONTENT_ARCHIVES) src/content/export.map
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CXX) -shared $(ALL_LDFLAGS) $(if $(SANITIZE),,-Wl,-z,defs) \
	    -Wl,--version-script=src/content/export.map -o $@ $(filter %.o,$^) $(filter %.a,$^) $(EXTERNAL)

# ---- programs: src/app/NAME_main.cc plus the command trees they share
#      (vmreadmail and vmoauth2 have no commands, and what it does not need an intruder cannot use) ---------------
APP_SHARED := $(filter-out %_main.o,$(call objs,src/app))
# What draws by newt and looks at servers by OpenSSL, with what leads to it: in vmconfig only.
APP_FORMS := $(filter $(B)/obj/src/app/newt_% $(B)/obj/src/app/vmconfig_%,$(APP_SHARED)) \
    $(patsubst %,$(B)/obj/src/app/%.o,mailbox_check server_check sending_check account_check check_mail)
FORMS_LIBS := -lnewt -lslang -lssl
APP_PROGRAMS := $(patsubst %,$(B)/bin/%,$(filter-out vmreadmail vmoauth2,$(PROGRAMS)))
$(APP_PROGRAMS): $(filter-out $(APP_FORMS),$(APP_SHARED)) $(LAZY_CONTENT)
$(B)/bin/vmconfig $(B)/crash/bin/vmconfig: $(APP_FORMS)
$(B)/bin/vmconfig $(B)/crash/bin/vmconfig: PROGRAM_LIBS = $(FORMS_LIBS)
$(B)/bin/vmreadmail $(B)/bin/vmoauth2: $(B)/obj/src/app/cli.o
# libcurl by its file name, as for the plugins below.
$(B)/bin/vmoauth2: PROGRAM_LIBS = -l:libcurl.so.4
$(B)/bin/%: $(B)/obj/src/app/%_main.o $(LIBS_ALL)
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CXX) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(PROGRAM_LIBS) $(EXTERNAL)

# ---- the store for firmware (src/library/vmstore.h); the number in its name is the header's VM_STORE_ABI -----
VMSTORE := libvmstore.so.$(shell sed -n 's/^\#define VM_STORE_ABI //p' src/library/vmstore.h)
$(B)/lib/$(VMSTORE): $(call objs,src/library) $(LAZY_CONTENT) $(LIBS_ALL) src/library/export.map
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CXX) -shared $(ALL_LDFLAGS) $(if $(SANITIZE),,-Wl,-z,defs) -Wl,-z,nodelete -Wl,-soname,$(VMSTORE) \
	    -Wl,--version-script=src/library/export.map -o $@ $(filter %.o,$^) $(filter %.a,$^) $(EXTERNAL)
$(B)/lib/libvmstore.so: $(B)/lib/$(VMSTORE)
	$(Q)ln -sf $(VMSTORE) $@

# ---- plugins: one exported symbol (plugins/export.map); the OpenSSL build of libcurl by its file
#      name, because libetpan-dev and libcurl4-openssl-dev cannot be installed together -------------
$(B)/lib/lib%.so: plugins/export.map
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CXX) -shared $(ALL_LDFLAGS) $(if $(SANITIZE),,-Wl,-z,defs) \
	    -Wl,--version-script=plugins/export.map -o $@ $(filter %.o,$^) -l:libcurl.so.4 -lssl -lcrypto $(PLUGIN_LIBS)
$(foreach p,$(PLUGINS),$(eval $(B)/lib/lib$(p).so: $(call objs,plugins/$(p)) $(call objs,plugins/common)))

$(B)/lib/libsmtpimap4.so: PLUGIN_LIBS = -letpan

# Plugins that misbehave on purpose, for the tests.
TEST_PLUGINS := $(patsubst tests/plugins/fixtures/%.cc,$(B)/test/lib%.so,$(wildcard tests/plugins/fixtures/*.cc))
$(B)/test/lib%.so: $(B)/obj/tests/plugins/fixtures/%.o
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CXX) -shared $(ALL_LDFLAGS) -o $@ $^

# ---- the same programs and plugins with crash points (src/base/crash_point.h), for the tests: the sources that
#      have some are compiled once more, and stand before the archives ---------------------------------------
CRASH_SOURCES := $(shell grep -l VM_CRASH_POINT -r src plugins --include='*.cc' 2>/dev/null)
CRASH_SRC := $(patsubst %.cc,$(B)/crash/obj/%.o,$(filter src/%,$(CRASH_SOURCES)))
CRASH_PLUGINS := $(patsubst %.cc,$(B)/crash/obj/%.o,$(filter plugins/%,$(CRASH_SOURCES)))
CRASH_POINT := $(B)/obj/tests/crash/crash_point.o
$(B)/crash/obj/%.o $(CRASH_POINT): EXTRA_CXXFLAGS = -DVM_CRASH_POINTS
$(B)/crash/obj/%.o: %.cc Makefile
	@mkdir -p $(@D)
	$(call say,CXX,$< (crash points))$(CXX) $(ALL_CXXFLAGS) $(EXTRA_CXXFLAGS) -MMD -MP -c -o $@ $<
CRASHING := $(patsubst %,$(B)/crash/bin/%,vmemaild vmctl vmconfig vmasterisk)
CRASH_PROGRAMS := $(CRASHING) $(B)/crash/bin/vmreadmail $(B)/crash/bin/vmoauth2
$(B)/crash/bin/vmreadmail $(B)/crash/bin/vmoauth2: $(B)/crash/bin/%: $(B)/bin/%
	@mkdir -p $(@D)
	$(Q)ln -f $< $@
$(CRASHING): $(B)/crash/bin/%: $(B)/obj/src/app/%_main.o $(filter-out $(APP_FORMS),$(APP_SHARED)) $(LAZY_CONTENT) $(CRASH_SRC) \
    $(CRASH_POINT) $(LIBS_ALL)
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CXX) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(PROGRAM_LIBS) $(EXTERNAL)
CRASH_CONTENT := $(filter $(B)/crash/obj/src/base/% $(B)/crash/obj/src/media/% $(B)/crash/obj/src/mime/%,$(CRASH_SRC)) $(CRASH_POINT)
$(B)/crash/lib/libvmcontent.so: $(B)/obj/src/content/library.o $(CRASH_CONTENT) $(CONTENT_ARCHIVES) src/content/export.map
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CXX) -shared $(ALL_LDFLAGS) $(if $(SANITIZE),,-Wl,-z,defs) \
	    -Wl,--version-script=src/content/export.map -o $@ $(filter %.o,$^) $(filter %.a,$^) $(EXTERNAL)
CRASH_LIBRARIES := $(PLUGINS:%=$(B)/crash/lib/lib%.so) $(B)/crash/lib/libvmcontent.so
crash_objs = $(filter-out $(CRASH_PLUGINS:$(B)/crash/obj/%=$(B)/obj/%),$(1))
$(B)/crash/lib/lib%.so: plugins/export.map $(CRASH_PLUGINS) $(CRASH_POINT)
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CXX) -shared $(ALL_LDFLAGS) $(if $(SANITIZE),,-Wl,-z,defs) \
	    -Wl,--version-script=plugins/export.map -o $@ $(filter %.o,$^) -l:libcurl.so.4 -lssl -lcrypto $(PLUGIN_LIBS)
$(foreach p,$(PLUGINS),$(eval $(B)/crash/lib/lib$(p).so: \
    $(call crash_objs,$(call objs,plugins/$(p)) $(call objs,plugins/common))))
$(B)/crash/lib/libsmtpimap4.so: PLUGIN_LIBS = -letpan

# Libraries that system tests preload into the programs; without what would stand before their functions.
PRELOADS := $(patsubst tests/system/preload/%.cc,$(B)/test/lib%.so,$(wildcard tests/system/preload/*.cc))
$(B)/obj/tests/system/preload/%.o: SAN :=
$(B)/obj/tests/system/preload/%.o: HARDEN :=
$(PRELOADS): $(B)/test/lib%.so: $(B)/obj/tests/system/preload/%.o
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CXX) -shared -pthread -o $@ $^ -ldl

# ---- tests: one CppUnit program per layer -------------------------------------------------------
$(B)/test/%_test: $(B)/obj/tests/main.o $(LIBS_ALL)
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CXX) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) -lrapidcheck -lcppunit $(TEST_LIBS) $(EXTERNAL)
$(foreach t,$(TESTS),$(eval $(B)/test/$(t)_test: $(call objs,tests/$(t))))
# The plugins' inside is tested by linking it: the connection, SMTP, IMAP, POP3.
$(B)/test/plugins_test: $(call objs,plugins/common) \
    $(filter-out %/plugin.o,$(call objs,plugins/smtpimap4) $(call objs,plugins/smtppop3))
$(B)/test/plugins_test: TEST_LIBS = -l:libcurl.so.4 -letpan -lssl -lcrypto
$(B)/test/app_test: $(APP_SHARED)
$(B)/test/app_test: TEST_LIBS = $(FORMS_LIBS)
$(B)/test/diagnose_test: TEST_LIBS = -lssl -lcrypto

# ---- libvmstore.so is tested in C, as firmware uses it, and so is the example -----------------------------------
CC ?= gcc
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE -pthread -g -Wall -Wextra -Wpedantic -Werror $(SAN) -Isrc/library $(CFLAGS)
LIBRARY_TEST := $(B)/test/library_test
EXAMPLE := $(B)/test/vmstore-example
$(LIBRARY_TEST): $(wildcard tests/library/*.c) tests/library/harness.h
# (What else a process may use, and the library leaves alone.)
$(LIBRARY_TEST): HOST_LIBS = -lsqlite3 -ltiff -lstdc++
$(EXAMPLE): etc/examples/vmstore-example.c
$(LIBRARY_TEST) $(EXAMPLE): src/library/vmstore.h Makefile | $(B)/lib/libvmstore.so
	@mkdir -p $(@D)
	$(call say,CC,$@)$(CC) $(ALL_CFLAGS) -o $@ $(filter %.c,$^) -L$(B)/lib -Wl,-rpath,'$$ORIGIN/../lib' -lvmstore $(HOST_LIBS)

# ---- the simulation (tests/sim): the agent and its store over servers, accounts and a clock in memory ------
#      SCHEDULES=N, from seed SEED on, in JOBS processes.
SCHEDULES ?= 1000000
JOBS ?= 2
SIM_PLUGINS := $(B)/test/libsimimap4.so $(B)/test/libsimpop3.so
$(SIM_PLUGINS): $(B)/test/lib%.so: $(B)/obj/tests/sim/plugins/%.o
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CXX) -shared $(ALL_LDFLAGS) -o $@ $^
SIM_OBJS := $(call objs,tests/sim) $(B)/obj/tests/plugins/fixtures/account.o $(CRASH_SRC)
SIM_LDFLAGS := $(foreach f,sim_imap_transport sim_drop_transport sqlite3_prepare_v2 sqlite3_finalize sqlite3_open_v2 sqlite3_close, \
    -Wl,--export-dynamic-symbol=$(f))
$(B)/test/sim: $(SIM_OBJS) $(LIBS_ALL)
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CXX) $(ALL_LDFLAGS) $(SIM_LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(EXTERNAL)
# What a call of the store costs (tests/bench).
STORE_CALLS := $(B)/test/store_calls
$(STORE_CALLS): $(B)/obj/tests/bench/store_calls.o $(B)/obj/libvm_store.a $(B)/obj/libvm_core.a $(B)/obj/libvm_base.a
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CXX) $(ALL_LDFLAGS) -Wl,--export-dynamic-symbol=fsync -Wl,--export-dynamic-symbol=fdatasync \
	    -o $@ $(filter %.o,$^) $(filter %.a,$^) $(EXTERNAL)

.PHONY: sim
sim: $(B)/test/sim $(SIM_PLUGINS)
	$(Q)VM_BUILD=$(B) $(B)/test/sim --schedules $(SCHEDULES) --first $(or $(SEED),1) --jobs $(JOBS) --progress

# ---- hostile input: a program a target (tests/fuzz/fuzz.h), which runs the files it is given; built
#      by `make fuzz`, where libFuzzer has the main(), it looks for others ---------------------------
FUZZ_TARGETS := $(filter-out replay hostile_server,$(basename $(notdir $(wildcard tests/fuzz/*.cc))))
FUZZ_PROGRAMS := $(FUZZ_TARGETS:%=$(B)/test/fuzz_%)
$(B)/test/fuzz_%: $(B)/obj/tests/fuzz/%.o $(if $(FUZZING),,$(B)/obj/tests/fuzz/replay.o)
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CXX) $(ALL_LDFLAGS) $(if $(FUZZING),-fsanitize=fuzzer) -o $@ $(filter %.o,$^) \
	    $(filter %.a,$^) $(FUZZ_LIBS) $(EXTERNAL)
fuzzes = $(patsubst %,$(B)/test/fuzz_%,$(1)): $(patsubst %,$(B)/obj/libvm_%.a,$(2))
$(call fuzzes,imap imap_parser pop3,base)
$(call fuzzes,smtp plugin,transport core base)
$(call fuzzes,mail mail_json template,mime media core base)
$(call fuzzes,ini,config base)
$(call fuzzes,tokens,oauth2 config base)
$(call fuzzes,envelope,asterisk base)
$(call fuzzes,media,media base)
$(call fuzzes,pokes http,agent base)
# The plugins without libcurl: the server of the input is in its place.
FUZZED_PLUGINS := $(filter-out %/plugin.o %/dial.o %/push_session.o,$(call objs,plugins/common) \
    $(call objs,plugins/smtpimap4) $(call objs,plugins/smtppop3))
FUZZ_SERVED := $(patsubst %,$(B)/test/fuzz_%,imap imap_parser smtp pop3)
$(FUZZ_SERVED): FUZZ_LIBS = -letpan -lssl
$(FUZZ_SERVED): $(B)/obj/tests/fuzz/hostile_server.o $(FUZZED_PLUGINS)
$(B)/test/fuzz_plugin: | $(B)/test/libhostile.so

# Does it find what is wrong? Each patch of tests/sim/planted plants a bug in copies of the sources it names; the
# simulation linked with them must come to a violation within 10,000 schedules.
PLANTED := $(patsubst tests/sim/planted/%.patch,%,$(wildcard tests/sim/planted/*.patch))
.PRECIOUS: $(B)/planted/%/sim
$(B)/planted/%/sim: tests/sim/planted/%.patch $(SIM_OBJS) $(LIBS_ALL)
	@rm -rf $(@D) && mkdir -p $(@D)
	$(Q)for file in $$(sed -n 's|^--- a/||p' $<); do install -m 644 -D $$file $(@D)/$$file || exit 1; done
	$(Q)patch --quiet --fuzz=0 -p1 -d $(@D) < $<
	$(Q)for file in $$(sed -n 's|^--- a/||p' $<); do \
	    $(CXX) $(ALL_CXXFLAGS) -c -o $(@D)/$$(basename $$file .cc).o $(@D)/$$file || exit 1; done
	$(call say,LD,$@)$(CXX) $(ALL_LDFLAGS) $(SIM_LDFLAGS) -o $@ $(@D)/*.o $(filter %.o,$^) $(filter %.a,$^) $(EXTERNAL)
.PHONY: sim-planted
sim-planted: $(PLANTED:%=$(B)/planted/%/sim) $(SIM_PLUGINS)
	$(Q)status=0; for name in $(PLANTED); do printf '%s: ' $$name; \
	    VM_BUILD=$(B) $(B)/planted/$$name/sim --schedules 10000 --first $(or $(SEED),1) --wanted || status=1; done; exit $$status

TEST_PROGRAMS := $(foreach t,$(TESTS),$(if $(wildcard tests/$(t)/*.cc),$(B)/test/$(t)_test))
.PHONY: tests
tests: all $(TEST_PROGRAMS) $(TEST_PLUGINS) $(CRASH_PROGRAMS) $(CRASH_LIBRARIES) $(PRELOADS) $(B)/test/sim $(SIM_PLUGINS) $(FUZZ_PROGRAMS) $(STORE_CALLS) $(LIBRARY_TEST) $(EXAMPLE)

check: tests
	$(Q)tests/run --build $(B) $(if $(SANITIZE),--longest 3600) $(ONLY)

asan:
	$(Q)ASAN_OPTIONS=detect_leaks=1 $(MAKE) check B=$(B)-asan SANITIZE=address,undefined CXXFLAGS='-O0 -g1'
tsan:
	$(Q)TSAN_OPTIONS=suppressions=$(CURDIR)/tests/tsan.supp $(MAKE) check B=$(B)-tsan SANITIZE=thread CXXFLAGS='-O0 -g1'

FUZZ ?= $(FUZZ_TARGETS)
FUZZ_SECONDS ?= 60
FUZZ_CXX ?= clang++
fuzz:
	$(Q)$(MAKE) $(FUZZ:%=$(B)-fuzz/test/fuzz_%) B=$(B)-fuzz CXX='$(FUZZ_CXX)' FUZZING=1 SANITIZE=address,undefined \
	    CXXFLAGS='-O1 -g -fsanitize=fuzzer-no-link -fno-sanitize-recover=all'
	$(Q)tests/fuzz/run --build $(B)-fuzz --seconds $(FUZZ_SECONDS) $(FUZZ)

demo: all
	$(Q)scripts/demo --build $(B)
# Beside the peers; ONLY=PART,PART and ROUNDS=N.
bench: all
	$(Q)scripts/bench --build $(B) $(if $(ONLY),--only $(ONLY)) $(if $(ROUNDS),--rounds $(ROUNDS))
# kill -9 at random moments, with real mail servers; SEED=N repeats what was drawn.
KILLS ?= 500
torture: all
	$(Q)VM_BUILD=$(B) tests/system/random_kills_test.py --kills $(KILLS) $(if $(SEED),--seed $(SEED))

# ---- house keeping -------------------------------------------------------------------------------
SOURCES := $(shell find src plugins tests -name '*.cc' -o -name '*.h' 2>/dev/null)
lint:
	$(Q)scripts/lint --build $(B)
format:
	$(Q)clang-format -i $(SOURCES)
clean:
	rm -rf $(B)

install: all
	install -d -m 755 $(DESTDIR)$(prefix)/bin $(DESTDIR)$(prefix)/lib $(DESTDIR)$(prefix)/include \
	    $(DESTDIR)$(prefix)/share/vmemail/templates $(DESTDIR)$(prefix)/share/vmemail/grafana $(foreach s,1 3 5 7 8,$(DESTDIR)$(mandir)/man$(s))
	install -m 755 $(PROGRAMS:%=$(B)/bin/%) $(DESTDIR)$(prefix)/bin/
	install -m 755 $(PLUGINS:%=$(B)/lib/lib%.so) $(B)/lib/libvmcontent.so $(DESTDIR)$(prefix)/lib/
	install -m 755 $(B)/lib/$(VMSTORE) $(DESTDIR)$(prefix)/lib/
	ln -sf $(VMSTORE) $(DESTDIR)$(prefix)/lib/libvmstore.so
	install -m 644 plugins/vm_transport.h src/library/vmstore.h $(DESTDIR)$(prefix)/include/
	install -d -m 755 $(DESTDIR)$(prefix)/lib/pkgconfig $(DESTDIR)$(prefix)/share/vmemail/examples
	sed -e 's|@libdir@|$(pc_libdir)|' -e 's|@includedir@|$(pc_includedir)|' -e "s|@version@|$$(sed -n \
	    's/.*kVersion = "\(.*\)";/\1/p' src/app/cli.h)|" etc/vmstore.pc.in > $(DESTDIR)$(prefix)/lib/pkgconfig/vmstore.pc
	install -m 644 etc/examples/*.c $(DESTDIR)$(prefix)/share/vmemail/examples/
	install -m 644 etc/templates/*.ini $(DESTDIR)$(prefix)/share/vmemail/templates/
	install -m 644 etc/grafana/*.json $(DESTDIR)$(prefix)/share/vmemail/grafana/
	install -m 644 etc/*.sample README.md $(DESTDIR)$(prefix)/share/vmemail/
	install -D -m 644 etc/bash-completion/vmemail $(DESTDIR)$(prefix)/share/bash-completion/completions/vmctl
	for p in vmconfig vmemaild vmasterisk; do ln -sf vmctl $(DESTDIR)$(prefix)/share/bash-completion/completions/$$p || exit 1; done
	install -d -m 755 $(DESTDIR)$(prefix)/share/vmemail/systemd
	sed 's|^ExecStart=/usr/local/vm|ExecStart=$(prefix)|' etc/systemd/vmemail.service \
	    > $(DESTDIR)$(prefix)/share/vmemail/systemd/vmemail.service
	sed 's|^ExecStart=/usr/local/vm|ExecStart=$(prefix)|' etc/systemd/vmasterisk.service \
	    > $(DESTDIR)$(prefix)/share/vmemail/systemd/vmasterisk.service
	install -d -m 755 $(DESTDIR)$(prefix)/share/vmemail/hylafax
	install -m 644 etc/hylafax/* $(DESTDIR)$(prefix)/share/vmemail/hylafax/
	install -m 644 etc/systemd/vmemail.sysusers $(DESTDIR)$(prefix)/share/vmemail/systemd/vmemail.conf
	for s in 1 3 5 7 8; do install -m 644 man/*.$$s $(DESTDIR)$(mandir)/man$$s/ || exit 1; done

# Debian packages in $(B)/deb, of what is built; scripts/deps deb.
deb: all
	$(Q)scripts/deb --build $(B)
# They are installed in a bare Debian 12 and do the main job there; needs root and a mirror of Debian.
check-deb: deb
	$(Q)scripts/deb --build $(B) --version 0.0.1
	$(Q)VM_BUILD=$(B) tests/package_test.py

-include $(shell find $(B)/obj $(B)/crash -name '*.d' 2>/dev/null)
