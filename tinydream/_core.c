// SPDX-License-Identifier: MIT
// _core.c - the extension module: it only gathers the method tables of its rooms.
#include "_core.h"
#include "store/store.h"

static int add_methods(PyObject *module)
{
    if (PyModule_AddFunctions(module, simulator_methods) < 0 || PyModule_AddFunctions(module, rows_methods) < 0)
        return -1;
    store_prepare();
    if (PyModule_AddFunctions(module, store_methods) < 0)
        return -1;
    return PyModule_AddFunctions(module, kernels_methods);
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, (void *)add_methods}, {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "tinydream._core",
    .m_doc = "The firmware's C core and the codec's hot loops.",
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__core(void)
{
    return PyModuleDef_Init(&definition);
}
