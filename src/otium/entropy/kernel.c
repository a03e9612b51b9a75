/* The loops of otium's codecs. Each exists three times (AVX-512, AVX2, portable C), compiled from
 * loops.h, and the best that the processor has is chosen when the library is loaded. The numpy
 * code in this folder writes and reads the same bytes; SPEC.md defines them. No allocation, no
 * state, no input/output: every buffer is the caller's. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined(__x86_64__) && defined(__GNUC__)
#define X86 1
#include <immintrin.h>
#endif

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t i8;
typedef int16_t i16;
typedef int32_t i32;

#define API __attribute__((visibility("default")))
#define INLINE static inline __attribute__((always_inline))
enum { LANES = 64, BITS = 12, SLOTS = 1 << BITS, BLOCK = 4096, CHUNK = 1 << 19, SYMBOLS = 256, ROOM = 8 * BLOCK + 64 };

/* What a decoder reads: for each chunk the states of its lanes, words and raw bits. */
typedef struct {
    const u32 *table;   /* [clusters][SLOTS]: symbol << 24 | (frequency - 1) << 12 | slot - start */
    const u8 *clusters; /* [256]: the cluster of each context */
    const u8 *bytes;    /* what the chunks lie in */
    const u64 *offsets; /* [chunks][3]: where states, words and raw bits begin; the next follows */
    u64 size;           /* of bytes: none is read beyond */
    u64 count;          /* of integers */
    u32 lanes;
    u32 split; /* raw bits of each integer, or 255 for buckets */
} stream;

#define PASTE_(a, b, c, d) a##b##c##d
#define PASTE(a, b, c, d) PASTE_(a, b, c, d)
#define NAME(name) PASTE(name, , , SUFFIX)

INLINE u32 bit_length(u32 v) { return v ? 32 - (u32)__builtin_clz(v) : 0; }

INLINE u32 load16(const u8 *p) {
    u16 v;
    memcpy(&v, p, 2);
    return v;
}

INLINE u32 load32(const u8 *p) {
    u32 v;
    memcpy(&v, p, 4);
    return v;
}

INLINE u64 load64(const u8 *p) {
    u64 v;
    memcpy(&v, p, 8);
    return v;
}

/* Return *wanted* bytes from *at* on, which a loop may read though fewer belong to it: those of the
 * stream or, at its end, a copy with zeros behind. */
static const u8 *within(const stream *s, u64 at, u64 wanted, u8 *room) {
    u64 left = s->size - at;
    if (left >= wanted) return s->bytes + at;
    memcpy(room, s->bytes + at, left);
    memset(room + left, 0, wanted - left);
    return room;
}

/* SPEC, "Buckets": how many raw bits follow a symbol, and the magnitude at which it begins. */
#define ID(s) (((s) + 1) >> 1)
#define RAW(s) (ID(s) < 8 ? 0 : ((ID(s) - 8) >> 1) + 2)
#define BASE(s) (ID(s) < 8 ? ID(s) : RAW(s) > 30 ? 0 : (2u + (ID(s) & 1)) << RAW(s))
#define FOUR(f, s) f(s), f((s) + 1), f((s) + 2), f((s) + 3)
#define SIXTEEN(f, s) FOUR(f, s), FOUR(f, (s) + 4), FOUR(f, (s) + 8), FOUR(f, (s) + 12)
#define SIXTYFOUR(f, s) SIXTEEN(f, s), SIXTEEN(f, (s) + 16), SIXTEEN(f, (s) + 32), SIXTEEN(f, (s) + 48)
static const u8 RAW_BITS[SYMBOLS] = {SIXTYFOUR(RAW, 0), SIXTYFOUR(RAW, 64), SIXTYFOUR(RAW, 128), SIXTYFOUR(RAW, 192)};
static const u32 BASES[SYMBOLS] = {SIXTYFOUR(BASE, 0), SIXTYFOUR(BASE, 64), SIXTYFOUR(BASE, 128), SIXTYFOUR(BASE, 192)};

INLINE u32 bucket_symbol(i32 value) {
    u32 size = value < 0 ? -(u32)value : (u32)value, top = bit_length(size | 8) - 1;
    u32 id = size < 8 ? size : 8 + ((top - 3) << 1) + ((size >> (top - 1)) & 1);
    return id ? 2 * id - (value > 0) : 0;
}

#define SUFFIX _portable
#include "loops.h"
#undef SUFFIX

#ifdef X86
#pragma GCC push_options
#pragma GCC target("avx2,bmi,bmi2,lzcnt,popcnt")
#define AVX2 1
#define SUFFIX _avx2
#include "loops.h"
#undef SUFFIX
#undef AVX2
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("avx2,bmi,bmi2,lzcnt,popcnt,avx512f,avx512bw,avx512dq,avx512vl,avx512cd,avx512vbmi,avx512vbmi2,prefer-vector-width=512")
#define AVX512 1
#define SUFFIX _avx512
#include "loops.h"
#undef SUFFIX
#undef AVX512
#pragma GCC pop_options
#endif

/* 2: AVX-512, 1: AVX2, 0: portable C. */
API int otium_level(void) {
#ifdef X86
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq"))
        return 2;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2")) return 1;
#endif
    return 0;
}

#ifdef X86
#define CHOOSE(level, name, ...) \
    ((level) == 2   ? name##_avx512(__VA_ARGS__) \
     : (level) == 1 ? name##_avx2(__VA_ARGS__) \
                    : name##_portable(__VA_ARGS__))
#else
#define CHOOSE(level, name, ...) name##_portable(__VA_ARGS__)
#endif

API int otium_decode(int level, const stream *s, const u8 *contexts, i32 *values) {
    return CHOOSE(level, decode_integers, s, contexts, values);
}

API int otium_delta_decode(int level, int width, const stream *s, const void *base, void *out,
                           u64 rows, u64 row, const u8 *classes, i32 origin, int mantissa) {
    if (width == 1) return CHOOSE(level, delta8_decode, s, base, out, rows, row, classes, origin, mantissa);
    if (width == 2) return CHOOSE(level, delta16_decode, s, base, out, rows, row, classes, origin, mantissa);
    return CHOOSE(level, delta32_decode, s, base, out, rows, row, classes, origin, mantissa);
}

API int otium_float_decode(int level, int width, const stream *s, const void *base, void *out,
                           u64 rows, u64 row, const u8 *classes, const u32 *tops, i32 origin,
                           int mantissa, int zeros) {
    if (width == 1) return CHOOSE(level, float8_decode, s, base, out, rows, row, classes, tops, origin, mantissa, zeros);
    if (width == 2) return CHOOSE(level, float16_decode, s, base, out, rows, row, classes, tops, origin, mantissa, zeros);
    return CHOOSE(level, float32_decode, s, base, out, rows, row, classes, tops, origin, mantissa, zeros);
}

API void otium_delta_rows(int level, int width, const void *base, const void *data, u64 rows, u64 row,
                          int mantissa, u64 *sums, u32 *tops) {
    if (width == 1) CHOOSE(level, delta8_rows, base, data, rows, row, mantissa, sums, tops);
    else if (width == 2) CHOOSE(level, delta16_rows, base, data, rows, row, mantissa, sums, tops);
    else CHOOSE(level, delta32_rows, base, data, rows, row, mantissa, sums, tops);
}

API u64 otium_delta_symbols(int level, int width, const void *base, const void *data, u64 rows,
                            u64 row, const u8 *classes, i32 origin, int mantissa, i32 *values,
                            u8 *symbols, u8 *contexts) {
    if (width == 1) return CHOOSE(level, delta8_symbols, base, data, rows, row, classes, origin, mantissa, values, symbols, contexts);
    if (width == 2) return CHOOSE(level, delta16_symbols, base, data, rows, row, classes, origin, mantissa, values, symbols, contexts);
    return CHOOSE(level, delta32_symbols, base, data, rows, row, classes, origin, mantissa, values, symbols, contexts);
}

API void otium_float_rows(int level, int width, const void *data, u64 rows, u64 row, int mantissa,
                          u64 *sums, u32 *used) {
    if (width == 1) CHOOSE(level, float8_rows, data, rows, row, mantissa, sums, used);
    else if (width == 2) CHOOSE(level, float16_rows, data, rows, row, mantissa, sums, used);
    else CHOOSE(level, float32_rows, data, rows, row, mantissa, sums, used);
}

API void otium_merge(int level, float *values, const double *up, const double *down, u64 rows, u64 row,
                     u64 rank) {
    CHOOSE(level, merge, values, up, down, rows, row, rank);
}

API void otium_shorten(int level, const u32 *values, u16 *out, u64 count) {
    CHOOSE(level, shorten, values, out, count);
}

/* Any bit that is set in some weight. */
API u32 otium_union(int level, int width, const void *data, u64 count) {
    (void)level;
    u32 any = 0;
    if (width == 1) for (u64 i = 0; i < count; i++) any |= ((const u8 *)data)[i];
    else if (width == 2) for (u64 i = 0; i < count; i++) any |= ((const u16 *)data)[i];
    else for (u64 i = 0; i < count; i++) any |= ((const u32 *)data)[i];
    return any;
}

API void otium_float_tops(int level, int width, const void *base, const void *data, u64 count,
                          int low, u32 *counts) {
    if (width == 1) CHOOSE(level, float8_tops, base, data, count, low, counts);
    else if (width == 2) CHOOSE(level, float16_tops, base, data, count, low, counts);
    else CHOOSE(level, float32_tops, base, data, count, low, counts);
}

API void otium_float_symbols(int level, int width, const void *base, const void *data, u64 rows,
                             u64 row, const u8 *classes, const u8 *ranks, int low, int zeros,
                             i32 origin, int mantissa, u8 *symbols, u8 *contexts, u32 *raw) {
    if (width == 1) CHOOSE(level, float8_symbols, base, data, rows, row, classes, ranks, low, zeros, origin, mantissa, symbols, contexts, raw);
    else if (width == 2) CHOOSE(level, float16_symbols, base, data, rows, row, classes, ranks, low, zeros, origin, mantissa, symbols, contexts, raw);
    else CHOOSE(level, float32_symbols, base, data, rows, row, classes, ranks, low, zeros, origin, mantissa, symbols, contexts, raw);
}

/* Count symbols by context into *table*, [ways][rows][SYMBOLS]. With four ways, in turn, equal
 * neighbours do not wait for each other; with one there is less to clear and to add up. */
API void otium_histogram(const u8 *symbols, const u8 *contexts, u64 count, u32 rows, u32 ways, u32 *table) {
    u64 quarter = (u64)rows * SYMBOLS, i = 0;
    for (; ways == 4 && i + 4 <= count; i += 4)
        for (int k = 0; k < 4; k++) table[k * quarter + ((u32)contexts[i + k] << 8) + symbols[i + k]]++;
    for (; i < count; i++) table[((u32)contexts[i] << 8) + symbols[i]]++;
}

/* Read inflated tables (SPEC, "Tables"): *lookup* gets the cluster of each of 256 contexts, *table*
 * the slots of each cluster. Return 0, or what is wrong. */
API int otium_tables(const u8 *plain, u64 size, u8 *lookup, u32 *table) {
    if (size < 3 || size < 2 + plain[0] + 1ull) return 1;
    u32 contexts = plain[0] + 1u, clusters = plain[1] + 1u;
    memset(lookup, 0, 256);
    memcpy(lookup, plain + 2, contexts);
    for (u32 c = 0; c < contexts; c++)
        if (lookup[c] >= clusters) return 2;
    u64 at = 2 + contexts;
    for (u32 k = 0; k < clusters; k++, table += SLOTS) {
        if (at >= size || size - at < plain[at] + 2ull) return 1;
        const u8 *codes = plain + at + 1;
        u32 symbols = plain[at] + 1u, sum = 0, main = 256, slot = 0;
        for (u32 y = 0; y < symbols; y++) {
            if (codes[y] == 255 && main == 256) main = y;
            else if (codes[y] > 80 && codes[y] != 255) return 3;
            else if (codes[y] != 255) sum += codes[y] < 8 ? codes[y] : (8u + codes[y] % 8) << (codes[y] / 8 - 1);
        }
        if (main == 256 || sum >= SLOTS) return 4;
        for (u32 y = 0; y < symbols; y++) {
            u32 f = codes[y] == 255 ? 0 : codes[y] < 8 ? codes[y] : (8u + codes[y] % 8) << (codes[y] / 8 - 1);
            if (y == main) f = SLOTS - sum;
            for (u32 n = 0, first = y << 24 | (f - 1) << BITS; n < f; n++) table[slot + n] = first + n;
            slot += f;
        }
        at += 1 + symbols;
    }
    return at != size;
}

API u64 otium_encode(int level, const u8 *symbols, const u8 *contexts, u64 count, u32 lanes,
                     const u32 *codes, u32 *states, u16 *words_end) {
    return CHOOSE(level, encode_chunk, symbols, contexts, count, lanes, codes, states, words_end);
}

API u64 otium_raw_buckets(int level, const u8 *symbols, const i32 *values, u64 count, u8 *out) {
    return CHOOSE(level, raw_buckets, symbols, values, count, out);
}

API u64 otium_raw_split(const u32 *raw, u64 count, u32 width, u8 *out) {
    u64 held = 0;
    u32 bits = 0;
    u8 *p = out;
    for (u64 i = 0; i < count; i++) {
        held |= (u64)raw[i] << bits;
        bits += width;
        memcpy(p, &held, 8);
        p += bits >> 3;
        held >>= bits & ~7u;
        bits &= 7;
    }
    return (u64)(p - out) + (bits > 0);
}
