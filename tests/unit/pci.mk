# tests of the pci room
