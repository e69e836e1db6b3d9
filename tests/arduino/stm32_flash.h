// SPDX-License-Identifier: MIT
// stm32_flash.h - a stand-in: what ST's HAL and CMSIS have of flash, family by family, and we use.
#ifndef STM32_FLASH_STAND_IN_H
#define STM32_FLASH_STAND_IN_H

#include <stdint.h>

typedef enum { HAL_OK = 0, HAL_ERROR = 1 } HAL_StatusTypeDef;
#define FLASH_BASE 0x08000000u
#define FLASH_BANK_1 1u
#define FLASH_BANK_2 2u

typedef struct {
    uint32_t TypeErase;
#if defined(STM32F1xx)
    uint32_t Banks, PageAddress, NbPages;
#elif defined(STM32L4xx)
    uint32_t Banks, Page, NbPages;
#else
    uint32_t Banks, Sector, NbSectors, VoltageRange;
#endif
} FLASH_EraseInitTypeDef;

#if defined(STM32F1xx)
#define FLASH_TYPEERASE_PAGES 0u
#define FLASH_TYPEPROGRAM_HALFWORD 1u
#elif defined(STM32L4xx)
#define FLASH_TYPEERASE_PAGES 0u
#define FLASH_TYPEPROGRAM_DOUBLEWORD 0u
#define FLASH_PAGE_SIZE 0x800u
#define FLASH_BANK_SIZE 0x80000u
#define FLASH_ECCR_ECCD (1u << 31)
struct FlashOfL4 {
    volatile uint32_t ECCR;
};
extern FlashOfL4 FlashRegisters;
#define FLASH (&FlashRegisters)
#elif defined(STM32F4xx)
#define FLASH_TYPEERASE_SECTORS 0u
#define FLASH_TYPEPROGRAM_WORD 2u
#define FLASH_SECTOR_5 5u
#define FLASH_VOLTAGE_RANGE_3 2u
#elif defined(STM32H7xx)
#define FLASH_TYPEERASE_SECTORS 0u
#define FLASH_TYPEPROGRAM_FLASHWORD 1u
#define FLASH_VOLTAGE_RANGE_3 2u
#define FLASH_SECTOR_SIZE 0x20000u
#define FLASH_SR_DBECCERR (1u << 26)
#define FLASH_CCR_CLR_DBECCERR (1u << 26)
struct FlashOfH7 {
    volatile uint32_t SR1, CCR1, SR2, CCR2;
};
extern FlashOfH7 FlashRegisters;
#define FLASH (&FlashRegisters)
struct ControlOfCore {
    volatile uint32_t CCR;
};
extern ControlOfCore ControlRegisters;
#define SCB (&ControlRegisters)
#define SCB_CCR_BFHFNMIGN_Msk (1u << 8)
extern "C" void SCB_InvalidateDCache_by_Addr(void *address, int32_t size);
extern "C" void __set_FAULTMASK(uint32_t mask);
#endif

extern "C" {
HAL_StatusTypeDef HAL_FLASH_Unlock(void);
HAL_StatusTypeDef HAL_FLASH_Lock(void);
#if defined(STM32H7xx)
HAL_StatusTypeDef HAL_FLASH_Program(uint32_t kind, uint32_t address, uint32_t data); // the data's address
#else
HAL_StatusTypeDef HAL_FLASH_Program(uint32_t kind, uint32_t address, uint64_t data);
#endif
HAL_StatusTypeDef HAL_FLASHEx_Erase(FLASH_EraseInitTypeDef *what, uint32_t *failed);
void __DSB(void);
}
#endif
