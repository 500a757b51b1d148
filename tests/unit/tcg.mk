# tests of the tcg room
