// SPDX-License-Identifier: MIT
// store_cfi.h - two 16-bit NOR flash chips side by side that know Intel's commands, as on QEMU's riscv32 virt. A word
// goes to both: each command and each status stands twice in it.
#ifndef STORE_CFI_H
#define STORE_CFI_H

#define CFI_PROGRAM 0x00400040u
#define CFI_ERASE 0x00200020u
#define CFI_CONFIRM 0x00D000D0u
#define CFI_CLEAR_STATUS 0x00500050u
#define CFI_READ 0x00FF00FFu
#define CFI_READY 0x00800080u // of the status

static void cfi_do(uint32_t address, uint32_t command, uint32_t value)
{
    *word_at(address) = CFI_CLEAR_STATUS;
    *word_at(address) = command;
    *word_at(address) = value;
    while ((*word_at(address) & CFI_READY) != CFI_READY) {
    }
    *word_at(address) = CFI_READ;
}

static void program_word(uint32_t address, uint32_t value)
{
    cfi_do(address, CFI_PROGRAM, value);
}

static void erase_block(uint32_t address)
{
    cfi_do(address, CFI_ERASE, CFI_CONFIRM);
}

#endif
