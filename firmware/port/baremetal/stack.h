// SPDX-License-Identifier: MIT
// stack.h - where the stack lies (link.ld), and what unused words of it hold.
#ifndef STACK_H
#define STACK_H

#include <stdint.h>

#define STACK_PAINT 0x5ac35ac3u

extern uint32_t stack_bottom[], stack_top[];

#endif
