// SPDX-License-Identifier: MIT
// startup_riscv.c - the first instructions of a RISC-V core, and its faults. startup.c does the rest.
#ifdef __riscv
#include <stdint.h>

#include "stack.h"

void entry(void);
void fault(void);
void fault_report(const uint32_t *stack, uint32_t cause, uint32_t address);
void port_panic(const char *what, uint32_t status, uint32_t address);

// QEMU's virt starts at the first byte of flash. Below the stack lies no hole in memory, so that
// physical memory protection makes one: locked, 4 KB, no access for machine mode either.
__attribute__((naked, used, section(".vectors"))) void entry(void)
{
    __asm volatile(".option arch, +zicsr\n"
                   "la sp, stack_top\n"
                   "la t0, fault\n"
                   "csrw mtvec, t0\n"
                   "la t0, stack_bottom\n"
                   "srli t0, t0, 2\n"
                   "csrw pmpaddr1, t0\n"
                   "addi t0, t0, -1024\n"
                   "csrw pmpaddr0, t0\n"
                   "li t0, 0x8800\n" // of entry 1: locked, from address 0 to address 1
                   "csrw pmpcfg0, t0\n"
#ifdef __riscv_flen
                   "li t0, 0x2000\n" // mstatus.FS: the FPU is on
                   "csrs mstatus, t0\n"
                   "csrw fcsr, zero\n"
#endif
                   "tail start\n");
}

// the stack may be what is broken: the handler takes a fresh one before it calls C
__attribute__((naked, aligned(4))) void fault(void)
{
    __asm volatile(".option arch, +zicsr\n"
                   "mv a0, sp\n"
                   "la sp, stack_top\n"
                   "csrr a1, mcause\n"
                   "csrr a2, mepc\n"
                   "tail fault_report\n");
}

void fault_report(const uint32_t *stack, uint32_t cause, uint32_t address)
{
    port_panic(stack >= stack_bottom ? "fault" : "stack overflow", cause, address);
}

#endif
