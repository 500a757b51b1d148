# tests of the x86fpu room
