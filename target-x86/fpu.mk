libtargetx86_a_SOURCES += target-x86/softfloat.c target-x86/softfloat_ieee.c target-x86/softfloat.h \
	target-x86/fpu.h
