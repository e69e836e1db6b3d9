# SPDX-License-Identifier: MIT
# start.s - the first instructions of a windowed Xtensa core: what spills and refills its windows of
# registers (Xtensa ISA Reference Manual, 4.7.1.3), the FPU, and a stack.

    .section .vectors,"ax",@progbits
    .p2align 2
vectors:
    s32e a0, a5, -16
    s32e a1, a5, -12
    s32e a2, a5, -8
    s32e a3, a5, -4
    rfwo
    .org 0x40
    l32e a0, a5, -16
    l32e a1, a5, -12
    l32e a2, a5, -8
    l32e a3, a5, -4
    rfwu
    .org 0x80
    s32e a0, a9, -16
    l32e a0, a1, -12
    s32e a1, a9, -12
    s32e a2, a9, -8
    s32e a3, a9, -4
    s32e a4, a0, -32
    s32e a5, a0, -28
    s32e a6, a0, -24
    s32e a7, a0, -20
    rfwo
    .org 0xc0
    l32e a0, a9, -16
    l32e a1, a9, -12
    l32e a2, a9, -8
    l32e a7, a1, -12
    l32e a3, a9, -4
    l32e a4, a7, -32
    l32e a5, a7, -28
    l32e a6, a7, -24
    l32e a7, a7, -20
    rfwu
    .org 0x100
    s32e a0, a13, -16
    l32e a0, a1, -12
    s32e a1, a13, -12
    s32e a2, a13, -8
    s32e a3, a13, -4
    s32e a4, a0, -48
    s32e a5, a0, -44
    s32e a6, a0, -40
    s32e a7, a0, -36
    s32e a8, a0, -32
    s32e a9, a0, -28
    s32e a10, a0, -24
    s32e a11, a0, -20
    rfwo
    .org 0x140
    l32e a0, a13, -16
    l32e a1, a13, -12
    l32e a2, a13, -8
    l32e a11, a1, -12
    l32e a3, a13, -4
    l32e a4, a11, -48
    l32e a5, a11, -44
    l32e a6, a11, -40
    l32e a7, a11, -36
    l32e a8, a11, -32
    l32e a9, a11, -28
    l32e a10, a11, -24
    l32e a11, a11, -20
    rfwu
    .org 0x300
kernel_fault:
    j kernel_fault
    .org 0x340
user_fault:
    j user_fault
    .org 0x3c0
double_fault:
    j double_fault
    .org 0x400

    .section .text.start,"ax",@progbits
    .p2align 2
at_vectors:
    .long vectors
at_stack:
    .long stack_top - 32
windowed:
    .long 0x40000
at_begin:
    .long begin
    .global _start
_start:
    l32r a2, at_vectors
    wsr a2, vecbase
    movi a2, 0
    wsr a2, windowbase
    rsync
    movi a2, 1
    wsr a2, windowstart
    rsync
    l32r a2, windowed
    wsr a2, ps
    rsync
    movi a2, 1
    wsr a2, cpenable
    rsync
    l32r a1, at_stack
    movi a0, 0
    l32r a8, at_begin
    callx8 a8
forever:
    j forever

    .section .text.cycles,"ax",@progbits
    .p2align 2
    .global cycles
    .type cycles,@function
cycles:
    entry a1, 32
    rsr a2, ccount
    retw.n
