// SPDX-License-Identifier: MIT
// storage.cpp - flash that keeps weights, by the means of each Arduino core. Compiled, and never run on a chip.
//
// A family offers: is_there, read_flash, write_flash, erase_flash; `at` is an address as in the board's file.
#include <Arduino.h> // and with it string.h

#include "td_port.h"

#ifdef TD_STORAGE_START

#if defined(ARDUINO_ARCH_ESP32)
#include <esp_partition.h>

// the partition that is there for a file system, of which a sketch that keeps weights cannot make use
static const esp_partition_t *partition;

static bool is_there(void)
{
    partition = esp_partition_find_first(ESP_PARTITION_TYPE_DATA, ESP_PARTITION_SUBTYPE_DATA_SPIFFS, NULL);
    return partition != NULL && TD_STORAGE_START >= partition->address &&
           TD_STORAGE_START - partition->address + TD_STORAGE_BYTES <= partition->size;
}

static bool read_flash(uint32_t at, uint8_t *data, uint32_t size)
{
    return esp_partition_read(partition, at - partition->address, data, size) == ESP_OK;
}

static bool write_flash(uint32_t at, const uint8_t *data, uint32_t size)
{
    return esp_partition_write(partition, at - partition->address, data, size) == ESP_OK;
}

static bool erase_flash(uint32_t at)
{
    return esp_partition_erase_range(partition, at - partition->address, TD_STORAGE_ERASE) == ESP_OK;
}

#elif defined(ARDUINO_ARCH_STM32)

#if defined(STM32L4xx)
// A word that power left half written has a wrong checksum, which reading it tells by an interrupt.
static volatile bool torn;

extern "C" void NMI_Handler(void)
{
    while ((FLASH->ECCR & FLASH_ECCR_ECCD) == 0) {
    }
    FLASH->ECCR |= FLASH_ECCR_ECCD; // writing it clears it
    torn = true;
}
#endif

static bool is_there(void)
{
    return true;
}

static bool read_flash(uint32_t at, uint8_t *data, uint32_t size)
{
#if defined(STM32H7xx)
    // The same, by a bus fault, which is passed over meanwhile.
    __set_FAULTMASK(1);
    SCB->CCR |= SCB_CCR_BFHFNMIGN_Msk;
    __DSB();
    memcpy(data, (const void *)at, size);
    __DSB();
    SCB->CCR &= ~SCB_CCR_BFHFNMIGN_Msk;
    __set_FAULTMASK(0);
    bool torn = ((FLASH->SR1 | FLASH->SR2) & FLASH_SR_DBECCERR) != 0;
    FLASH->CCR1 = FLASH_CCR_CLR_DBECCERR;
    FLASH->CCR2 = FLASH_CCR_CLR_DBECCERR;
    return !torn;
#elif defined(STM32L4xx)
    torn = false;
    memcpy(data, (const void *)at, size);
    __DSB();
    return !torn;
#else
    memcpy(data, (const void *)at, size);
    return true;
#endif
}

static bool write_unit(uint32_t at, const uint8_t *data)
{
#if defined(STM32H7xx)
    static uint32_t unit[8]; // aligned, and in memory that the controller can read
    memcpy(unit, data, sizeof unit);
    return HAL_FLASH_Program(FLASH_TYPEPROGRAM_FLASHWORD, at, (uint32_t)unit) == HAL_OK;
#else
    uint64_t unit = 0;
    memcpy(&unit, data, TD_STORAGE_WRITE);
#if defined(STM32F1xx)
    return HAL_FLASH_Program(FLASH_TYPEPROGRAM_HALFWORD, at, unit) == HAL_OK;
#elif defined(STM32F4xx)
    return HAL_FLASH_Program(FLASH_TYPEPROGRAM_WORD, at, unit) == HAL_OK;
#else
    return HAL_FLASH_Program(FLASH_TYPEPROGRAM_DOUBLEWORD, at, unit) == HAL_OK;
#endif
#endif
}

static void forget_cache(uint32_t at, uint32_t size)
{
#if defined(STM32H7xx)
    SCB_InvalidateDCache_by_Addr((void *)(at & ~31u), (int32_t)(size + 32));
#else
    (void)at, (void)size;
#endif
}

static bool write_flash(uint32_t at, const uint8_t *data, uint32_t size)
{
    bool good = HAL_FLASH_Unlock() == HAL_OK;
    for (uint32_t i = 0; i < size && good; i += TD_STORAGE_WRITE)
        good = write_unit(at + i, data + i);
    HAL_FLASH_Lock();
    forget_cache(at, size);
    return good;
}

static bool erase_flash(uint32_t at)
{
    FLASH_EraseInitTypeDef what = {};
    uint32_t failed = 0;
#if defined(STM32F1xx)
    what.TypeErase = FLASH_TYPEERASE_PAGES;
    what.PageAddress = at;
    what.NbPages = 1;
#elif defined(STM32L4xx)
    what.TypeErase = FLASH_TYPEERASE_PAGES;
    what.Banks = at - FLASH_BASE < FLASH_BANK_SIZE ? FLASH_BANK_1 : FLASH_BANK_2;
    what.Page = (at - FLASH_BASE) % FLASH_BANK_SIZE / FLASH_PAGE_SIZE;
    what.NbPages = 1;
#elif defined(STM32F4xx)
    what.TypeErase = FLASH_TYPEERASE_SECTORS;
    what.Sector = FLASH_SECTOR_5 + (at - FLASH_BASE - 0x20000) / 0x20000; // those of 128 KB
    what.NbSectors = 1;
    what.VoltageRange = FLASH_VOLTAGE_RANGE_3;
#elif defined(STM32H7xx)
    what.TypeErase = FLASH_TYPEERASE_SECTORS;
    what.Banks = at - FLASH_BASE < 0x100000 ? FLASH_BANK_1 : FLASH_BANK_2;
    what.Sector = (at - FLASH_BASE) % 0x100000 / FLASH_SECTOR_SIZE;
    what.NbSectors = 1;
    what.VoltageRange = FLASH_VOLTAGE_RANGE_3;
#else
#error "storage.cpp: how is this family's flash erased?"
#endif
    bool good = HAL_FLASH_Unlock() == HAL_OK && HAL_FLASHEx_Erase(&what, &failed) == HAL_OK;
    HAL_FLASH_Lock();
    forget_cache(at, TD_STORAGE_ERASE);
    return good;
}

#elif defined(ARDUINO_ARCH_MBED)
#include <FlashIAP.h>

static mbed::FlashIAP flash;

static bool is_there(void)
{
    return flash.init() == 0 && flash.get_page_size() <= 256;
}

static bool read_flash(uint32_t at, uint8_t *data, uint32_t size)
{
    return flash.read(data, at, size) == 0;
}

// It writes whole pages, 256 bytes on an RP2040: 0xff leaves the rest of one as it is.
static bool write_flash(uint32_t at, const uint8_t *data, uint32_t size)
{
    static uint32_t words[64];
    uint8_t *page = (uint8_t *)words;
    uint32_t page_size = flash.get_page_size(), before = at % page_size;
    uint32_t all = (before + size + page_size - 1) / page_size * page_size;
    memset(page, 0xff, all);
    memcpy(page + before, data, size);
    return flash.program(page, at - before, all) == 0;
}

static bool erase_flash(uint32_t at)
{
    return flash.erase(at, TD_STORAGE_ERASE) == 0;
}

#elif defined(TEENSYDUINO)
// of the core's eeprom.c, which LittleFS_Program uses as well
extern "C" void eepromemu_flash_write(void *address, const void *data, uint32_t size);
extern "C" void eepromemu_flash_erase_sector(void *address);

static bool is_there(void)
{
    return true;
}

static bool read_flash(uint32_t at, uint8_t *data, uint32_t size)
{
    memcpy(data, (const void *)at, size);
    return true;
}

static bool write_flash(uint32_t at, const uint8_t *data, uint32_t size)
{
    eepromemu_flash_write((void *)at, data, size);
    return memcmp((const void *)at, data, size) == 0;
}

static bool erase_flash(uint32_t at)
{
    eepromemu_flash_erase_sector((void *)at);
    return true;
}

#else
#error "storage.cpp: how is this family's flash written?"
#endif

static int read_storage(void *, uint32_t at, uint8_t *data, uint32_t size)
{
    return read_flash(TD_STORAGE_START + at, data, size) ? 0 : -1;
}

static int program_storage(void *, uint32_t at, const uint8_t *data, uint32_t size)
{
    return write_flash(TD_STORAGE_START + at, data, size) ? 0 : -1;
}

static int erase_storage(void *, uint32_t at)
{
    return erase_flash(TD_STORAGE_START + at) ? 0 : -1;
}

const td_storage_t *td_port_storage(void)
{
    static const td_storage_t storage = {TD_STORAGE_BYTES, TD_STORAGE_ERASE, TD_STORAGE_WRITE, NULL,
                                         read_storage,     program_storage,  erase_storage};
    return is_there() ? &storage : NULL;
}

#else

const td_storage_t *td_port_storage(void)
{
    return NULL;
}

#endif
