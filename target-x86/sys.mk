libx86leaf_a_SOURCES +=
libtargetx86_a_SOURCES +=
