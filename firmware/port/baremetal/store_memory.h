// SPDX-License-Identifier: MIT
// store_memory.h - memory that outlasts the machine, since QEMU has it in a file, treated as flash is.
#ifndef STORE_MEMORY_H
#define STORE_MEMORY_H

// bits go from 1 to 0, and back only when their block is erased
static void program_word(uint32_t address, uint32_t value)
{
    *word_at(address) &= value;
}

static void erase_block(uint32_t address)
{
    for (uint32_t at = 0; at < TD_STORAGE_ERASE; at += 4)
        *word_at(address + at) = 0xFFFFFFFFu;
}

#endif
