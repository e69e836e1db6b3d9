// SPDX-License-Identifier: MIT
// _simulator.c - the firmware's core as an in-process device.
#include "_core.h"

PyMethodDef simulator_methods[] = {{NULL, NULL, 0, NULL}};
