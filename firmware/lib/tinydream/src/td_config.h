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
#ifndef TD_WITH_CROSS_ENTROPY
#define TD_WITH_CROSS_ENTROPY 1
#endif
#ifndef TD_WITH_BCE
#define TD_WITH_BCE 1
#endif
#ifndef TD_WITH_MSE
#define TD_WITH_MSE 1
#endif
#ifndef TD_WITH_HUBER
#define TD_WITH_HUBER 1
#endif
#ifndef TD_WITH_RELU6
#define TD_WITH_RELU6 1
#endif
#ifndef TD_WITH_LEAKY_RELU
#define TD_WITH_LEAKY_RELU 1
#endif
#ifndef TD_WITH_TANH
#define TD_WITH_TANH 1
#endif
#ifndef TD_WITH_SIGMOID
#define TD_WITH_SIGMOID 1
#endif
#ifndef TD_WITH_CONV
#define TD_WITH_CONV 1
#endif
#ifndef TD_WITH_DEPTHWISE
#define TD_WITH_DEPTHWISE 1
#endif
#ifndef TD_WITH_MAX_POOL
#define TD_WITH_MAX_POOL 1
#endif
#ifndef TD_WITH_AVERAGE_POOL
#define TD_WITH_AVERAGE_POOL 1
#endif
#ifndef TD_WITH_BATCH_NORM
#define TD_WITH_BATCH_NORM 1
#endif
#ifndef TD_WITH_DROPOUT
#define TD_WITH_DROPOUT 1
#endif
#ifndef TD_WITH_ADD
#define TD_WITH_ADD 1
#endif
#define TD_WITH_BETWEEN (TD_WITH_BATCH_NORM || TD_WITH_DROPOUT || TD_WITH_ADD)
#define TD_WITH_WINDOWS                                                                       \
    (TD_WITH_CONV || TD_WITH_DEPTHWISE || TD_WITH_MAX_POOL || TD_WITH_AVERAGE_POOL || \
     TD_WITH_BETWEEN)
#ifndef TD_WITH_GRADIENTS // batches of more than one row, momentum, Adam, clipping, decay
#define TD_WITH_GRADIENTS 1
#endif
#ifndef TD_WITH_DESCENT // plain SGD on batches of one row
#define TD_WITH_DESCENT 1
#endif
#ifndef TD_WITH_FREEZING // layers whose weights, or all of whose parameters, stay
#define TD_WITH_FREEZING 1
#endif
#ifndef TD_WITH_LATE // a last layer whose gradients are never all in memory
#define TD_WITH_LATE 1
#endif
#ifndef TD_WITH_AGAIN // outputs that are computed again in the backward pass, to take less memory
#define TD_WITH_AGAIN 1
#endif
#ifndef TD_WITH_VALIDATION // validation rows: patience, best weights
#define TD_WITH_VALIDATION 1
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
#ifndef TD_WITH_MOMENTUM // SGD with momentum
#define TD_WITH_MOMENTUM 1
#endif
#ifndef TD_WITH_CLIP
#define TD_WITH_CLIP 1
#endif
#ifndef TD_WITH_DECAY
#define TD_WITH_DECAY 1
#endif
#ifndef TD_WITH_SOFT // soft targets
#define TD_WITH_SOFT 1
#endif
#ifndef TD_WITH_SPREAD // spreads by class or row
#define TD_WITH_SPREAD 1
#endif
#ifndef TD_WITH_GRIDS // a grid for each column, not one for all
#define TD_WITH_GRIDS 1
#endif
#ifndef TD_WITH_PROJECTION
#define TD_WITH_PROJECTION 1
#endif
#ifndef TD_WITH_EXPANSION // columns of codes that become several inputs
#define TD_WITH_EXPANSION 1
#endif

// what a node offers beside training: a host is told what is left out
#ifndef TD_WITH_LEARN // rows that somebody has are judged and learnt, one at a time
#define TD_WITH_LEARN 1
#endif
#ifndef TD_WITH_PUSH // weights of the host's
#define TD_WITH_PUSH 1
#endif
#ifndef TD_WITH_REFILL // representatives of the host's, where the plan has them in RAM
#define TD_WITH_REFILL 1
#endif
#ifndef TD_WITH_CHANNELS // numbers of the firmware's own
#define TD_WITH_CHANNELS 1
#endif

#ifndef TD_WITH_SAVE // weights and runs kept over a power cut
#define TD_WITH_SAVE 1
#endif

// what becomes of saved weights at boot: 0 they wait for a load, 1 they are loaded, 2 their run goes on, too
#ifndef TD_BOOT
#define TD_BOOT 1
#endif

// rows that kernels take together: 1 (small), 4 (fast), 8 (a host's own); never a matter of bits
#ifndef TD_TILE
#define TD_TILE 4
#endif
#if TD_TILE != 1 && TD_TILE != 4 && TD_TILE != 8
#error "TD_TILE must be 1, 4 or 8"
#endif

// words that hold the keys of a pass's permutation: 8, or 1 from which a small build computes them each time
#define TD_ORDER (TD_TILE == 1 ? 1 : 8)

// Arm's single-precision FPU (Cortex-M4F and later), for which the innermost loops are in assembly
#if defined(__ARM_FP) && (__ARM_FP & 4) && defined(__thumb2__) && defined(__GNUC__) && defined(__OPTIMIZE__)
#define TD_VFP 1
#endif

// constants of a plan lie in flash without more ado, but the core of Teensy 4 copies all that is not marked to RAM
#ifdef __IMXRT1062__
#define TD_FLASH __attribute__((section(".progmem.tinydream")))
#else
#define TD_FLASH
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
#define TD_INLINE inline __attribute__((always_inline))
#define TD_APART __attribute__((noinline)) // so that its stack is free again while its caller goes on
#else
#define TD_MUST_CHECK
#define TD_INLINE inline
#define TD_APART
#endif

// C99 has no static assertion; a negative array size is one
#define TD_STATIC_ASSERT(condition, name) typedef char td_assert_##name[(condition) ? 1 : -1]

#endif
