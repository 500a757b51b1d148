/* SPDX-License-Identifier: MIT */
/*
 * DSDT of machine microvm: power-off, clock, serial port. The virtio-mmio slots and the
 * processors are in the SSDT that acpi_tables.c writes. ACPI specification 6.5.
 */
DefinitionBlock ("", "DSDT", 2, "DYAD", "DYADMICR", 1)
{
    Name (\_S5, Package () { Zero, Zero, Zero, Zero })

    Scope (\_SB)
    {
        Device (RTC)
        {
            Name (_HID, EisaId ("PNP0B00"))
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x0070, 0x0070, 0x01, 0x02)
                IRQNoFlags () { 8 }
            })
        }

        Device (COM1)
        {
            Name (_HID, EisaId ("PNP0501"))
            Name (_UID, 1)
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x03F8, 0x03F8, 0x01, 0x08)
                IRQNoFlags () { 4 }
            })
        }
    }
}
