# tests of the x86sse room
