// SPDX-License-Identifier: MIT
// td_conv_loops.h - the innermost loops of td_conv.c, in C and in the assembly of Arm's FPU; the rules are td_loops.h's.
#ifndef TD_CONV_LOOPS_H
#define TD_CONV_LOOPS_H

#include "td_loops.h"

// where numbers lie: `count` of them `step` apart, then on by `skip`; that `rows` times. For a vector v and a scalar s
typedef struct {
    uint32_t rows, count;
    uint32_t v_step, s_step;
    int32_t v_skip, s_skip; // may go back: strides may lead over the end
} loop_field_t;

#ifdef TD_VFP
// `body` for `size` numbers at a time, `count` of them a row
#define WINDOW(size, body)                                 \
    __asm volatile("vldmia %[from], {s20-s23}\n"              \
                   "1: mov %[n], %[count]\n"               \
                   "2:\n" body                             \
                   "subs %[n], %[n], #" #size "\n"         \
                   "bne 2b\n"                              \
                   "add %[x], %[x], %[skip]\n"             \
                   "subs %[rows], %[rows], #1\n"           \
                   "bne 1b\n"                              \
                   "vstmia %[y], {s20-s23}\n"              \
                   : [w] "+r"(w), [w1] "+r"(w1), [w2] "+r"(w2), [w3] "+r"(w3), [x] "+r"(x), [n] "=&r"(n), [rows] "+r"(rows) \
                   : [from] "r"(from), [y] "r"(y), [count] "r"(count), [skip] "r"(4 * skip) \
                   : LOW16, "s16", "s17", "s18", "s19", "s20", "s21", "s22", "s23", "cc", "memory")
#define COLUMN(a, b, c, d, x) \
    MUL(a, x) MUL(b, x) MUL(c, x) MUL(d, x) ADD(20, a) ADD(21, b) ADD(22, c) ADD(23, d)

// y[k] = from[k] + sum of w[k][...] * x[...] over rows of `count` numbers, k = 0..3; a row of x begins `skip` behind the one
// before, those of w lie one after the other
static __attribute__((noinline, unused)) void loop_window4(const float *w, uint32_t size, const float *x, uint32_t skip,
                                                   uint32_t rows, uint32_t count, const float *from, float *y)
{
    const float *w1 = w + size, *w2 = w1 + size, *w3 = w2 + size;
    uint32_t n;
    if (count % 4 == 0)
        WINDOW(4, "vldmia %[w]!, {s0-s3}\n"
                  "vldmia %[w1]!, {s4-s7}\n"
                  "vldmia %[w2]!, {s8-s11}\n"
                  "vldmia %[w3]!, {s12-s15}\n"
                  "vldmia %[x]!, {s16-s19}\n" //
                  COLUMN(0, 4, 8, 12, "s16") COLUMN(1, 5, 9, 13, "s17") COLUMN(2, 6, 10, 14, "s18")
                      COLUMN(3, 7, 11, 15, "s19"));
    else if (count % 3 == 0)
        WINDOW(3, "vldmia %[w]!, {s0-s2}\n"
                  "vldmia %[w1]!, {s4-s6}\n"
                  "vldmia %[w2]!, {s8-s10}\n"
                  "vldmia %[w3]!, {s12-s14}\n"
                  "vldmia %[x]!, {s16-s18}\n" //
                  COLUMN(0, 4, 8, 12, "s16") COLUMN(1, 5, 9, 13, "s17") COLUMN(2, 6, 10, 14, "s18"));
    else
        WINDOW(1, "vldmia %[w]!, {s0}\n"
                  "vldmia %[w1]!, {s4}\n"
                  "vldmia %[w2]!, {s8}\n"
                  "vldmia %[w3]!, {s12}\n"
                  "vldmia %[x]!, {s16}\n" COLUMN(0, 4, 8, 12, "s16"));
}
#undef COLUMN
#undef WINDOW

// `load` and `store` sums; `body`: what is done where s is not 0
#define FIELD(load, body, store)                           \
    __asm volatile(load                                    \
                   "1: mov %[n], %[count]\n"               \
                   "2: ldr %[t], [%[s]]\n"                 \
                   "add %[s], %[s], %[s_step]\n"           \
                   "lsls %[twice], %[t], #1\n"             \
                   "beq 3f\n"                              \
                   "vmov s16, %[t]\n" body                 \
                   "3: add %[v], %[v], %[v_step]\n"        \
                   "subs %[n], %[n], #1\n"                 \
                   "bne 2b\n"                              \
                   "add %[v], %[v], %[v_skip]\n"           \
                   "add %[s], %[s], %[s_skip]\n"           \
                   "subs %[rows], %[rows], #1\n"           \
                   "bne 1b\n" store                        \
                   : [v] "+r"(v), [s] "+r"(s), [n] "=&r"(n), [t] "=&r"(t), [twice] "=&r"(twice), [rows] "+r"(rows), \
                     [y] "+r"(y)                           \
                   : [count] "r"(f->count), [v_step] "r"(4 * f->v_step), [v_skip] "r"(4 * f->v_skip), \
                     [s_step] "r"(4 * f->s_step), [s_skip] "r"(4 * f->s_skip) \
                   : LOW16, "s16", "s17", "s18", "s19", "s20", "s21", "s22", "s23", "s24", "cc", "memory")
#define NEXT8 ADD(17, 8) ADD(18, 9) ADD(19, 10) ADD(20, 11) ADD(21, 12) ADD(22, 13) ADD(23, 14) ADD(24, 15)

// y[k] += sum over the field of s * v[k], k = 0..7; where s is 0 nothing is added
static inline void loop_field8(const loop_field_t *f, float *y, const float *v, const float *s)
{
    uint32_t n, t, twice, rows = f->rows;
    FIELD("vldmia %[y], {s0-s7}\n", "vldmia %[v], {s8-s15}\n" MUL8("s16") ADD8, "vstmia %[y], {s0-s7}\n");
}

// the same, k = 0..15
static inline void loop_field16(const loop_field_t *f, float *y, const float *v, const float *s)
{
    uint32_t n, t, twice, rows = f->rows;
    FIELD("vldmia %[y]!, {s0-s7}\n vldmia %[y]!, {s17-s24}\n",
          "vldmia %[v]!, {s8-s15}\n" MUL8("s16") ADD8
          "vldmia %[v], {s8-s15}\n" MUL8("s16") NEXT8 "sub %[v], %[v], #32\n",
          "vstmdb %[y]!, {s17-s24}\n vstmdb %[y]!, {s0-s7}\n");
}
#undef FIELD
#undef NEXT8
#else
static inline void loop_window4(const float *w, uint32_t size, const float *x, uint32_t skip, uint32_t rows,
                                uint32_t count, const float *from, float *y)
{
    const float *w1 = w + size, *w2 = w1 + size, *w3 = w2 + size;
    float s0 = from[0], s1 = from[1], s2 = from[2], s3 = from[3];
    uint32_t n;
    for (; rows > 0; rows--, x += skip)
        for (n = count; n > 0; n--) {
            float v = *x++, u0 = *w++, u1 = *w1++, u2 = *w2++, u3 = *w3++;
            if (!loop_worth(v))
                continue;
            s0 += u0 * v;
            s1 += u1 * v;
            s2 += u2 * v;
            s3 += u3 * v;
        }
    y[0] = s0;
    y[1] = s1;
    y[2] = s2;
    y[3] = s3;
}

static inline void loop_field8(const loop_field_t *f, float *y, const float *v, const float *s)
{
    uint32_t rows, n, k;
    float sum[8];
    for (k = 0; k < 8; k++)
        sum[k] = y[k];
    for (rows = f->rows; rows > 0; rows--, v += f->v_skip, s += f->s_skip)
        for (n = f->count; n > 0; n--, v += f->v_step, s += f->s_step) {
            float scalar = *s;
            if (!loop_some(scalar))
                continue;
            for (k = 0; k < 8; k++)
                sum[k] += scalar * v[k];
        }
    for (k = 0; k < 8; k++)
        y[k] = sum[k];
}

static inline void loop_field16(const loop_field_t *f, float *y, const float *v, const float *s)
{
    loop_field8(f, y, v, s);
    loop_field8(f, y + 8, v + 8, s);
}
#endif

#endif
