// SPDX-License-Identifier: MIT
// FlashIAP.h - a stand-in: what Mbed OS documents of its flash, and we use.
#ifndef FLASH_IAP_STAND_IN_H
#define FLASH_IAP_STAND_IN_H

#include <stdint.h>

namespace mbed {
class FlashIAP {
  public:
    int init();
    int read(void *buffer, uint32_t address, uint32_t size);
    int program(const void *buffer, uint32_t address, uint32_t size);
    int erase(uint32_t address, uint32_t size);
    uint32_t get_page_size() const;
};
}
#endif
