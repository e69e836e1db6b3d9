// SPDX-License-Identifier: MIT
// store_nvmc.h - flash of an nRF51 by its controller (nRF51 Series Reference Manual, NVMC), as QEMU has it.
#ifndef STORE_NVMC_H
#define STORE_NVMC_H

#define NVMC_READY 0x4001E400u
#define NVMC_CONFIG 0x4001E504u // 0 reads only, 1 writes, 2 erases
#define NVMC_ERASEPAGE 0x4001E508u

static void nvmc_do(uint32_t mode, uint32_t at, uint32_t value)
{
    *word_at(NVMC_CONFIG) = mode;
    *word_at(at) = value;
    while (*word_at(NVMC_READY) == 0) {
    }
    *word_at(NVMC_CONFIG) = 0;
}

static void program_word(uint32_t address, uint32_t value)
{
    nvmc_do(1, address, value);
}

static void erase_block(uint32_t address)
{
    nvmc_do(2, NVMC_ERASEPAGE, address);
}

#endif
