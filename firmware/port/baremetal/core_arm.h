// SPDX-License-Identifier: MIT
// core_arm.h - what port.c asks of a Cortex-M: sleep until the line wakes it, start again.
#ifndef CORE_ARM_H
#define CORE_ARM_H

#define CORE_STATUS "CFSR"
#define NVIC_ENABLE 0xE000E100u
#define NVIC_CLEAR 0xE000E280u
#define AIRCR 0xE000ED0Cu

static inline void core_irq_bit(uint32_t bank)
{
    *reg(bank + 4u * (TD_LINE_IRQ / 32)) = 1u << (TD_LINE_IRQ % 32);
}

static inline void core_init(void)
{
    __asm volatile("cpsid i"); // interrupts only end a wfi; none is taken
    core_irq_bit(NVIC_ENABLE);
}

// what came before the wfi is pending, and ends it at once
static inline void core_sleep(void)
{
    __asm volatile("wfi");
}

// after the line took back its request
static inline void core_awake(void)
{
    core_irq_bit(NVIC_CLEAR);
}

static inline void core_reset(void)
{
    *reg(AIRCR) = 0x05FA0004u; // SYSRESETREQ
}

#endif
