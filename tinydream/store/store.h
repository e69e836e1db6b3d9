// SPDX-License-Identifier: MIT
// store.h - the store's block coder: columns of integers as range-coded tokens (base bits) and plain bits (deviation).
// SPEC.md, "Store", says each byte. Nothing here trusts what it reads: a damaged model or block is refused.
#ifndef TINYDREAM_STORE_H
#define TINYDREAM_STORE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
    STORE_SCALE_BITS = 10,
    STORE_SCALE = 1 << STORE_SCALE_BITS, // what the frequencies of a table add up to
    STORE_TAPS = 16,
    STORE_SHARE_BITS = STORE_SCALE_BITS + 1, // of a share, that may be all of them
    STORE_TOKENS = STORE_SCALE - 1, // and one that escapes: each has a slot
    STORE_THRESHOLDS = 63,
    STORE_TABLES = STORE_THRESHOLDS + 1, // of a model
    STORE_BACK = 3, // rows that a reference may reach back
    STORE_STATES = 4, // range coders that take turns
    STORE_HEAD = 4 + 4 * STORE_STATES, // bytes of a block before its words
    STORE_LOW = 1 << 16, // where a state takes a word
    STORE_GROUP = 16, // planes that become rows together
    STORE_SHORT = 4096, // numbers below it are looked up instead of searched
};

enum { STORE_ZERO, STORE_DIRECT, STORE_RESIDUAL };                                                 // modes
enum { STORE_NONE, STORE_VALUE, STORE_GUESS, STORE_CHANGE };                                       // contexts
enum { STORE_OK, STORE_ENOMEM, STORE_EMODEL, STORE_EBLOCK, STORE_EROOM };

// The number `row` rows before, `plane` planes before: 0, 0 would be the number itself.
typedef struct {
    uint8_t row;
    uint16_t plane;
} store_ref_t;

typedef struct {
    uint8_t kind, refs, thresholds;
    store_ref_t ref[3];
    uint64_t threshold[STORE_THRESHOLDS];
    uint8_t *small; // class of each number below STORE_SHORT
} store_context_t;

// The codes that a token stands for. What escapes has 64 bits from 0.
typedef struct {
    uint64_t base;
    uint8_t bits;
} store_entry_t;

typedef struct {
    uint32_t slot[STORE_SCALE]; // its token's share, the token, how many slots of it come before
    uint32_t *range; // of each token: share << 16 | first slot; for writing
} store_table_t;

typedef struct {
    uint8_t mode, taps, shift;
    uint8_t own; // whether its context needs numbers of the plane itself
    int64_t bias;
    store_ref_t tap[STORE_TAPS];
    int64_t weight[STORE_TAPS];
    store_context_t context;
    size_t tokens, tables;
    store_entry_t *entry; // of each token, ascending, and of what escapes
    uint8_t longest; // most bits of a token
    uint16_t *small; // token of each number below STORE_SHORT
    uint8_t map[STORE_THRESHOLDS + 1]; // table of each class
    store_table_t *table;
} store_model_t;

typedef struct {
    size_t planes, models;
    uint16_t *model_of; // plane
    uint16_t *skip;     // plane + 1 whose non-zero rows are not coded, or 0
    store_model_t *model;
} store_t;

// Reads a model section; *error says why it is refused. NULL, or what store_close frees.
store_t *store_open(const uint8_t *bytes, size_t size, int *error);
void store_close(store_t *store);

enum { STORE_INTEGER, STORE_FLOAT, STORE_DECIMAL, STORE_WORDS, STORE_MASK };

// How a column of a row becomes a plane; 48 bytes, as NumPy lays them out.
typedef struct {
    uint8_t kind, size, decimals;
    uint8_t sign;  // 1: integers are signed, 2: words are floats in order
    uint8_t width; // most bits of its integers, 64: any
    uint8_t masked;
    uint16_t part; // which array it is of
    uint64_t offset; // in the row
    uint64_t low;    // what is taken away; of a mask: the bits that it stands for
    uint64_t missing; // bits that a mask tells
    uint64_t start, count; // of its words
} store_column_t;

// Rows of arrays, that planes are written to: raw (parts) of `width` bytes a row.
typedef struct {
    const store_column_t *columns; // of each plane
    const uint64_t *words;
    uint8_t *const *raw;
    const size_t *width;
} store_rows_t;

// The planes (planes, rows) of one block as bytes. *used is how many, at most `room`.
size_t store_room(const store_t *store, size_t rows);
int store_encode(const store_t *store, const uint64_t *planes, size_t rows, uint8_t *out, size_t room, size_t *used);
// And back: as planes, as rows, or as both; either may be NULL.
int store_decode(const store_t *store, const uint8_t *block, size_t size, size_t rows, uint64_t *planes,
                 const store_rows_t *to);
// What each plane takes of a block, in bits.
int store_sizes(const store_t *store, const uint64_t *planes, size_t rows, double *bits);

// Once, before anything is fitted.
void store_prepare(void);

// Tokens for codes (n): the base tree whose leaves cost least; a leaf costs `price` bits by itself.
// *tokens in: most; out: how many. Returns bits, or less than 0 without memory.
double store_fit_tokens(const uint64_t *codes, size_t n, double scale, double price, size_t *tokens, uint64_t *base,
                        uint8_t *bits, uint16_t *of);
// About what codes (n) take, without fitting tokens.
double store_rough(const uint64_t *codes, size_t n);
// Bits of tokens (n) for each candidate's classes (candidates, n), below `most`.
int store_rank(const uint16_t *tokens, size_t n, size_t kinds, const uint8_t *classes, size_t candidates, size_t most,
               double scale, double *cost);
// Merges neighbours among classes whose tables are not worth their bytes: map (classes), frequencies (tables, kinds + 1).
int store_fit_tables(const uint16_t *tokens, const uint8_t *class, size_t n, size_t kinds, size_t classes, uint8_t *map,
                     uint16_t *frequency, size_t *tables);

// A loop in versions for the vector units there may be; the loader takes the best one.
#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__)
#if defined(__clang__) || __GNUC__ < 12
#define STORE_BEST "avx2"
#else
#define STORE_BEST "arch=x86-64-v3"
#endif
#define STORE_CLONES __attribute__((target_clones(STORE_BEST, "default")))
#else
#define STORE_CLONES
#endif

// Where what is given as a constant must become one.
#if defined(__GNUC__)
#define STORE_INLINE static inline __attribute__((always_inline))
#else
#define STORE_INLINE static inline
#endif

// Shared by encode, decode and fit (plane.c): the plane's guesses and contexts as far as they are known.
typedef struct {
    const store_model_t *model;
    size_t rows, stride;
    const uint64_t *zero;      // a plane of zeros
    uint64_t *planes;          // each with STORE_BACK zeros in front
    uint64_t *guess;           // sum of taps before the shift
    uint8_t *class;            // of each row
    uint16_t *token;           // scratch
    uint64_t *quantity;        // scratch
} store_work_t;

const uint64_t *store_at(const store_work_t *w, size_t plane, store_ref_t ref);
void store_guess(const store_work_t *w, size_t plane, int own);
void store_classes(const store_work_t *w, size_t plane);
int store_work(store_work_t *w, const store_t *store, size_t rows);
void store_done(store_work_t *w);

// How many thresholds a quantity reaches.
static inline uint8_t store_class(const store_context_t *c, uint64_t quantity)
{
    if (quantity < STORE_SHORT)
        return c->small[quantity];
    unsigned reached = 0;
    for (int k = 0; k < c->thresholds; k++) // no branch to be guessed wrong
        reached += c->threshold[k] <= quantity;
    return (uint8_t)reached;
}

static inline int64_t store_signed(uint64_t x)
{
    int64_t same;
    memcpy(&same, &x, sizeof same);
    return same;
}

static inline uint64_t store_shifted(uint64_t x, int shift)
{
    return (uint64_t)(store_signed(x) >> shift);
}

// The same of what vector units have.
static inline uint64_t store_shifted_many(uint64_t x, int shift)
{
    const uint64_t top = (uint64_t)1 << 63;
    return ((x ^ top) >> shift) - (top >> shift);
}

// How far two numbers are apart, as two's complement has it.
static inline uint64_t store_apart(uint64_t a, uint64_t b)
{
    return a - b < b - a ? a - b : b - a;
}

static inline uint64_t store_zigzag(uint64_t x)
{
    return (x << 1) ^ (uint64_t)-(int64_t)(x >> 63);
}

static inline uint64_t store_unzigzag(uint64_t x)
{
    return (x >> 1) ^ (uint64_t)-(int64_t)(x & 1);
}

// Returns how many exceptions there are; of them the first `most` are told, as plane and row.
size_t store_pack(const store_column_t *columns, size_t count, const uint64_t *words, const uint8_t *raw,
                  size_t row_bytes, size_t rows, uint64_t *planes, uint32_t *exceptions, size_t most);
void store_unpack(const store_column_t *column, const uint64_t *words, const uint64_t *plane, size_t row_bytes,
                  size_t rows, uint8_t *raw);
int store_decimals(const uint8_t *raw, size_t step, unsigned size, size_t n, uint64_t missing, int most);

#endif
