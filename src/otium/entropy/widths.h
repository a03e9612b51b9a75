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
    for (u64 i = 0; i < count; i++) {
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

/* Apply 64 steps, of which those in *large* have raw bits from bit *at*; return where they end. */
INLINE u64 OF(sixty_four, )(const T *base, const u8 *symbols, T *out, u64 large, const u8 *raw, u64 at) {
    for (int z = 0; z < 64; z++) {
        T size = (T)((symbols[z] + 1) >> 1), minus = (T)((symbols[z] & 1) - 1);
        out[z] = OF(stepped, )(base[z], (S)(T)((size ^ minus) - minus));
    }
    for (; large; large &= large - 1) {
        i32 value;
        u32 z = (u32)__builtin_ctzll(large);
        at = NAME(bucket)(symbols[z], raw, at, &value);
        out[z] = OF(stepped, )(base[z], (S)value);
    }
    return at;
}

static int OF(delta, _decode)(const stream *s, const T *base, T *out, u64 rows, u64 row, const u8 *classes,
                              i32 origin, int mantissa) {
    u8 ctx[BLOCK], symbols[BLOCK + LANES];
    u32 x[LANES];
    i32 values[64];
    u64 r = 0, column = 0; /* where the next context comes from */
    u64 q = 0, place = 0;  /* where the next weight goes to */
    while (r < rows && !classes[r]) r++;
    for (; q < r; q++) memcpy(out + q * row, base + q * row, sizeof(T) * row);
    for (u64 chunk = 0, from = 0; from < s->count; chunk++, from += CHUNK) {
        u64 size = s->count - from < CHUNK ? s->count - from : CHUNK;
        const u64 *at = s->offsets + 3 * chunk;
        memcpy(x, s->bytes + at[0], 4 * s->lanes);
        const u16 *p = (const u16 *)(const void *)(s->bytes + at[1]), *end = (const u16 *)(const void *)(s->bytes + at[2]);
        const u8 *bits = s->bytes + at[2];
        u64 bit = 0, limit = 8 * (at[3] - at[2]);
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
            p = NAME(rans)(s->table, ctx, n, s->lanes, x, p, end, symbols);
            if (!p) return 1;
            for (u64 i = 0; i < n;) {
                u64 k = row - place < n - i ? row - place : n - i;
                const T *b = base + q * row + place;
                T *o = out + q * row + place;
                for (u64 j = 0; j < k; j += 64) {
                    u64 m = k - j < 64 ? k - j : 64;
                    const u8 *y = symbols + i + j;
                    u64 large = m == 64 ? NAME(large)(y) : ~0ull;
                    if (__builtin_popcountll(large) <= FEW) {
                        bit = OF(sixty_four, )(b + j, y, o + j, large, bits, bit);
                        if (bit > limit) return 2;
                        continue;
                    }
                    bit = NAME(buckets)(y, m, bits, bit, values);
                    if (bit > limit) return 2;
                    for (u64 z = 0; z < m; z++) o[j + z] = OF(stepped, )(b[j + z], (S)values[z]);
                }
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

/* SPEC, "float" (no base) and "exponent". *tops* gives the high bits of each symbol. */
static int OF(float, _decode)(const stream *s, const T *base, T *out, u64 rows, u64 row, const u8 *classes,
                              const u32 *tops, i32 origin, int mantissa, int zeros) {
    u8 ctx[BLOCK], symbols[BLOCK + LANES];
    u32 x[LANES], raw[BLOCK];
    T high[SYMBOLS];
    const u32 width = s->split;
    const u32 kept = base ? width : width - 1; /* raw bits of the mantissa */
    const T low = (T)(((u64)1 << kept) - 1);
    u64 r = 0, column = 0;
    if (s->count != rows * row) return 3;
    for (int k = 0; k < SYMBOLS; k++) high[k] = (T)tops[k];
    for (u64 chunk = 0, from = 0; from < s->count; chunk++, from += CHUNK) {
        u64 size = s->count - from < CHUNK ? s->count - from : CHUNK;
        const u64 *at = s->offsets + 3 * chunk;
        memcpy(x, s->bytes + at[0], 4 * s->lanes);
        const u16 *p = (const u16 *)(const void *)(s->bytes + at[1]), *end = (const u16 *)(const void *)(s->bytes + at[2]);
        const u8 *bits = s->bytes + at[2];
        u64 limit = 8 * (at[3] - at[2]);
        if (size * width > limit) return 2;
        for (u64 done = 0; done < size; done += BLOCK) {
            u64 n = size - done < BLOCK ? size - done : BLOCK;
            for (u64 i = 0; i < n;) {
                u64 k = row - column < n - i ? row - column : n - i;
                memset(ctx + i, classes[r], k);
                i += k;
                column += k;
                if (column == row) column = 0, r++;
            }
            const T *b = base ? base + from + done : NULL;
            T *o = out + from + done;
            if (b)
                for (u64 i = 0; i < n; i++) {
                    i32 c = (i32)((b[i] & (T)~SIGN) >> mantissa) - origin;
                    c = c < 0 ? 0 : c;
                    ctx[i] = (u8)((ctx[i] << 5) | (c > 31 ? 31 : c));
                }
            NAME(cluster)(s->clusters, ctx, n);
            p = NAME(rans)(s->table, ctx, n, s->lanes, x, p, end, symbols);
            if (!p) return 1;
            NAME(fields)(bits, done * width, width, n, raw);
            if (b)
                for (u64 i = 0; i < n; i++) o[i] = (T)((high[symbols[i]] | (T)(((T)raw[i] & low) << zeros)) ^ (b[i] & SIGN));
            else {
                u64 i = 0;
#if defined(AVX512) && W == 16
                const __m512i keep = _mm512_set1_epi16((short)low);
                for (; i + 32 <= n; i += 32) {
                    /* Tops of 256 symbols, 64 to a permutation. */
                    __m512i y = _mm512_cvtepu8_epi16(_mm256_loadu_si256((const void *)(symbols + i)));
                    __m512i top = _mm512_permutex2var_epi16(_mm512_loadu_si512(high), y, _mm512_loadu_si512(high + 32));
                    for (int k = 1; k < 4; k++) {
                        __mmask32 here = _mm512_cmpge_epu16_mask(y, _mm512_set1_epi16((short)(64 * k)));
                        top = _mm512_mask_mov_epi16(top, here, _mm512_permutex2var_epi16(_mm512_loadu_si512(high + 64 * k), y, _mm512_loadu_si512(high + 64 * k + 32)));
                    }
                    __m512i rest = _mm512_inserti64x4(
                        _mm512_castsi256_si512(_mm512_cvtepi32_epi16(_mm512_loadu_si512(raw + i))),
                        _mm512_cvtepi32_epi16(_mm512_loadu_si512(raw + i + 16)), 1);
                    __m512i sign = _mm512_slli_epi16(_mm512_srl_epi16(rest, _mm_cvtsi32_si128((int)kept)), 15);
                    rest = _mm512_sll_epi16(_mm512_and_si512(rest, keep), _mm_cvtsi32_si128(zeros));
                    _mm512_storeu_si512(o + i, _mm512_or_si512(_mm512_or_si512(top, rest), sign));
                }
#endif
                for (; i < n; i++) o[i] = (T)(high[symbols[i]] | (T)(((T)raw[i] & low) << zeros) | (T)((T)(raw[i] >> kept) << (W - 1)));
            }
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
