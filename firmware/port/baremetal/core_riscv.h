// SPDX-License-Identifier: MIT
// core_riscv.h - what port.c asks of a RISC-V core in machine mode, with the devices of QEMU's virt.
#ifndef CORE_RISCV_H
#define CORE_RISCV_H

#define CORE_STATUS "mcause"
#define PLIC_PRIORITY 0x0C000000u // of interrupt i at 4 i
#define PLIC_ENABLE 0x0C002000u   // hart 0, machine mode: one bit an interrupt
#define PLIC_LIMIT 0x0C200000u
#define PLIC_CLAIM 0x0C200004u
#define FINISHER 0x00100000u // "sifive_test"; 0x7777 starts again

#define CSR_CLEAR(name, bits) __asm volatile(".option arch, +zicsr\n csrc " name ", %0" ::"r"(bits))
#define CSR_SET(name, bits) __asm volatile(".option arch, +zicsr\n csrs " name ", %0" ::"r"(bits))
#define CSR_READ(name, value) \
    __asm volatile(".option arch, +zicsr\n csrr %0, " name : "=r"(value))

static inline void core_init(void)
{
    CSR_CLEAR("mstatus", 8u); // MIE: interrupts only end a wfi; none is taken
    *reg(PLIC_PRIORITY + 4u * TD_LINE_IRQ) = 1;
    *reg(PLIC_ENABLE + 4u * (TD_LINE_IRQ / 32)) = 1u << (TD_LINE_IRQ % 32);
    *reg(PLIC_LIMIT) = 0;
    CSR_SET("mie", 1u << 11);
}

static inline void core_sleep(void)
{
    __asm volatile("wfi");
}

static inline void core_awake(void)
{
    uint32_t which = *reg(PLIC_CLAIM);
    if (which)
        *reg(PLIC_CLAIM) = which;
}

static inline void core_reset(void)
{
    *reg(FINISHER) = 0x7777u;
}

// instructions so far; the upper half is read twice, as the lower may carry in between
static inline uint64_t core_instructions(void)
{
    uint32_t high, low, again;
    do {
        CSR_READ("minstreth", high);
        CSR_READ("minstret", low);
        CSR_READ("minstreth", again);
    } while (high != again);
    return (uint64_t)high << 32 | low;
}

#endif
