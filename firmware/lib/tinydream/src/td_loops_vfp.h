// SPDX-License-Identifier: MIT
// td_loops_vfp.h - td_loops.h in the assembly of Arm's single-precision FPU (Cortex-M4F and later).
//
// A compiler loads one float an instruction; vldm loads as many as there are registers. Each loop takes
// columns by fours or eights, and what is left over one by one.
#ifndef TD_LOOPS_VFP_H
#define TD_LOOPS_VFP_H

#include <stdint.h>

// a *= x; a += b
#define MUL(a, x) "vmul.f32 s" #a ", s" #a ", " x "\n"
#define ADD(a, b) "vadd.f32 s" #a ", s" #a ", s" #b "\n"
#define SUB(a, b) "vsub.f32 s" #a ", s" #a ", s" #b "\n"
// s8..s15 times x; s0..s7 plus or minus s8..s15
#define MUL4(x) MUL(8, x) MUL(9, x) MUL(10, x) MUL(11, x)
#define MUL8(x) MUL4(x) MUL(12, x) MUL(13, x) MUL(14, x) MUL(15, x)
#define ADD4 ADD(0, 8) ADD(1, 9) ADD(2, 10) ADD(3, 11)
#define ADD8 ADD4 ADD(4, 12) ADD(5, 13) ADD(6, 14) ADD(7, 15)
#define SUB8 SUB(0, 8) SUB(1, 9) SUB(2, 10) SUB(3, 11) SUB(4, 12) SUB(5, 13) SUB(6, 14) SUB(7, 15)
// `many` while n >= size, then `one` n times
#define BLOCKS(size, many, one)                   \
    "subs %[n], %[n], #" #size "\n"               \
    "blo 2f\n"                                    \
    "1:\n" many "subs %[n], %[n], #" #size "\n"   \
    "bhs 1b\n"                                    \
    "2: adds %[n], %[n], #" #size "\n"            \
    "beq 4f\n"                                    \
    "3:\n" one "subs %[n], %[n], #1\n"            \
    "bne 3b\n"                                    \
    "4:\n"
// the same where few instructions were asked for (-Os), in loops that run once a batch or for odd rows
#ifdef __OPTIMIZE_SIZE__
#define FEW_BLOCKS(size, many, one)          \
    "1:\n" one "subs %[n], %[n], #1\n"       \
    "bne 1b\n"
#else
#define FEW_BLOCKS BLOCKS
#endif
#define LOW16 \
    "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "s12", "s13", "s14", "s15"

#if TD_TILE >= 4 // four rows at a time are the rule
#define ROW_BLOCKS FEW_BLOCKS
#else
#define ROW_BLOCKS BLOCKS
#endif

static const float loop_zeros[8] = {0.0f};

#if TD_TILE >= 4
static inline void loop_dot4(const float *w, uint32_t in, const float *bias, const float *x, float *y)
{
    const float *w1 = w + in, *w2 = w1 + in, *w3 = w2 + in;
#define COLUMN(a, b, c, d, x) \
    MUL(a, x) MUL(b, x) MUL(c, x) MUL(d, x) ADD(20, a) ADD(21, b) ADD(22, c) ADD(23, d)
    __asm volatile("vldmia %[bias], {s20-s23}\n" //
                   ROW_BLOCKS(4,
                          "vldmia %[w]!, {s0-s3}\n"
                          "vldmia %[w1]!, {s4-s7}\n"
                          "vldmia %[w2]!, {s8-s11}\n"
                          "vldmia %[w3]!, {s12-s15}\n"
                          "vldmia %[x]!, {s16-s19}\n" //
                          COLUMN(0, 4, 8, 12, "s16") COLUMN(1, 5, 9, 13, "s17")
                              COLUMN(2, 6, 10, 14, "s18") COLUMN(3, 7, 11, 15, "s19"),
                          "vldmia %[w]!, {s0}\n"
                          "vldmia %[w1]!, {s4}\n"
                          "vldmia %[w2]!, {s8}\n"
                          "vldmia %[w3]!, {s12}\n"
                          "vldmia %[x]!, {s16}\n" COLUMN(0, 4, 8, 12, "s16"))
                   "vstmia %[y], {s20-s23}\n"
                   : [w] "+r"(w), [w1] "+r"(w1), [w2] "+r"(w2), [w3] "+r"(w3), [x] "+r"(x), [n] "+r"(in)
                   : [bias] "r"(bias), [y] "r"(y)
                   : LOW16, "s16", "s17", "s18", "s19", "s20", "s21", "s22", "s23", "cc", "memory");
#undef COLUMN
}
#else
// two columns at a time, in the registers that nobody needs to save on the stack
static inline void loop_dot4(const float *w, uint32_t in, const float *bias, const float *x, float *y)
{
    const float *w1 = w + in, *w2 = w1 + in, *w3 = w2 + in;
#define COLUMN(a, b, c, d, x) \
    MUL(a, x) MUL(b, x) MUL(c, x) MUL(d, x) ADD(12, a) ADD(13, b) ADD(14, c) ADD(15, d)
    __asm volatile("vldmia %[bias], {s12-s15}\n" //
                   BLOCKS(2,
                          "vldmia %[w]!, {s0-s1}\n"
                          "vldmia %[w1]!, {s2-s3}\n"
                          "vldmia %[w2]!, {s4-s5}\n"
                          "vldmia %[w3]!, {s6-s7}\n"
                          "vldmia %[x]!, {s8-s9}\n" //
                          COLUMN(0, 2, 4, 6, "s8") COLUMN(1, 3, 5, 7, "s9"),
                          "vldmia %[w]!, {s0}\n"
                          "vldmia %[w1]!, {s2}\n"
                          "vldmia %[w2]!, {s4}\n"
                          "vldmia %[w3]!, {s6}\n"
                          "vldmia %[x]!, {s8}\n" COLUMN(0, 2, 4, 6, "s8"))
                   "vstmia %[y], {s12-s15}\n"
                   : [w] "+r"(w), [w1] "+r"(w1), [w2] "+r"(w2), [w3] "+r"(w3), [x] "+r"(x), [n] "+r"(in)
                   : [bias] "r"(bias), [y] "r"(y)
                   : LOW16, "cc", "memory");
#undef COLUMN
}
#endif

static inline void loop_add1(float *y, const float *x, float d, uint32_t count)
{
    __asm volatile(BLOCKS(8,
                          "vldmia %[x]!, {s8-s15}\n"
                          "vldmia %[y], {s0-s7}\n" MUL8("%[d]") ADD8 "vstmia %[y]!, {s0-s7}\n",
                          "vldmia %[x]!, {s8}\n"
                          "vldmia %[y], {s0}\n" MUL(8, "%[d]") ADD(0, 8) "vstmia %[y]!, {s0}\n")
                   : [x] "+r"(x), [y] "+r"(y), [n] "+r"(count)
                   : [d] "t"(d)
                   : LOW16, "cc", "memory");
}

static inline void loop_add2(float *y, const float *x0, const float *x1, float d0, float d1, uint32_t count)
{
    __asm volatile(BLOCKS(8,
                          "vldmia %[x0]!, {s8-s15}\n"
                          "vldmia %[y], {s0-s7}\n" MUL8("%[d0]") ADD8
                          "vldmia %[x1]!, {s8-s15}\n" MUL8("%[d1]") ADD8 "vstmia %[y]!, {s0-s7}\n",
                          "vldmia %[x0]!, {s8}\n"
                          "vldmia %[x1]!, {s9}\n"
                          "vldmia %[y], {s0}\n" MUL(8, "%[d0]") MUL(9, "%[d1]") ADD(0, 8) ADD(0, 9)
                          "vstmia %[y]!, {s0}\n")
                   : [x0] "+r"(x0), [x1] "+r"(x1), [y] "+r"(y), [n] "+r"(count)
                   : [d0] "t"(d0), [d1] "t"(d1)
                   : LOW16, "cc", "memory");
}

static inline void loop_descend(float *w, const float *x, float d, float rate, uint32_t count)
{
    __asm volatile(BLOCKS(8,
                          "vldmia %[x]!, {s8-s15}\n"
                          "vldmia %[w], {s0-s7}\n" MUL8("%[d]") MUL8("%[rate]") SUB8
                          "vstmia %[w]!, {s0-s7}\n",
                          "vldmia %[x]!, {s8}\n"
                          "vldmia %[w], {s0}\n" MUL(8, "%[d]") MUL(8, "%[rate]") SUB(0, 8)
                          "vstmia %[w]!, {s0}\n")
                   : [x] "+r"(x), [w] "+r"(w), [n] "+r"(count)
                   : [d] "t"(d), [rate] "t"(rate)
                   : LOW16, "cc", "memory");
}

static inline void loop_move(float *w, float *gradient, float scale, float rate, uint32_t count)
{
    __asm volatile("vldmia %[zeros], {s18-s25}\n" //
                   FEW_BLOCKS(8,
                          "vldmia %[g], {s8-s15}\n"
                          "vldmia %[w], {s0-s7}\n" MUL8("%[scale]") MUL8("%[rate]") SUB8
                          "vstmia %[g]!, {s18-s25}\n"
                          "vstmia %[w]!, {s0-s7}\n",
                          "vldmia %[g], {s8}\n"
                          "vldmia %[w], {s0}\n" MUL(8, "%[scale]") MUL(8, "%[rate]") SUB(0, 8)
                          "vstmia %[g]!, {s18}\n"
                          "vstmia %[w]!, {s0}\n")
                   : [w] "+r"(w), [g] "+r"(gradient), [n] "+r"(count)
                   : [scale] "t"(scale), [rate] "t"(rate), [zeros] "r"(loop_zeros)
                   : LOW16, "s18", "s19", "s20", "s21", "s22", "s23", "s24", "s25", "cc", "memory");
}

#if TD_TILE >= 4
enum { TD_COLUMNS = 8 };

static inline void loop_columns(const float *w, uint32_t in, uint32_t out, const float *dy, float *sum)
{
    float d;
    __asm volatile("vldmia %[zeros], {s0-s7}\n"
                   "1: vldmia %[w], {s8-s15}\n"
                   "vldmia %[dy]!, {%[d]}\n"
                   "add %[w], %[w], %[step]\n" MUL8("%[d]") ADD8 "subs %[n], %[n], #1\n"
                   "bne 1b\n"
                   "vstmia %[sum], {s0-s7}\n"
                   : [w] "+r"(w), [dy] "+r"(dy), [n] "+r"(out), [d] "=&t"(d)
                   : [step] "r"(4 * in), [sum] "r"(sum), [zeros] "r"(loop_zeros)
                   : LOW16, "cc", "memory");
}
#else
enum { TD_COLUMNS = 4 };

// sums that never see the stack
static inline void loop_columns(const float *w, uint32_t in, uint32_t out, const float *dy, float *sum)
{
    sum[0] = sum[1] = sum[2] = sum[3] = 0.0f;
    __asm volatile("1: vldmia %[w], {s8-s11}\n"
                   "vldmia %[dy]!, {s12}\n"
                   "add %[w], %[w], %[step]\n" MUL4("s12")
                   "vadd.f32 %[a], %[a], s8\n"
                   "vadd.f32 %[b], %[b], s9\n"
                   "vadd.f32 %[c], %[c], s10\n"
                   "vadd.f32 %[d], %[d], s11\n"
                   "subs %[n], %[n], #1\n"
                   "bne 1b\n"
                   : [w] "+r"(w), [dy] "+r"(dy), [n] "+r"(out), [a] "+t"(sum[0]), [b] "+t"(sum[1]),
                     [c] "+t"(sum[2]), [d] "+t"(sum[3])
                   : [step] "r"(4 * in)
                   : "s8", "s9", "s10", "s11", "s12", "cc", "memory");
}
#endif

#if TD_TILE >= 4
// Not inline, for it wants nearly all registers. Two columns of four rows of x: w's are s0..s7, x's s8 and s9, products s10..s13, sums s16..s31
static __attribute__((noinline, unused)) void loop_dot4x4(const float *w, uint32_t in, const float *bias,
                                                          const float *x, uint32_t step, float *y,
                                                          uint32_t out)
{
    const float *w1 = w + in, *w2 = w1 + in, *w3 = w2 + in;
    const float *x1 = x + step, *x2 = x1 + step, *x3 = x2 + step;
#define PRODUCT(t, w, x) "vmul.f32 s" #t ", s" #w ", s" #x "\n"
#define FOUR(a, b, c, d, u, v, p, q, x) \
    PRODUCT(10, u, x) PRODUCT(11, v, x) PRODUCT(12, p, x) PRODUCT(13, q, x) \
    ADD(a, 10) ADD(b, 11) ADD(c, 12) ADD(d, 13)
#define TWO(a, b, c, d, x) \
    "vldmia %[" x "]!, {s8, s9}\n" FOUR(a, b, c, d, 0, 2, 4, 6, 8) FOUR(a, b, c, d, 1, 3, 5, 7, 9)
#define ONE(a, b, c, d, x) "vldmia %[" x "]!, {s8}\n" FOUR(a, b, c, d, 0, 2, 4, 6, 8)
#define ROWS(each) \
    each(16, 17, 18, 19, "x") each(20, 21, 22, 23, "x1") each(24, 25, 26, 27, "x2") \
        each(28, 29, 30, 31, "x3")
    y[0] = bias[0], y[1] = bias[1], y[2] = bias[2], y[3] = bias[3]; // there are no registers for bias
    __asm volatile("vldmia %[y], {s16-s19}\n"
                   "vmov s20, s16\n vmov s21, s17\n vmov s22, s18\n vmov s23, s19\n"
                   "vmov s24, s16\n vmov s25, s17\n vmov s26, s18\n vmov s27, s19\n"
                   "vmov s28, s16\n vmov s29, s17\n vmov s30, s18\n vmov s31, s19\n" //
                   BLOCKS(2,
                          "vldmia %[w]!, {s0, s1}\n"
                          "vldmia %[w1]!, {s2, s3}\n"
                          "vldmia %[w2]!, {s4, s5}\n"
                          "vldmia %[w3]!, {s6, s7}\n" ROWS(TWO),
                          "vldmia %[w]!, {s0}\n"
                          "vldmia %[w1]!, {s2}\n"
                          "vldmia %[w2]!, {s4}\n"
                          "vldmia %[w3]!, {s6}\n" ROWS(ONE))
                   "vstmia %[y], {s16-s19}\n"
                   "add %[y], %[y], %[out]\n"
                   "vstmia %[y], {s20-s23}\n"
                   "add %[y], %[y], %[out]\n"
                   "vstmia %[y], {s24-s27}\n"
                   "add %[y], %[y], %[out]\n"
                   "vstmia %[y], {s28-s31}\n"
                   : [w] "+r"(w), [w1] "+r"(w1), [w2] "+r"(w2), [w3] "+r"(w3), [x] "+r"(x), [x1] "+r"(x1),
                     [x2] "+r"(x2), [x3] "+r"(x3), [n] "+r"(in), [y] "+r"(y)
                   : [out] "r"(4 * out)
                   : LOW16, "s16", "s17", "s18", "s19", "s20", "s21", "s22", "s23", "s24", "s25", "s26",
                     "s27", "s28", "s29", "s30", "s31", "cc", "memory");
}
#endif

#endif
