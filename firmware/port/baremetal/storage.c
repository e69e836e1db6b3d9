// SPDX-License-Identifier: MIT
// storage.c - flash that keeps weights, on bare metal. The board's flags say which driver, where, and how large.
#include "td_port.h"

#ifdef TD_STORAGE_START
static inline volatile uint32_t *word_at(uint32_t address)
{
    return (volatile uint32_t *)address;
}

static inline uint32_t get_word(const uint8_t *data)
{
    return (uint32_t)data[0] | (uint32_t)data[1] << 8 | (uint32_t)data[2] << 16 | (uint32_t)data[3] << 24;
}

// program_word, erase_block: at an address; they return when it is done
#if defined(TD_STORAGE_NVMC)
#include "store_nvmc.h"
#elif defined(TD_STORAGE_CFI)
#include "store_cfi.h"
#elif defined(TD_STORAGE_MEMORY)
#include "store_memory.h"
#else
#error "no driver of a storage is named; see boards/README.md"
#endif

static int read_storage(void *context, uint32_t at, uint8_t *data, uint32_t size)
{
    const volatile uint8_t *from = (const volatile uint8_t *)TD_STORAGE_START + at;
    (void)context;
    for (uint32_t i = 0; i < size; i++)
        data[i] = from[i];
    return 0;
}

static int program_storage(void *context, uint32_t at, const uint8_t *data, uint32_t size)
{
    (void)context;
    for (uint32_t i = 0; i < size; i += 4) {
        program_word(TD_STORAGE_START + at + i, get_word(data + i));
        if (*word_at(TD_STORAGE_START + at + i) != get_word(data + i))
            return -1;
    }
    return 0;
}

static int erase_storage(void *context, uint32_t at)
{
    (void)context;
    erase_block(TD_STORAGE_START + at);
    return 0;
}

const td_storage_t *td_port_storage(void)
{
    static const td_storage_t storage = {TD_STORAGE_BYTES, TD_STORAGE_ERASE, TD_STORAGE_WRITE, 0,
                                         read_storage,     program_storage,  erase_storage};
    return &storage;
}
#else
const td_storage_t *td_port_storage(void)
{
    return 0;
}
#endif
