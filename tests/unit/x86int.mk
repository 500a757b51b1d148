# tests of the x86int room
