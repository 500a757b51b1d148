# tests of the devices room
