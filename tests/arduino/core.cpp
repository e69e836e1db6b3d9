// SPDX-License-Identifier: MIT
// core.cpp - what a core does with a sketch.
#include <Arduino.h>

extern "C" void app_main(void);
extern "C" void app_main(void)
{
    setup();
    for (;;)
        loop();
}
