noinst_LIBRARIES += libutil.a
libutil_a_SOURCES = \
	util/alloc.c util/alloc.h util/asan.c util/asan.h util/bytes.h util/flame.c util/flame.h util/fsbase.c util/fsbase.h util/compiler.h util/error.c util/error.h util/lazylib.c util/lazylib.h \
	util/log.c util/log.h util/loop.c util/loop.h util/property.c util/property.h
libutil_a_SOURCES += util/prefault.c util/prefault.h util/quit.c util/quit.h util/disas.c util/disas.h util/symbols.c util/symbols.h
