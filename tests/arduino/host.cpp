// SPDX-License-Identifier: MIT
// host.cpp - the stand-in as a program: `Serial` is stdin and stdout, with buffers as small as a UART's.
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <poll.h>
#include <string>
#include <unistd.h>

#include <Arduino.h> // last: its macros are not for others

#ifndef BUFFER
#define BUFFER 64
#endif

static uint8_t received[BUFFER];
static size_t begin_, end_;
static char *const *arguments;

SerialPort SerialOfCore;

static void receive(void)
{
    if (begin_ < end_)
        return;
    ssize_t count = ::read(STDIN_FILENO, received, sizeof received);
    if (count == 0)
        std::exit(0);
    begin_ = 0;
    end_ = count < 0 ? 0 : (size_t)count;
}

#ifdef TEENSYDUINO
void SerialPort::begin(long)
#else
void SerialPort::begin(unsigned long)
#endif
{
    fcntl(STDIN_FILENO, F_SETFL, fcntl(STDIN_FILENO, F_GETFL) | O_NONBLOCK);
}

SerialPort::operator bool()
{
    return true;
}

int SerialPort::available()
{
    receive();
    return (int)(end_ - begin_);
}

int SerialPort::read() { return available() ? received[begin_++] : -1; }

int SerialPort::peek() { return available() ? received[begin_] : -1; }

size_t SerialPort::write(uint8_t byte) { return write(&byte, 1); }

// Blocks until all of it has left, as cores do that are given more than there is room for.
size_t SerialPort::write(const uint8_t *data, size_t size)
{
    if (size > BUFFER)
        std::abort(); // the port must not ask for it
    for (size_t done = 0; done < size;) {
        ssize_t count = ::write(STDOUT_FILENO, data + done, size - done);
        if (count < 0)
            std::exit(1);
        done += (size_t)count;
    }
    return size;
}

void SerialPort::flush() {}

size_t Print::print(const char *text)
{
    size_t size = std::strlen(text);
    for (size_t i = 0; i < size; i++)
        write((uint8_t)text[i]);
    return size;
}

size_t Print::print(int number) { return print(std::to_string(number).c_str()); }

size_t Print::println(const char *text) { return print(text) + print("\r\n"); }

size_t Print::println(int number) { return print(number) + print("\r\n"); }

#ifndef ARDUINO_ARCH_MBED
// Now and then there is no room at all, or for one byte.
int SerialPort::availableForWrite()
{
    static unsigned call;
    return call++ % 3 ? (int)(call % BUFFER) : 0;
}
#endif

// Near the end of its 32 bits, so that it begins again while a test runs.
unsigned long micros(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    static const long start = now.tv_sec;
    return (uint32_t)((now.tv_sec - start) * 1000000 + now.tv_nsec / 1000 - 1000000);
}

unsigned long millis(void) { return micros() / 1000; }

void delay(unsigned long ms)
{
    struct pollfd line = {STDIN_FILENO, POLLIN, 0};
    poll(&line, 1, (int)ms);
}

void yield(void) {}

// Eight samples of a sensor that stands still, eight of one that swings slowly, eight of a fast one; and again.
int analogRead(uint8_t)
{
    static const int swing[3][8] = {{}, {0, 96, 177, 231, 250, 231, 177, 96}, {0, 250, 0, -250, 0, 250, 0, -250}};
    static unsigned count;
    unsigned place = count++ % 24;
    return 512 + swing[place / 8][place % 8];
}

#ifdef ARDUINO_ARCH_ESP32
EspClass ESP;

size_t getArduinoLoopTaskStackSize(void)
{
    return 8192;
}

UBaseType_t uxTaskGetStackHighWaterMark(TaskHandle_t)
{
    return 5000;
}

void EspClass::restart()
{
    execv("/proc/self/exe", arguments);
    std::exit(1);
}
#endif

int main(int, char *argv[])
{
    arguments = argv;
    setup();
    for (;;)
        loop();
}
