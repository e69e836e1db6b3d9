// SPDX-License-Identifier: MIT
// td_math.c - the numbers every target agrees on: hash, 8-bit floats, exp, log, sqrt.
#include "td_internal.h"

const char *td_error_text(int code)
{
    switch (code) {
#define X(name, value, text) \
    case value:              \
        return text;
#include "td_error.def"
#undef X
    default:
        return "no error";
    }
}

uint32_t td_hash(uint32_t x)
{
    return td_hash_inline(x);
}

uint32_t td_key(uint32_t seed, uint32_t stream)
{
    return td_hash(seed + stream * 0x9e3779b9u);
}

float td_f8(uint8_t code)
{
    return td_f8_inline(code);
}

float td_exp(float x)
{
    td_float_t y;
    float r, q;
    int32_t n;
    if (!(x >= -87.0f))
        return x < -87.0f ? 0.0f : x; // no number stays no number
    if (x > 88.0f)
        x = 88.0f;
    // ln 2 in two parts; the first has few bits, so that n times it is exact
    n = (int32_t)(x * 1.44269504f + (x < 0.0f ? -0.5f : 0.5f));
    r = (x - (float)n * 0.693145752f) - (float)n * 1.42860677e-06f;
    q = 0.00138146128f;
    q = q * r + 0.00836871006f;
    q = q * r + 0.041668389f;
    q = q * r + 0.166665211f;
    q = q * r + 0.49999994f;
    y.f = 1.0f + (r + (r * r) * q);
    y.u += (uint32_t)n << 23;
    return y.f;
}

float td_sigmoid(float x)
{
    float e = td_exp(x < 0.0f ? x : -x); // at most 1
    return (x < 0.0f ? e : 1.0f) / (1.0f + e);
}

float td_tanh(float x)
{
    float a = x < 0.0f ? -x : x, z = x * x, p;
    if (!(a < 0.625f)) {
        p = 1.0f - 2.0f / (td_exp(a + a) + 1.0f);
        return x < 0.0f ? -p : p;
    }
    p = -0.00569738168f;
    p = p * z + 0.0206325445f;
    p = p * z - 0.0537377968f;
    p = p * z + 0.133314207f;
    p = p * z - 0.333332807f;
    return x + (x * z) * p;
}

float td_log(float x)
{
    td_float_t m;
    float e, f, z, p;
    int32_t exponent;
    if (x != x)
        return x; // no number stays no number
    m.f = x;
    exponent = (int32_t)(m.u >> 23) - 127;
    m.u = (m.u & 0x007fffffu) | 0x3f800000u;
    if (m.f >= 1.41421354f) {
        m.f *= 0.5f;
        exponent++;
    }
    e = (float)exponent;
    f = m.f - 1.0f;
    z = f * f;
    p = 0.0674664006f;
    p = p * f - 0.116756521f;
    p = p * f + 0.11888162f;
    p = p * f - 0.124055892f;
    p = p * f + 0.142195523f;
    p = p * f - 0.166679963f;
    p = p * f + 0.200021192f;
    p = p * f - 0.250000089f;
    p = p * f + 0.333333135f;
    return (f + (((f * z) * p - 0.5f * z) + e * 1.42860677e-06f)) + e * 0.693145752f;
}

// A correctly rounded root is one number, whoever computes it: the core's own instruction where there is
// one, else bit by bit. td_sqrt_portable is always built, so that tests can compare the two.
float td_sqrt_portable(float x)
{
    td_float_t v;
    uint32_t rest, root = 0, bit;
    int32_t exponent;
    if (!(x > 0.0f))
        return 0.0f;
    v.f = x;
    exponent = (int32_t)(v.u >> 23);
    if (exponent == 255)
        return x; // infinity, or no number
    rest = v.u & 0x007fffffu;
    if (exponent == 0) {
        for (exponent = 1; !(rest & 0x00800000u); exponent--)
            rest <<= 1;
    }
    rest |= 0x00800000u;
    exponent -= 127;
    if (exponent & 1)
        rest <<= 1;
    // rest is m * 2^23 with m in [1, 4); one root bit a turn, 24 of them and one to round by
    rest <<= 1;
    {
        uint32_t sum = 0;
        for (bit = 0x01000000u; bit != 0; bit >>= 1) {
            uint32_t trial = sum + bit;
            if (trial <= rest) {
                sum = trial + bit;
                rest -= trial;
                root += bit;
            }
            rest <<= 1;
        }
    }
    // the root of a float never lies half-way between two floats: round by the last bit alone
    root = (root + 1) >> 1;
    v.u = root + ((uint32_t)((exponent >> 1) + 126) << 23);
    return v.f;
}

float td_sqrt(float x)
{
    return td_root(x);
}
