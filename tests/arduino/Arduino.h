// SPDX-License-Identifier: MIT
// Arduino.h - a stand-in for the cores' header: what arduino.cc documents and we may use, and no more, with
// each core's own traps: macros, types, linkage of setup() and loop(), what `Serial` can tell.
#ifndef ARDUINO_STAND_IN_H
#define ARDUINO_STAND_IN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

void *memcpy(void *to, const void *from, size_t size);
void *memset(void *to, int value, size_t size);
int memcmp(const void *a, const void *b, size_t size);
unsigned long millis(void);
unsigned long micros(void);
void delay(unsigned long ms);
void yield(void);
int analogRead(uint8_t pin);

// declared outside of `extern "C"` by the core of ESP32 alone
#ifndef ARDUINO_ARCH_ESP32
void setup(void);
void loop(void);
#endif

#ifdef ARDUINO_ARCH_ESP32
typedef void *TaskHandle_t;
typedef unsigned int UBaseType_t;
UBaseType_t uxTaskGetStackHighWaterMark(TaskHandle_t task);
#endif

#ifdef __cplusplus
}
#ifdef ARDUINO_ARCH_ESP32
void setup(void);
void loop(void);
size_t getArduinoLoopTaskStackSize(void);
#endif

#define PI 3.1415926535897932384626433832795
#define LOW 0x0
#define HIGH 0x1
#define INPUT 0x0
#define OUTPUT 0x1
#define A0 14
#define constrain(amt, low, high) ((amt) < (low) ? (low) : ((amt) > (high) ? (high) : (amt)))
#define sq(x) ((x) * (x))
#define bit(b) (1UL << (b))
#define word(...) makeWord(__VA_ARGS__)
#define F(text) (text)
#ifdef ARDUINO_ARCH_MBED
#define abs(x) ((x) > 0 ? (x) : -(x))
#endif
#ifdef TEENSYDUINO
#define min(a, b) ((a) < (b) ? (a) : (b))
#define max(a, b) ((a) > (b) ? (a) : (b))
#define round(x) ((long)((x) + 0.5))
#endif
typedef bool boolean;
typedef uint8_t byte;

#ifdef ARDUINO_ARCH_STM32
#include "stm32_flash.h"
#endif

class Print {
  public:
    virtual size_t write(uint8_t) = 0;
    virtual size_t write(const uint8_t *data, size_t size) = 0;
    virtual int availableForWrite() { return 0; }
    virtual void flush() {}
    size_t print(const char *text);
    size_t print(int number);
    size_t println(const char *text);
    size_t println(int number);
};

class Stream : public Print {
  public:
    virtual int available() = 0;
    virtual int read() = 0;
    virtual int peek() = 0;
};

class SerialPort : public Stream {
  public:
#ifdef TEENSYDUINO
    void begin(long);
#else
    void begin(unsigned long);
#endif
    explicit operator bool();
    int available() override;
    int read() override;
    int peek() override;
    size_t write(uint8_t) override;
    size_t write(const uint8_t *data, size_t size) override;
    void flush() override;
#ifndef ARDUINO_ARCH_MBED // does not override it: 0 for ever
    int availableForWrite() override;
#endif
#if defined(ARDUINO_ARCH_ESP32) || defined(TEENSYDUINO)
    size_t write(unsigned long n) { return write((uint8_t)n); }
    size_t write(long n) { return write((uint8_t)n); }
    size_t write(unsigned int n) { return write((uint8_t)n); }
    size_t write(int n) { return write((uint8_t)n); }
#endif
};

extern SerialPort SerialOfCore;
#define Serial SerialOfCore // a macro in several cores

#ifdef ARDUINO_ARCH_ESP32
class EspClass {
  public:
    void restart();
};
extern EspClass ESP;
#endif
#endif
#endif
