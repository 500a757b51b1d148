# tests of the util room
