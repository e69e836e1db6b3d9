// SPDX-License-Identifier: MIT
// line_stm32.h - the USART and the 32-bit timer of an STM32F2 or F4, as QEMU has them.
#ifndef LINE_STM32_H
#define LINE_STM32_H

enum { USART_SR = TD_LINE_START, USART_DR = USART_SR + 0x04 };
enum { USART_BRR = USART_SR + 0x08, USART_CR1 = USART_SR + 0x0C };
enum { TIM_CR1 = TD_COUNTER_START, TIM_CNT = TIM_CR1 + 0x24 };
enum { TIM_PSC = TIM_CR1 + 0x28, TIM_ARR = TIM_CR1 + 0x2C };
enum { RCC_APB1ENR = 0x40023840, RCC_APB2ENR = 0x40023844 };
enum { RECEIVED = 1 << 5, SENT = 1 << 6, CAN_SEND = 1 << 7 };             // USART_SR
enum { RECEIVER = 1 << 2, SENDER = 1 << 3, WAKE = 1 << 5, ON = 1 << 13 }; // USART_CR1

static inline void line_init(void)
{
    *reg(RCC_APB2ENR) |= 1u << 4;
    *reg(RCC_APB1ENR) |= 1u << 0;
    *reg(USART_BRR) = 0x8B; // 115200 baud at 16 MHz; QEMU has no baud rate
    *reg(USART_CR1) = ON | SENDER | RECEIVER | WAKE;
    *reg(TIM_PSC) = 0;
    *reg(TIM_ARR) = 0xFFFFFFFFu;
    *reg(TIM_CR1) = 1;
}

static inline int line_has(void)
{
    return (*reg(USART_SR) & RECEIVED) != 0;
}

static inline uint8_t line_take(void)
{
    return (uint8_t)*reg(USART_DR);
}

static inline int line_free(void)
{
    return (*reg(USART_SR) & CAN_SEND) != 0;
}

static inline void line_put(uint8_t byte)
{
    *reg(USART_DR) = byte;
}

static inline int line_sent(void)
{
    return (*reg(USART_SR) & SENT) != 0;
}

static inline void line_awake(void) // its request ends when the byte is taken
{
}

static inline uint32_t line_counter(void)
{
    return *reg(TIM_CNT);
}

#endif
