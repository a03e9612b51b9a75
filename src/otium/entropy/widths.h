/* The loops over floats of W bits, included by loops.h for 8, 16 and 32. */
#define OF(name, tail) PASTE(name, W, tail, SUFFIX)
#define T PASTE(u, W, , )
#define S PASTE(i, W, , )
#define SIGN ((T)((T)1 << (W - 1)))

/* SPEC, "delta": the step from base to data, counted away from zero. */
INLINE S OF(step, )(T base, T data) {
    T sign = base & SIGN, from = base ^ sign, to = data ^ sign;
    return (S)(T)((to & SIGN ? (T)(to ^ (T)(SIGN - 1)) : to) - from);
}

INLINE T OF(stepped, )(T base, S step) {
    T sign = base & SIGN;
    S to = (S)(T)((T)(base ^ sign) + (T)step);
    return (T)((T)to ^ ((T)(to >> (W - 1)) & (T)(SIGN - 1))) ^ sign;
}

/* For each row: the sum of |step| on the scale of its largest base exponent, and that exponent. */
static void OF(delta, _rows)(const T *base, const T *data, u64 rows, u64 row, int mantissa, u64 *sums, u32 *tops) {
    const u32 up = W == 32 ? 0 : 12;
    for (u64 r = 0; r < rows; r++, base += row, data += row) {
        T top = 0, any = 0;
        for (u64 i = 0; i < row; i++) {
            T size = base[i] & (T)~SIGN;
            top = size > top ? size : top;
            any |= base[i] ^ data[i];
        }
        u32 most = top >> mantissa;
        tops[r] = most = most ? most : 1;
        u64 sum = 0;
        for (u64 i = 0; any && i < row; i++) {
            S step = OF(step, )(base[i], data[i]);
            u32 size = (u32)(step < 0 ? -(i32)(u32)step : (i32)step);
            u32 e = (u32)((base[i] & (T)~SIGN) >> mantissa), down = most - (e ? e : 1);
            sum += (u64)((size << up) >> (down > 31 ? 31 : down));
        }
        sums[r] = any ? (sum << 8) | 1 : 0;
    }
}

/* SPEC, "delta": the context of each weight of one row. */
INLINE void OF(delta, _contexts)(const T *base, u64 count, i32 level, int mantissa, u8 *contexts) {
    u64 i = 0;
#if defined(AVX512) && W == 16
    /* In 16 bits: exponents are at most 255, so levels beyond these give the same. */
    const __m512i most = _mm512_set1_epi16(63), size = _mm512_set1_epi16(0x7FFF), one = _mm512_set1_epi16(1);
    const __m512i from = _mm512_set1_epi16((short)(level < -1 ? -1 : level > 600 ? 600 : level));
    for (; i + 32 <= count; i += 32) {
        __m512i e = _mm512_srl_epi16(_mm512_and_si512(_mm512_loadu_si512(base + i), size), _mm_cvtsi32_si128(mantissa));
        e = _mm512_max_epi16(e, one);
        __m512i c = _mm512_sub_epi16(from, _mm512_add_epi16(e, e));
        c = _mm512_min_epi16(_mm512_max_epi16(c, _mm512_setzero_si512()), most);
        _mm256_storeu_si256((void *)(contexts + i), _mm512_cvtepi16_epi8(c));
    }
#endif
    for (; i < count; i++) {
        i32 e = (i32)((base[i] & (T)~SIGN) >> mantissa);
        i32 c = level - 2 * (e < 1 ? 1 : e);
        c = c < 0 ? 0 : c;
        contexts[i] = (u8)(c > 63 ? 63 : c);
    }
}

static u64 OF(delta, _symbols)(const T *base, const T *data, u64 rows, u64 row, const u8 *classes, i32 origin,
                               int mantissa, i32 *values, u8 *symbols, u8 *contexts) {
    u64 n = 0;
    for (u64 r = 0; r < rows; r++, base += row, data += row) {
        if (!classes[r]) continue;
        OF(delta, _contexts)(base, row, classes[r] + origin, mantissa, contexts + n);
        for (u64 i = 0; i < row; i++) values[n + i] = OF(step, )(base[i], data[i]);
        for (u64 i = 0; i < row; i++) symbols[n + i] = (u8)bucket_symbol(values[n + i]);
        n += row;
    }
    return n;
}

/* The steps of a block's symbols, whose raw bits begin at bit *at*; return where those end. */
INLINE u64 OF(steps, )(const stream *s, const u8 *symbols, u64 count, u64 at, S *steps) {
    u8 large[BLOCK + 64], room[ROOM];
    u16 places[BLOCK + 64];
    i32 values[BLOCK];
    for (u64 i = 0; i < count; i++) {
        T size = (T)((symbols[i] + 1) >> 1), minus = (T)((symbols[i] & 1) - 1);
        steps[i] = (S)(T)((size ^ minus) - minus);
    }
    u64 found = NAME(list_large)(symbols, count, large, places);
    const u8 *raw = within(s, at >> 3, 8 * found + 64, room); /* a symbol has at most 62 raw bits */
    u64 end = (at & ~7ull) + NAME(buckets)(large, found, raw, at & 7, values);
    for (u64 i = 0; i < found; i++) steps[places[i]] = (S)values[i];
    return end;
}

static int OF(delta, _decode)(const stream *s, const T *base, T *out, u64 rows, u64 row, const u8 *classes,
                              i32 origin, int mantissa) {
    u8 ctx[BLOCK], symbols[BLOCK + LANES];
    u32 x[LANES];
    S steps[BLOCK];
    u64 r = 0, column = 0; /* where the next context comes from */
    u64 q = 0, place = 0;  /* where the next weight goes to */
    while (r < rows && !classes[r]) r++;
    for (; q < r; q++) memcpy(out + q * row, base + q * row, sizeof(T) * row);
    for (u64 chunk = 0, from = 0; from < s->count; chunk++, from += CHUNK) {
        u64 size = s->count - from < CHUNK ? s->count - from : CHUNK;
        const u64 *at = s->offsets + 3 * chunk;
        u64 words = at[1], bit = 8 * at[2], limit = 8 * at[3];
        memcpy(x, s->bytes + at[0], 4 * s->lanes);
        for (u64 done = 0; done < size; done += BLOCK) {
            u64 n = size - done < BLOCK ? size - done : BLOCK;
            for (u64 i = 0; i < n;) {
                if (r >= rows) return 3;
                u64 k = row - column < n - i ? row - column : n - i;
                OF(delta, _contexts)(base + r * row + column, k, classes[r] + origin, mantissa, ctx + i);
                i += k;
                column += k;
                if (column == row)
                    for (column = 0, r++; r < rows && !classes[r];) r++;
            }
            NAME(cluster)(s->clusters, ctx, n);
            words = NAME(block)(s, ctx, n, x, words, at[2], symbols);
            if (!words) return 1;
            bit = OF(steps, )(s, symbols, n, bit, steps);
            if (bit > limit) return 2;
            for (u64 i = 0; i < n;) {
                u64 k = row - place < n - i ? row - place : n - i;
                const T *b = base + q * row + place;
                T *o = out + q * row + place;
                for (u64 j = 0; j < k; j++) o[j] = OF(stepped, )(b[j], steps[i + j]);
                i += k;
                place += k;
                if (place == row) {
                    place = 0;
                    for (q++; q < rows && !classes[q]; q++) memcpy(out + q * row, base + q * row, sizeof(T) * row);
                }
            }
        }
    }
    return r >= rows && q >= rows ? 0 : 3;
}

#if defined(AVX512) && W == 16
/* Join the high bits of symbols, [2][256] bytes, with raw fields of *width* bits, at most 8, into
 * whole sixty-fours of floats; return how many. The fields' top bit is the sign. */
INLINE u64 NAME(join_bytes)(const u8 *symbols, u64 count, const u8 *raw, u32 width, int zeros, const u8 *high, u16 *out) {
    u8 bytes[64], shifts[64], low[64], up[64];
    for (u32 k = 0; k < 64; k++) {
        u32 from = (k & 7) + (k >> 3) * width;
        bytes[k] = (u8)(from > 63 ? 63 : from);
        shifts[k] = (u8)((k & 7) * width);
        low[k] = (u8)(k >> 1 | (k & 1) << 6);
        up[k] = (u8)(low[k] + 32);
    }
    const __m512i place = _mm512_loadu_si512(bytes), shift = _mm512_loadu_si512(shifts);
    const __m512i first = _mm512_loadu_si512(low), second = _mm512_loadu_si512(up);
    const __m512i keep = _mm512_set1_epi8((char)((1 << (width - 1)) - 1)), sign = _mm512_set1_epi8((char)(1 << (width - 1)));
    const __m512i minus = _mm512_set1_epi8((char)0x80);
    __m512i top[2][4];
    for (int k = 0; k < 8; k++) top[k / 4][k % 4] = _mm512_loadu_si512(high + 64 * k);
    u64 i = 0;
    for (; i + 64 <= count; i += 64, raw += 8 * width) {
        __m512i y = _mm512_loadu_si512(symbols + i), join[2];
        __mmask64 beyond = _mm512_movepi8_mask(y);
        for (int k = 0; k < 2; k++) {
            join[k] = _mm512_permutex2var_epi8(top[k][0], y, top[k][1]);
            if (beyond) join[k] = _mm512_mask_mov_epi8(join[k], beyond, _mm512_permutex2var_epi8(top[k][2], y, top[k][3]));
        }
        __m512i field = _mm512_multishift_epi64_epi8(shift, _mm512_permutexvar_epi8(place, _mm512_loadu_si512(raw)));
        __m512i rest = _mm512_sll_epi16(_mm512_and_si512(field, keep), _mm_cvtsi32_si128(zeros));
        join[0] = _mm512_or_si512(join[0], rest);
        join[1] = _mm512_or_si512(join[1], _mm512_maskz_mov_epi8(_mm512_test_epi8_mask(field, sign), minus));
        _mm512_storeu_si512(out + i, _mm512_permutex2var_epi8(join[0], first, join[1]));
        _mm512_storeu_si512(out + i + 32, _mm512_permutex2var_epi8(join[0], second, join[1]));
    }
    return i;
}
#endif

/* SPEC, "float" (no base) and "exponent". *tops* gives the high bits of each symbol. */
static int OF(float, _decode)(const stream *s, const T *base, T *out, u64 rows, u64 row, const u8 *classes,
                              const u32 *tops, i32 origin, int mantissa, int zeros) {
    u8 ctx[BLOCK], symbols[BLOCK + LANES], room[ROOM], bytes[2 * SYMBOLS];
    u32 x[LANES], raw[BLOCK];
    T high[SYMBOLS];
    const u32 width = s->split;
    const u32 kept = base ? width : width - 1; /* raw bits of the mantissa */
    const T low = (T)(((u64)1 << kept) - 1);
    u64 r = 0, column = 0;
    if (s->count != rows * row) return 3;
    for (int k = 0; k < SYMBOLS; k++) high[k] = (T)tops[k], bytes[k] = (u8)tops[k], bytes[SYMBOLS + k] = (u8)(tops[k] >> 8);
    for (u64 chunk = 0, from = 0; from < s->count; chunk++, from += CHUNK) {
        u64 size = s->count - from < CHUNK ? s->count - from : CHUNK;
        const u64 *at = s->offsets + 3 * chunk;
        u64 words = at[1];
        memcpy(x, s->bytes + at[0], 4 * s->lanes);
        if (size * width > 8 * (at[3] - at[2])) return 2;
        for (u64 done = 0; done < size; done += BLOCK) {
            u64 n = size - done < BLOCK ? size - done : BLOCK;
            for (u64 i = 0; i < n;) {
                u64 k = row - column < n - i ? row - column : n - i;
                memset(ctx + i, base ? classes[r] : s->clusters[classes[r]], k);
                i += k;
                column += k;
                if (column == row) column = 0, r++;
            }
            const T *b = base ? base + from + done : NULL;
            T *o = out + from + done;
            if (b) {
                for (u64 i = 0; i < n; i++) {
                    i32 c = (i32)((b[i] & (T)~SIGN) >> mantissa) - origin;
                    c = c < 0 ? 0 : c;
                    ctx[i] = (u8)((ctx[i] << 5) | (c > 31 ? 31 : c));
                }
                NAME(cluster)(s->clusters, ctx, n);
            }
            words = NAME(block)(s, ctx, n, x, words, at[2], symbols);
            if (!words) return 1;
            const u8 *bits = within(s, at[2] + done / 8 * width, n * width / 8 + 64, room);
            u64 i = 0;
#if defined(AVX512) && W == 16
            if (!b && width && width <= 8 && kept + (u32)zeros <= 8)
                i = NAME(join_bytes)(symbols, n, bits, width, zeros, bytes, o);
#else
            (void)bytes;
#endif
            if (i == n) continue;
            NAME(fields)(bits + i / 8 * width, 0, width, n - i, raw + i);
            if (b)
                for (; i < n; i++) o[i] = (T)((high[symbols[i]] | (T)(((T)raw[i] & low) << zeros)) ^ (b[i] & SIGN));
            else
                for (; i < n; i++) o[i] = (T)(high[symbols[i]] | (T)(((T)raw[i] & low) << zeros) | (T)((T)(raw[i] >> kept) << (W - 1)));
        }
    }
    return 0;
}
/* For each row: the sum of the exponents that are not 0, and how many they are. */
static void OF(float, _rows)(const T *data, u64 rows, u64 row, int mantissa, u64 *sums, u32 *used) {
    for (u64 r = 0; r < rows; r++, data += row) {
        u64 sum = 0;
        u32 n = 0;
        for (u64 i = 0; i < row; i++) {
            u32 e = (u32)((data[i] & (T)~SIGN) >> mantissa);
            sum += e;
            n += e > 0;
        }
        sums[r] = sum;
        used[r] = n;
    }
}

/* Count how often each top occurs: the high bits, then whether the sign differs from the base's. */
static void OF(float, _tops)(const T *base, const T *data, u64 count, int low, u32 *counts) {
    if (base)
        for (u64 i = 0; i < count; i++)
            counts[((u32)((data[i] & (T)~SIGN) >> low) << 1) | (u32)((T)(data[i] ^ base[i]) >> (W - 1))]++;
    else
        for (u64 i = 0; i < count; i++) counts[(u32)((data[i] & (T)~SIGN) >> low) << 1]++;
}

static void OF(float, _symbols)(const T *base, const T *data, u64 rows, u64 row, const u8 *classes, const u8 *ranks,
                                int low, int zeros, i32 origin, int mantissa, u8 *symbols, u8 *contexts, u32 *raw) {
    const T mask = (T)(((u64)1 << low) - 1);
    for (u64 r = 0; r < rows; r++) {
        for (u64 i = 0; i < row; i++) {
            u32 sign = (u32)((T)(base ? data[i] ^ base[i] : data[i]) >> (W - 1));
            u32 top = (u32)((data[i] & (T)~SIGN) >> low) << 1;
            symbols[i] = ranks[base ? top | sign : top];
            raw[i] = (u32)(data[i] & mask) >> zeros | (base ? 0 : sign << (low - zeros));
        }
        if (base) {
            for (u64 i = 0; i < row; i++) {
                i32 c = (i32)((base[i] & (T)~SIGN) >> mantissa) - origin;
                c = c < 0 ? 0 : c;
                contexts[i] = (u8)((classes[r] << 5) | (c > 31 ? 31 : c));
            }
            base += row;
        } else
            memset(contexts, classes[r], row);
        data += row;
        symbols += row;
        contexts += row;
        raw += row;
    }
}
#undef SIGN
#undef S
#undef T
#undef OF
