noinst_LIBRARIES += libtcg.a
libtcg_a_SOURCES =
