/* SPDX-License-Identifier: MIT */
/*
 * The seam between pci.c and msix.c: MSI and MSI-X follow configuration writes and reset.
 */
#ifndef HW_PCI_MSIX_H
#define HW_PCI_MSIX_H

#include "hw/pci/pci.h"

void msix_config_written(PciDevice *d, unsigned off, unsigned size);
void msix_reset(PciDevice *d);

#endif
