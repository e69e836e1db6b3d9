// SPDX-License-Identifier: MIT
// port_test.c - a port on trial: says what it measured, then echoes; a few letters make it fail on purpose.
#include "td_port.h"

void thousand(void);
#ifdef __riscv
__asm(".text\n.option push\n.option norvc\n.align 2\n.global thousand\n"
      "thousand:\n.rept 1000\n nop\n.endr\n ret\n.option pop\n");
#define ILLEGAL "unimp"
#else
__asm(".text\n.syntax unified\n.thumb\n.global thousand\n.type thousand, %function\n.thumb_func\n"
      "thousand:\n.rept 1000\n nop\n.endr\n bx lr\n");
#define ILLEGAL "udf #0"
#endif

static volatile float one_and_a_half = 1.5f; // in .data; the product below needs the FPU, if there is one
static volatile int depth;

static void say(const char *text)
{
    while (*text)
        text += td_port_write((const uint8_t *)text, 1);
}

static void say_number(uint64_t value)
{
    char digits[21];
    int at = 20;
    digits[at] = 0;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    say(digits + at);
    say(" ");
}

static __attribute__((noinline)) int sink(int level)
{
    volatile int room[64];
    room[0] = depth = level;
    return level > 100000 ? 0 : sink(level + 1) + room[0];
}

static void obey(uint8_t letter)
{
    if (letter == 'R')
        td_port_reset();
    if (letter == 'F')
        __asm volatile(ILLEGAL);
    if (letter == 'S')
        depth = sink(0);
}

int main(void)
{
    td_port_init();
    uint64_t start = td_port_ticks();
    thousand();
    uint64_t once = td_port_ticks() - start;
    start = td_port_ticks();
    thousand();
    thousand();
    uint64_t twice = td_port_ticks() - start;
    say("ready ");
    say_number(twice - once);
    say_number((uint64_t)(one_and_a_half * 100.0f));
    say(td_port_tick_unit());
    say("\n");
    for (;;) {
        uint8_t data[64];
        int count = td_port_read(data, sizeof data);
        for (int i = 0; i < count; i++) {
            obey(data[i]);
            while (!td_port_write(data + i, 1)) {
            }
        }
        td_port_idle(count);
    }
}
