// SPDX-License-Identifier: MIT
// _core.h - the method tables that make up the extension module tinydream._core.
#ifndef TINYDREAM_CORE_H
#define TINYDREAM_CORE_H

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>

extern PyMethodDef simulator_methods[]; // _simulator.c: the firmware's core in this process
extern PyMethodDef rows_methods[];      // _rows.c: rows without a device
extern PyMethodDef kernels_methods[];   // codec/kernels.c: hot loops only a host needs
extern PyMethodDef store_methods[];     // store/module.c: the lossless store's block coder

#endif
