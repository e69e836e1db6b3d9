// SPDX-License-Identifier: MIT
// port.c - the firmware as a POSIX process: the serial line is stdin and stdout. Ends when stdin does.
#define _POSIX_C_SOURCE 200809L

#include "td_port.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#ifdef __APPLE__
#include <mach-o/dyld.h>
#endif

static void make_nonblocking(int file)
{
    int flags = fcntl(file, F_GETFL);
    if (flags < 0 || fcntl(file, F_SETFL, flags | O_NONBLOCK) < 0)
        exit(1);
}

void td_port_init(void)
{
    make_nonblocking(STDIN_FILENO);
    make_nonblocking(STDOUT_FILENO);
    signal(SIGPIPE, SIG_IGN); // a host that has gone is an end, not a crash
}

// How much was moved; a line that is only busy moved nothing, any other failure ends the program.
static int moved(ssize_t count)
{
    if (count >= 0)
        return (int)count;
    if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
        exit(0);
    return 0;
}

int td_port_read(uint8_t *data, int size)
{
    ssize_t count = read(STDIN_FILENO, data, (size_t)size);
    if (count == 0)
        exit(0);
    return moved(count);
}

int td_port_room(void)
{
    return 4096; // what every pipe and terminal of POSIX systems holds
}

int td_port_write(const uint8_t *data, int size)
{
    return moved(write(STDOUT_FILENO, data, (size_t)size));
}

uint64_t td_port_ticks(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

const char *td_port_tick_unit(void)
{
    return "ns";
}

void td_port_idle(int running)
{
    struct pollfd line = {STDIN_FILENO, POLLIN, 0};
    if (!running)
        poll(&line, 1, -1);
}

// Starts the same program again on the same pipes, as a board would on the same wires.
// the system gives as much as is asked for
uint32_t td_port_stack(void)
{
    return 0;
}

void td_port_reset(void)
{
#ifdef __APPLE__
    char path[4096];
    uint32_t size = sizeof path;
    if (_NSGetExecutablePath(path, &size) == 0)
        execl(path, path, (char *)0);
#else
    execl("/proc/self/exe", "tinydream", (char *)0);
#endif
    exit(0);
}
