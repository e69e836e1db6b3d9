// SPDX-License-Identifier: MIT
// port.c - td_port.h on QEMU's lx60, and the functions that LLVM's ESP32 code calls but does not bring.
#include <stddef.h>

#include "td_port.h"

// a 16550 whose registers are words
#define LINE ((volatile uint32_t *)0xfd050020u)
enum { DATA = 0, STATUS = 5, RECEIVED = 1, FREE = 32 };

uint32_t cycles(void); // start.s
void begin(void);
int main(void);
extern uint32_t bss_start[], bss_end[]; // link.ld

void begin(void)
{
    for (volatile uint32_t *word = bss_start; word < bss_end; word++)
        *word = 0;
    main();
    for (;;) {
    }
}

void td_port_init(void)
{
}

int td_port_read(uint8_t *data, int size)
{
    int count = 0;
    while (count < size && (LINE[STATUS] & RECEIVED))
        data[count++] = (uint8_t)LINE[DATA];
    return count;
}

int td_port_room(void)
{
    return 1024;
}

int td_port_write(const uint8_t *data, int size)
{
    int count = 0;
    while (count < size && (LINE[STATUS] & FREE))
        LINE[DATA] = data[count++];
    return count;
}

uint64_t td_port_ticks(void)
{
    static uint32_t last, turns;
    uint32_t now = cycles();
    turns += now < last;
    last = now;
    return (uint64_t)turns << 32 | now;
}

const char *td_port_tick_unit(void)
{
    return "cycles (emulated)";
}

void td_port_idle(int running)
{
    (void)running;
}

uint32_t td_port_stack(void)
{
    return 0;
}

void td_port_reset(void)
{
    for (;;) {
    }
}

const td_storage_t *td_port_storage(void)
{
    return NULL;
}

// ---- of a compiler's library; volatile, so that no loop becomes a call of the function that it is in ----

void *memset(void *to, int value, size_t size);
void *memcpy(void *to, const void *from, size_t size);
void *memmove(void *to, const void *from, size_t size);
int memcmp(const void *a, const void *b, size_t size);
float __divsf3(float a, float b);
uint64_t __muldi3(uint64_t a, uint64_t b);

void *memset(void *to, int value, size_t size)
{
    volatile uint8_t *out = to;
    while (size-- > 0)
        *out++ = (uint8_t)value;
    return to;
}

void *memcpy(void *to, const void *from, size_t size)
{
    volatile uint8_t *out = to;
    const uint8_t *in = from;
    while (size-- > 0)
        *out++ = *in++;
    return to;
}

void *memmove(void *to, const void *from, size_t size)
{
    volatile uint8_t *out = to;
    const uint8_t *in = from;
    if (out <= in)
        return memcpy(to, from, size);
    while (size-- > 0)
        out[size] = in[size];
    return to;
}

int memcmp(const void *a, const void *b, size_t size)
{
    const volatile uint8_t *x = a, *y = b;
    for (size_t i = 0; i < size; i++)
        if (x[i] != y[i])
            return x[i] - y[i];
    return 0;
}

typedef union {
    float f;
    uint32_t u;
} bits_t;

enum { SPECIAL = 255, HIDDEN = 1 << 23 };

static bits_t of(uint32_t sign, int exponent, uint32_t fraction)
{
    bits_t made = {.u = sign | (uint32_t)exponent << 23 | (fraction & (HIDDEN - 1))};
    return made;
}

// A fraction with its first bit at HIDDEN, also of a subnormal number.
static uint32_t normal(bits_t x, int *exponent)
{
    uint32_t fraction = x.u & (HIDDEN - 1);
    *exponent = (int)(x.u >> 23 & 255);
    if (*exponent)
        return fraction | HIDDEN;
    for (*exponent = 1; !(fraction & HIDDEN); (*exponent)--)
        fraction <<= 1;
    return fraction;
}

// IEEE 754 division, to the nearest, ties to even, subnormal numbers included.
float __divsf3(float a, float b)
{
    bits_t x = {.f = a}, y = {.f = b};
    uint32_t sign = (x.u ^ y.u) & 0x80000000u, quotient = 0, rest, divisor, odd;
    int zero_a = !(x.u << 1), zero_b = !(y.u << 1), ea, eb, exponent, digits = 26;
    int special_a = (x.u >> 23 & 255) == SPECIAL, special_b = (y.u >> 23 & 255) == SPECIAL;
    if (a != a || b != b || (zero_a && zero_b) || (special_a && special_b))
        return of(0, SPECIAL, 1u << 22).f;
    if (zero_a || special_b)
        return of(sign, 0, 0).f;
    if (zero_b || special_a)
        return of(sign, SPECIAL, 0).f;
    rest = normal(x, &ea), divisor = normal(y, &eb), exponent = ea - eb + 127;
    if (rest < divisor)
        rest <<= 1, exponent--;
    while (digits-- > 0) { // 24 bits, one to round by, and one more
        quotient = quotient << 1 | (rest >= divisor);
        rest = (rest >= divisor ? rest - divisor : rest) << 1;
    }
    odd = rest != 0;
    for (; exponent < 1 && quotient; exponent++)
        odd |= quotient & 1, quotient >>= 1;
    if (exponent >= SPECIAL)
        return of(sign, SPECIAL, 0).f;
    odd |= quotient & 1, quotient >>= 1; // now one bit is left to round by
    uint32_t kept = quotient >> 1, up = (quotient & 1) && (odd || (kept & 1));
    // a subnormal number has no hidden bit; a carry out of the fraction lands in the exponent, as it should
    bits_t made = {.u = (uint32_t)(kept & HIDDEN ? exponent : 0) << 23 | (kept & (HIDDEN - 1))};
    made.u = (made.u + up) | sign;
    return made.f;
}

uint64_t __muldi3(uint64_t a, uint64_t b)
{
    uint64_t sum = 0;
    for (; b; b >>= 1, a <<= 1)
        sum += b & 1 ? a : 0;
    return sum;
}
