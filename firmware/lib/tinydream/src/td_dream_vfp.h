// SPDX-License-Identifier: MIT
// td_dream_vfp.h - four columns of some rows, drawn, in the assembly of Arm's single-precision FPU.
//
// A compiler moves one number a time from a core's registers to the FPU's, and wants more of the former than there
// are. This keeps in registers what all rows share but the masks.
#ifndef TD_DREAM_VFP_H
#define TD_DREAM_VFP_H

#if TD_WITH_SPREAD
#define LOAD_SPREAD "vldmia %[row]!, {s20}\n"
#define SPREAD "vmul.f32 s0, s0, s20\n vmul.f32 s1, s1, s20\n vmul.f32 s2, s2, s20\n vmul.f32 s3, s3, s20\n"
#else
#define LOAD_SPREAD
#define SPREAD
#endif
#define FOUR(what, a, b, c, d) what(a) what(b) what(c) what(d)
#define FLOAT(a) "vcvt.f32.s32 s" #a ", s" #a "\n"

// `end` is where four_t lies, behind the rows; x of a row gets columns 4 * k and on. s0..s3: normal numbers, then
// deviations; s4..s7: bases; s8..s11: steps; s12..s15: lows; s16..s19: scales
static TD_INLINE void dream_four(const row_t *row, const row_t *end, const uint8_t *bits, uint32_t k, uint32_t at)
{
#define SCALE(a) "vmul.f32 s" #a ", s" #a ", %[unit]\n"
    __asm volatile("add r4, %[end], #24\n" // behind masks and constants of the hash
                   "vldmia r4, {s8-s19}\n" //
                   FOUR(FLOAT, 12, 13, 14, 15) FOUR(SCALE, 16, 17, 18, 19)
                   "1: ldmia %[row]!, {r4, r5, r6}\n" LOAD_SPREAD
                   "ldrd r8, r9, [%[end], #16]\n" // the hash
                   "add r6, r6, %[k]\n"
                   "eor r6, r6, r6, lsr #16\n"
                   "mul r6, r6, r8\n"
                   "eor r6, r6, r6, lsr #15\n"
                   "mul r6, r6, r9\n"
                   "eor r6, r6, r6, lsr #16\n"
                   "uxtb r8, r6\n" // a normal number of each byte
                   "ubfx r9, r6, #8, #8\n"
                   "ldrsb r8, [%[normal], r8]\n"
                   "ldrsb r9, [%[normal], r9]\n"
                   "vmov s0, s1, r8, r9\n"
                   "ubfx r8, r6, #16, #8\n"
                   "lsr r9, r6, #24\n"
                   "ldrsb r8, [%[normal], r8]\n"
                   "ldrsb r9, [%[normal], r9]\n"
                   "vmov s2, s3, r8, r9\n"
                   "add r4, r4, %[at]\n" // the window
                   "lsr r6, r4, #3\n"
                   "ldr r6, [%[bits], r6]\n"
                   "and r4, r4, #7\n"
                   "lsr r6, r6, r4\n"
                   "ldmia %[end], {r4, r8, r9, r10}\n" // an integer of each mask
                   "and r4, r4, r6\n"
                   "and r8, r8, r6\n"
                   "and r9, r9, r6\n"
                   "and r10, r10, r6\n"
                   "vmov s4, s5, r4, r8\n"
                   "vmov s6, s7, r9, r10\n" //
                   FOUR(FLOAT, 0, 1, 2, 3) FOUR(FLOAT, 4, 5, 6, 7)
                   "vmul.f32 s0, s0, s16\n vmul.f32 s1, s1, s17\n vmul.f32 s2, s2, s18\n vmul.f32 s3, s3, s19\n"
                   "vadd.f32 s4, s4, s12\n vadd.f32 s5, s5, s13\n vadd.f32 s6, s6, s14\n vadd.f32 s7, s7, s15\n"
                   "vmul.f32 s4, s4, s8\n vmul.f32 s5, s5, s9\n vmul.f32 s6, s6, s10\n vmul.f32 s7, s7, s11\n" //
                   SPREAD
                   "vadd.f32 s0, s0, s4\n vadd.f32 s1, s1, s5\n vadd.f32 s2, s2, s6\n vadd.f32 s3, s3, s7\n"
                   "add r5, r5, %[k], lsl #4\n"
                   "vstmia r5, {s0-s3}\n"
                   "cmp %[row], %[end]\n"
                   "bne 1b\n"
                   : [row] "+r"(row)
                   : [end] "r"(end), [bits] "r"(bits), [normal] "r"(normal), [k] "r"(k), [at] "r"(at),
                     [unit] "t"(SCALE_UNIT)
                   : "r4", "r5", "r6", "r8", "r9", "r10", "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8",
                     "s9", "s10", "s11", "s12", "s13", "s14", "s15", "s16", "s17", "s18", "s19", "s20", "cc",
                     "memory");
#undef SCALE
}

#undef LOAD_SPREAD
#undef SPREAD
#undef FOUR
#undef FLOAT
#endif
