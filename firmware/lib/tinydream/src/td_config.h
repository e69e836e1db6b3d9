// SPDX-License-Identifier: MIT
// td_config.h - compile-time options. Each can be given with -D; none needs an edit here.
#ifndef TD_CONFIG_H
#define TD_CONFIG_H

// the version of the plan's bytes, of the generated files and of the core: all three or none
#define TD_FORMAT 2

// longest payload of a frame in bytes; the node keeps one such buffer each way
#ifndef TD_PAYLOAD_MAX
#define TD_PAYLOAD_MAX 240
#endif
#if TD_PAYLOAD_MAX < 64 || TD_PAYLOAD_MAX > 1024
#error "TD_PAYLOAD_MAX must lie in 64..1024"
#endif

// kernels: a generated platformio.ini turns off those its plan does not ask for; a plan that asks for one
// left out is refused with TD_ENOKERNEL
#ifndef TD_WITH_SGD
#define TD_WITH_SGD 1
#endif
#ifndef TD_WITH_ADAM
#define TD_WITH_ADAM 1
#endif
#ifndef TD_WITH_DEVIATION
#define TD_WITH_DEVIATION 1
#endif
#ifndef TD_WITH_FACTORS
#define TD_WITH_FACTORS 1
#endif
#ifndef TD_WITH_TRANSFORM
#define TD_WITH_TRANSFORM 1
#endif

// GCC contracts a*b+c to a fused multiply-add under -std=gnu*; that would change bits
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("fp-contract=off")
#endif
#if defined(__clang__)
#pragma clang fp contract(off)
#endif

#if defined(__GNUC__)
#define TD_MUST_CHECK __attribute__((warn_unused_result))
#else
#define TD_MUST_CHECK
#endif

// C99 has no static assertion; a negative array size is one
#define TD_STATIC_ASSERT(condition, name) typedef char td_assert_##name[(condition) ? 1 : -1]

#endif
