// SPDX-License-Identifier: MIT
// port.c - td_port.h on an STM32F405: USART1 is the line, TIM2 the counter.
// Made for QEMU's netduinoplus2: it sets no pins and no clock tree, which a real chip would need.
#include "td_port.h"

static volatile uint32_t *reg(uint32_t address)
{
    return (volatile uint32_t *)address;
}

enum { USART_SR = 0x40011000, USART_DR = 0x40011004, USART_BRR = 0x40011008, USART_CR1 = 0x4001100C };
enum { TIM_CR1 = 0x40000000, TIM_CNT = 0x40000024, TIM_PSC = 0x40000028, TIM_ARR = 0x4000002C };
enum { RCC_APB1ENR = 0x40023840, RCC_APB2ENR = 0x40023844 };
enum { RECEIVED = 1 << 5, SENT = 1 << 6, CAN_SEND = 1 << 7 };          // USART_SR
enum { RECEIVER = 1 << 2, SENDER = 1 << 3, WAKE = 1 << 5, ON = 1 << 13 }; // USART_CR1
enum { USART_IRQ = 37 };

#define NVIC_ENABLE 0xE000E100u
#define NVIC_CLEAR 0xE000E280u
#define AIRCR 0xE000ED0Cu

static uint32_t last, wraps; // of the 32-bit counter

static void irq_bit(uint32_t bank)
{
    *reg(bank + 4u * (USART_IRQ / 32)) = 1u << (USART_IRQ % 32);
}

void td_port_init(void)
{
    __asm volatile("cpsid i"); // interrupts only end a wfi; none is taken
    *reg(RCC_APB2ENR) |= 1u << 4;
    *reg(RCC_APB1ENR) |= 1u << 0;
    *reg(USART_BRR) = 0x8B; // 115200 baud at 16 MHz; QEMU has no baud rate
    *reg(USART_CR1) = ON | SENDER | RECEIVER | WAKE;
    irq_bit(NVIC_ENABLE);
    *reg(TIM_PSC) = 0;
    *reg(TIM_ARR) = 0xFFFFFFFFu;
    *reg(TIM_CR1) = 1;
}

int td_port_read(uint8_t *data, int size)
{
    int count = 0;
    (void)td_port_ticks(); // called often enough to see each wrap of the counter
    while (count < size && (*reg(USART_SR) & RECEIVED))
        data[count++] = (uint8_t)*reg(USART_DR);
    return count;
}

int td_port_write(const uint8_t *data, int size)
{
    int count = 0;
    while (count < size && (*reg(USART_SR) & CAN_SEND))
        *reg(USART_DR) = data[count++];
    return count;
}

// under `qemu -icount shift=0` TIM2 counts one per instruction: no time of any real board
uint64_t td_port_ticks(void)
{
    uint32_t now = *reg(TIM_CNT);
    if (now < last)
        wraps++;
    last = now;
    return (uint64_t)wraps << 32 | now;
}

const char *td_port_tick_unit(void)
{
    return "instructions (emulated)";
}

// a byte that came before the wfi is seen in SR, one that comes later is pending and ends it at once
void td_port_idle(int running)
{
    if (running || (*reg(USART_SR) & RECEIVED))
        return;
    __asm volatile("wfi");
    irq_bit(NVIC_CLEAR);
}

void td_port_reset(void)
{
    while (!(*reg(USART_SR) & SENT)) {
    }
    *reg(AIRCR) = 0x05FA0004u; // SYSRESETREQ
    for (;;) {
    }
}

// ---- last words of startup.c: text between two zeros, which the host shows as log ----

static void say(const char *text)
{
    for (; *text; text++) {
        while (!(*reg(USART_SR) & CAN_SEND)) {
        }
        *reg(USART_DR) = (uint8_t)*text;
    }
}

static void say_hex(uint32_t value)
{
    char text[9];
    for (int i = 0; i < 8; i++)
        text[i] = "0123456789abcdef"[value >> (28 - 4 * i) & 15];
    text[8] = 0;
    say(text);
}

void port_panic(const char *what, uint32_t status, uint32_t address);

void port_panic(const char *what, uint32_t status, uint32_t address)
{
    *reg(USART_DR) = 0;
    say("\r\n");
    say(what);
    say(", CFSR ");
    say_hex(status);
    say(", at ");
    say_hex(address);
    say("\r\n");
    *reg(USART_DR) = 0;
    for (;;) // stays here: who debugs it finds it as it was
        __asm volatile("wfi");
}
