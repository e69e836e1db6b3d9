// SPDX-License-Identifier: MIT
// storage.c - flash in the file that TINYDREAM_STORAGE names; without that there is none. The end of the process,
// however it comes, is its power cut: what was written before stays with the system.
#define _DEFAULT_SOURCE
#define _POSIX_C_SOURCE 200809L

#include "td_port.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef TD_STORAGE_BYTES
#define TD_STORAGE_BYTES 4194304
#define TD_STORAGE_ERASE 4096
#define TD_STORAGE_WRITE 4
#endif

static uint8_t *flash;

static int read_flash(void *context, uint32_t at, uint8_t *data, uint32_t size)
{
    (void)context;
    memcpy(data, flash + at, size);
    return 0;
}

// As flash does it: bits go from 1 to 0, and back only when their block is erased.
static int program_flash(void *context, uint32_t at, const uint8_t *data, uint32_t size)
{
    int wrong = 0;
    (void)context;
    for (uint32_t i = 0; i < size; i++) {
        flash[at + i] &= data[i];
        wrong |= flash[at + i] != data[i];
    }
    return -wrong;
}

static int erase_flash(void *context, uint32_t at)
{
    (void)context;
    memset(flash + at, 0xff, TD_STORAGE_ERASE);
    return 0;
}

const td_storage_t *td_port_storage(void)
{
    static const td_storage_t storage = {TD_STORAGE_BYTES, TD_STORAGE_ERASE, TD_STORAGE_WRITE, NULL,
                                         read_flash,       program_flash,    erase_flash};
    const char *name = getenv("TINYDREAM_STORAGE");
    int file = name != NULL && *name != 0 ? open(name, O_RDWR | O_CREAT, 0666) : -1;
    void *map = MAP_FAILED;
    if (file >= 0 && ftruncate(file, TD_STORAGE_BYTES) == 0)
        map = mmap(NULL, TD_STORAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (file >= 0)
        close(file);
    flash = map == MAP_FAILED ? NULL : map;
    return flash != NULL ? &storage : NULL;
}
