// SPDX-License-Identifier: MIT
// port.cpp - the port for every board that has an Arduino core: `Serial`, be it a UART or USB.
#include <Arduino.h>

#include "td_port.h"

#ifndef TD_BAUD
#define TD_BAUD 115200
#endif

// C++, as cores differ in whether they declare these two as C.
void setup(void)
{
    td_main_setup();
}

void loop(void)
{
    td_main_loop();
}

// Not waited for: where Serial is USB it may take seconds until a host is there, or none ever comes.
void td_port_init(void)
{
    Serial.begin(TD_BAUD);
}

int td_port_read(uint8_t *data, int size)
{
    int count = 0;
    while (count < size && Serial.available() > 0)
        data[count++] = (uint8_t)Serial.read();
    return count;
}

// The smallest buffer that these cores give a serial line.
int td_port_room(void)
{
    return 64;
}

// What can be handed over without waiting.
static int room(void)
{
#ifdef ARDUINO_ARCH_MBED
    // this core cannot tell: its USB waits for the host, but takes nothing while nobody listens
    return Serial ? 64 : 0;
#else
    return Serial.availableForWrite();
#endif
}

int td_port_write(const uint8_t *data, int size)
{
    int free = room();
    if (size > free)
        size = free;
    return size > 0 ? (int)Serial.write(data, (size_t)size) : 0;
}

// micros() begins again every 71 minutes; a step takes less, and each one asks.
uint64_t td_port_ticks(void)
{
    static uint32_t last, turns;
    uint32_t now = (uint32_t)micros();
    turns += now < last;
    last = now;
    return (uint64_t)turns << 32 | now;
}

const char *td_port_tick_unit(void)
{
    return "us";
}

// Other tasks of the framework have a turn; loop() is left after each step, so that they have one anyway.
void td_port_idle(int running)
{
    if (!running)
        delay(1);
}

// Only FreeRTOS on an ESP32 tells: what loop() was given, less what was left when it was least.
uint32_t td_port_stack(void)
{
#ifdef ARDUINO_ARCH_ESP32
    return (uint32_t)(getArduinoLoopTaskStackSize() - uxTaskGetStackHighWaterMark(NULL));
#else
    return 0;
#endif
}

void td_port_reset(void)
{
    Serial.flush();
    delay(50); // USB: what was flushed is on its way
#ifdef ARDUINO_ARCH_ESP32
    ESP.restart();
#elif defined(__arm__)
    *(volatile uint32_t *)0xe000ed0c = 0x05fa0004; // AIRCR: SYSRESETREQ, the same on every Cortex-M
#else
#error "td_port_reset: how is this chip restarted?"
#endif
    for (;;) {
    }
}
