// SPDX-License-Identifier: MIT
// kernels.c - the codec's hot loops; the GIL is released in each.
#include "_core.h"

PyMethodDef kernels_methods[] = {{NULL, NULL, 0, NULL}};
