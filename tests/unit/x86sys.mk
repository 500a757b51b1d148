# tests of the x86sys room
