# tests of the hwcore room
