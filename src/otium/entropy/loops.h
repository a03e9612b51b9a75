/* The loops, included once for each instruction set; SUFFIX names it. */

/* Decode *count* symbols whose clusters are in *ctx*; return where the words go on, or NULL if
 * they ran out. *x* holds the lanes' states. Reads at most 2 * LANES bytes beyond *end*. */
static const u8 *NAME(rans)(const u32 *table, const u8 *ctx, u64 count, u32 lanes, u32 *x,
                            const u8 *p, const u8 *end, u8 *symbols) {
    u64 i = 0;
#if defined(AVX512)
    if (lanes == LANES) {
        /* Gathers take most of the time (Zen 4: 17 cycles for 16 lanes), then what runs on the two
         * pipes for shifts and permutations: so a multiplication shifts, one permutation takes the
         * symbols of 32 lanes, and one expansion gives 32 lanes their words. */
        const __m512i slot = _mm512_set1_epi32(SLOTS - 1), one = _mm512_set1_epi32(1),
                      low = _mm512_set1_epi32(65536), slots = _mm512_set1_epi32(SLOTS);
        u8 fourth[64];
        for (int k = 0; k < 64; k++) fourth[k] = (u8)((k & 31) * 4 + 3);
        const __m512i tops = _mm512_loadu_si512(fourth);
        __m512i v[4];
        for (int k = 0; k < 4; k++) v[k] = _mm512_loadu_si512(x + 16 * k);
        for (; i + LANES <= count; i += LANES) {
            __m512i e[4], w[2];
            u32 need[4];
            for (int k = 0; k < 4; k++) {
                __m512i c = _mm512_cvtepu8_epi32(_mm_loadu_si128((const void *)(ctx + i + 16 * k)));
                /* cluster * SLOTS | (state & slot) */
                __m512i index = _mm512_ternarylogic_epi32(_mm512_madd_epi16(c, slots), v[k], slot, 0xF8);
                e[k] = _mm512_i32gather_epi32(index, table, 4);
                __m512i f = _mm512_add_epi32(_mm512_and_si512(_mm512_srli_epi32(e[k], 12), slot), one);
                v[k] = _mm512_add_epi32(_mm512_mullo_epi32(f, _mm512_srli_epi32(v[k], BITS)), _mm512_and_si512(e[k], slot));
                need[k] = _mm512_cmplt_epu32_mask(v[k], low);
            }
            for (int k = 0; k < 2; k++) {
                u32 both = need[2 * k] | need[2 * k + 1] << 16;
                w[k] = _mm512_maskz_expand_epi16(both, _mm512_loadu_si512(p));
                p += 2 * (u32)__builtin_popcount(both);
            }
            for (int k = 0; k < 4; k++) {
                __m256i half = k & 1 ? _mm512_extracti64x4_epi64(w[k / 2], 1) : _mm512_castsi512_si256(w[k / 2]);
                v[k] = _mm512_mask_or_epi32(v[k], (__mmask16)need[k], _mm512_slli_epi32(v[k], 16), _mm512_cvtepu16_epi32(half));
            }
            __m512i a = _mm512_permutex2var_epi8(e[0], tops, e[1]), b = _mm512_permutex2var_epi8(e[2], tops, e[3]);
            _mm512_storeu_si512(symbols + i, _mm512_inserti64x4(a, _mm512_castsi512_si256(b), 1));
            if (p > end) return NULL;
        }
        for (int k = 0; k < 4; k++) _mm512_storeu_si512(x + 16 * k, v[k]);
    }
#elif defined(AVX2)
    if (lanes == LANES) {
        const __m256i slot = _mm256_set1_epi32(SLOTS - 1), one = _mm256_set1_epi32(1), low = _mm256_set1_epi32(65535);
        for (; i + LANES <= count; i += LANES) {
            for (int half = 0; half < 2; half++) {
                __m256i v[4], e[4];
                u32 *y = x + 32 * half;
                u64 j = i + 32 * half;
                for (int k = 0; k < 4; k++) {
                    v[k] = _mm256_loadu_si256((const void *)(y + 8 * k));
                    __m256i c = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const void *)(ctx + j + 8 * k)));
                    __m256i index = _mm256_or_si256(_mm256_slli_epi32(c, BITS), _mm256_and_si256(v[k], slot));
                    e[k] = _mm256_i32gather_epi32((const int *)table, index, 4);
                }
                for (int k = 0; k < 4; k++) {
                    __m256i f = _mm256_add_epi32(_mm256_and_si256(_mm256_srli_epi32(e[k], 12), slot), one);
                    v[k] = _mm256_add_epi32(_mm256_mullo_epi32(f, _mm256_srli_epi32(v[k], BITS)), _mm256_and_si256(e[k], slot));
                    __m256i need = _mm256_cmpeq_epi32(_mm256_min_epu32(v[k], low), v[k]);
                    u32 m = (u32)_mm256_movemask_ps(_mm256_castsi256_ps(need));
                    /* Rank of each lane among those in need: prefix count by one multiplication. */
                    u64 spread = _pdep_u64(m, 0x0101010101010101ull);
                    u64 rank = spread * 0x0101010101010100ull;
                    __m256i w = _mm256_cvtepu16_epi32(_mm_loadu_si128((const void *)p));
                    w = _mm256_permutevar8x32_epi32(w, _mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long)rank)));
                    v[k] = _mm256_blendv_epi8(v[k], _mm256_or_si256(_mm256_slli_epi32(v[k], 16), w), need);
                    p += 2 * __builtin_popcount(m);
                    _mm256_storeu_si256((void *)(y + 8 * k), v[k]);
                }
                __m256i a = _mm256_packus_epi32(_mm256_srli_epi32(e[0], 24), _mm256_srli_epi32(e[1], 24));
                __m256i b = _mm256_packus_epi32(_mm256_srli_epi32(e[2], 24), _mm256_srli_epi32(e[3], 24));
                __m256i q = _mm256_packus_epi16(a, b);
                q = _mm256_permutevar8x32_epi32(q, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
                _mm256_storeu_si256((void *)(symbols + j), q);
            }
            if (p > end) return NULL;
        }
    }
#endif
    for (; i + lanes <= count; i += lanes) {
        for (u32 l = 0; l < lanes; l++) {
            u32 v = x[l], e = table[((u32)ctx[i + l] << BITS) + (v & (SLOTS - 1))];
            symbols[i + l] = (u8)(e >> 24);
            v = (((e >> 12) & (SLOTS - 1)) + 1) * (v >> BITS) + (e & (SLOTS - 1));
            u32 need = v < 65536;
            x[l] = need ? (v << 16) | load16(p) : v;
            p += 2 * need;
        }
        if (p > end) return NULL;
    }
    for (u32 l = 0; i < count; i++, l++) {
        u32 v = x[l], e = table[((u32)ctx[i] << BITS) + (v & (SLOTS - 1))];
        symbols[i] = (u8)(e >> 24);
        v = (((e >> 12) & (SLOTS - 1)) + 1) * (v >> BITS) + (e & (SLOTS - 1));
        if (v < 65536) v = (v << 16) | load16(p), p += 2;
        x[l] = v;
    }
    return p > end ? NULL : p;
}

/* Decode the symbols of a block, whose words begin at *at*; return where they go on, 0 if they ran
 * out before *end*. */
INLINE u64 NAME(block)(const stream *s, const u8 *ctx, u64 count, u32 *x, u64 at, u64 end, u8 *symbols) {
    u8 room[2 * (BLOCK + LANES)];
    const u8 *p = within(s, at, sizeof room, room), *q = NAME(rans)(s->table, ctx, count, s->lanes, x, p, p + (end - at), symbols);
    return q ? at + (u64)(q - p) : 0;
}

/* Turn one symbol of a bucket into its value; return where its raw bits end. */
INLINE u64 NAME(bucket)(u32 symbol, const u8 *raw, u64 at, i32 *value) {
    u32 bits = RAW_BITS[symbol], minus = (symbol & 1) - 1;
    u32 size = BASES[symbol] + ((u32)(load64(raw + (at >> 3)) >> (at & 7)) & (u32)((1ull << bits) - 1));
    *value = (i32)((size ^ minus) - minus);
    return at + bits;
}

/* Turn symbols of buckets into signed values, reading raw bits from bit *at* of *raw*. */
INLINE u64 NAME(buckets)(const u8 *symbols, u64 count, const u8 *raw, u64 at, i32 *values) {
    u64 i = 0;
#if defined(AVX512)
    const __m512i one = _mm512_set1_epi32(1), eight = _mm512_set1_epi32(8), two = _mm512_set1_epi32(2);
    for (; i + 16 <= count; i += 16) {
        __m512i s = _mm512_cvtepu8_epi32(_mm_loadu_si128((const void *)(symbols + i)));
        __m512i id = _mm512_srli_epi32(_mm512_add_epi32(s, one), 1), size = id;
        __mmask16 big = _mm512_cmpge_epu32_mask(id, eight), minus = _mm512_testn_epi32_mask(s, one);
        if (big) {
            __m512i t = _mm512_sub_epi32(id, eight);
            __m512i bits = _mm512_maskz_add_epi32(big, _mm512_srli_epi32(t, 1), two);
            __m512i sum = bits;
            sum = _mm512_add_epi32(sum, _mm512_maskz_alignr_epi32(0xFFFE, sum, sum, 15));
            sum = _mm512_add_epi32(sum, _mm512_maskz_alignr_epi32(0xFFFC, sum, sum, 14));
            sum = _mm512_add_epi32(sum, _mm512_maskz_alignr_epi32(0xFFF0, sum, sum, 12));
            sum = _mm512_add_epi32(sum, _mm512_maskz_alignr_epi32(0xFF00, sum, sum, 8));
            u32 used = (u32)_mm_extract_epi32(_mm512_extracti32x4_epi32(sum, 3), 3);
            __m512i from = _mm512_add_epi32(_mm512_sub_epi32(sum, bits), _mm512_set1_epi32((int)(at & 7)));
            __m512i word;
            if (_mm512_cmpgt_epu32_mask(bits, _mm512_set1_epi32(24))) {
                /* Rare: 25 to 30 raw bits do not fit a word that begins on a byte. */
                u32 f[16], b[16], w[16];
                _mm512_storeu_si512(f, from);
                _mm512_storeu_si512(b, bits);
                for (int k = 0; k < 16; k++) w[k] = (u32)(load64(raw + (at >> 3) + (f[k] >> 3)) >> (f[k] & 7)) & (u32)((1ull << b[k]) - 1);
                word = _mm512_loadu_si512(w);
            } else {
                word = _mm512_i32gather_epi32(_mm512_srli_epi32(from, 3), raw + (at >> 3), 1);
                word = _mm512_srlv_epi32(word, _mm512_and_si512(from, _mm512_set1_epi32(7)));
                word = _mm512_and_si512(word, _mm512_sub_epi32(_mm512_sllv_epi32(one, bits), one));
            }
            __m512i base = _mm512_sllv_epi32(_mm512_add_epi32(_mm512_and_si512(t, one), two), bits);
            size = _mm512_mask_add_epi32(size, big, base, word);
            at += used;
        }
        _mm512_storeu_si512(values + i, _mm512_mask_sub_epi32(size, minus, _mm512_setzero_si512(), size));
    }
#elif defined(AVX2)
    const __m256i one = _mm256_set1_epi32(1), eight = _mm256_set1_epi32(8), two = _mm256_set1_epi32(2), zero = _mm256_setzero_si256();
    for (; i + 8 <= count; i += 8) {
        __m256i s = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const void *)(symbols + i)));
        __m256i id = _mm256_srli_epi32(_mm256_add_epi32(s, one), 1), size = id;
        __m256i big = _mm256_cmpgt_epi32(id, _mm256_set1_epi32(7));
        if (!_mm256_testz_si256(big, big)) {
            __m256i t = _mm256_sub_epi32(id, eight);
            __m256i bits = _mm256_and_si256(big, _mm256_add_epi32(_mm256_srli_epi32(t, 1), two));
            if (_mm256_movemask_epi8(_mm256_cmpgt_epi32(bits, _mm256_set1_epi32(24)))) {
                for (int k = 0; k < 8; k++) at = NAME(bucket)(symbols[i + k], raw, at, values + i + k);
                continue;
            }
            __m256i sum = _mm256_add_epi32(bits, _mm256_slli_si256(bits, 4));
            sum = _mm256_add_epi32(sum, _mm256_slli_si256(sum, 8));
            __m256i carry = _mm256_permutevar8x32_epi32(sum, _mm256_set1_epi32(3));
            sum = _mm256_add_epi32(sum, _mm256_blend_epi32(zero, carry, 0xF0));
            __m256i from = _mm256_add_epi32(_mm256_sub_epi32(sum, bits), _mm256_set1_epi32((int)(at & 7)));
            __m256i word = _mm256_i32gather_epi32((const int *)(const void *)(raw + (at >> 3)), _mm256_srli_epi32(from, 3), 1);
            word = _mm256_srlv_epi32(word, _mm256_and_si256(from, _mm256_set1_epi32(7)));
            word = _mm256_and_si256(word, _mm256_sub_epi32(_mm256_sllv_epi32(one, bits), one));
            __m256i base = _mm256_sllv_epi32(_mm256_add_epi32(_mm256_and_si256(t, one), two), bits);
            size = _mm256_blendv_epi8(size, _mm256_add_epi32(base, word), big);
            at += (u32)_mm256_extract_epi32(sum, 7);
        }
        __m256i minus = _mm256_cmpeq_epi32(_mm256_and_si256(s, one), zero);
        _mm256_storeu_si256((void *)(values + i), _mm256_sub_epi32(_mm256_xor_si256(size, minus), minus));
    }
#endif
    for (; i < count; i++) at = NAME(bucket)(symbols[i], raw, at, values + i);
    return at;
}

/* Return which of 64 symbols have raw bits behind them. */
INLINE u64 NAME(large)(const u8 *symbols) {
#if defined(AVX512)
    return _mm512_cmpge_epu8_mask(_mm512_loadu_si512(symbols), _mm512_set1_epi8(15));
#elif defined(AVX2)
    const __m256i most = _mm256_set1_epi8(15);
    __m256i a = _mm256_loadu_si256((const void *)symbols), b = _mm256_loadu_si256((const void *)(symbols + 32));
    u64 low = (u32)_mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_max_epu8(a, most), a));
    return low | (u64)(u32)_mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_max_epu8(b, most), b)) << 32;
#else
    u64 all = 0;
    for (int k = 0; k < 8; k++) {
        u64 v = load64(symbols + 8 * k);
        v = (((v & 0x7f7f7f7f7f7f7f7full) + 0x7171717171717171ull) | v) & 0x8080808080808080ull;
        all |= ((v >> 7) * 0x0102040810204080ull >> 56) << (8 * k);
    }
    return all;
#endif
}

/* List the symbols that have raw bits behind them, and where they stand; return how many they are. */
INLINE u64 NAME(list_large)(const u8 *symbols, u64 count, u8 *large, u16 *places) {
    u64 found = 0;
    for (u64 i = 0; i < count; i += 64) {
        u64 here = NAME(large)(symbols + i);
        if (count - i < 64) here &= (1ull << (count - i)) - 1;
#if defined(AVX512)
        if (!here) continue;
        u8 order[64];
        for (int k = 0; k < 64; k++) order[k] = (u8)k;
        __m512i at = _mm512_maskz_compress_epi8(here, _mm512_loadu_si512(order)), from = _mm512_set1_epi16((short)i);
        _mm512_storeu_si512(large + found, _mm512_maskz_compress_epi8(here, _mm512_loadu_si512(symbols + i)));
        _mm512_storeu_si512(places + found, _mm512_add_epi16(from, _mm512_cvtepu8_epi16(_mm512_castsi512_si256(at))));
        _mm512_storeu_si512(places + found + 32, _mm512_add_epi16(from, _mm512_cvtepu8_epi16(_mm512_extracti64x4_epi64(at, 1))));
        found += (u64)__builtin_popcountll(here);
#else
        for (; here; here &= here - 1, found++) {
            places[found] = (u16)(i + (u32)__builtin_ctzll(here));
            large[found] = symbols[places[found]];
        }
#endif
    }
    return found;
}

/* Write the raw bits of bucket symbols, the first in the lowest bit; return how many bytes. */
static u64 NAME(raw_buckets)(const u8 *symbols, const i32 *values, u64 count, u8 *out) {
    u64 held = 0;
    u32 bits = 0;
    u8 *p = out;
    for (u64 i = 0; i < count; i += 64) {
        u64 large = 0, n = count - i < 64 ? count - i : 64;
        if (n == 64) large = NAME(large)(symbols + i);
        else for (u64 z = 0; z < n; z++) large |= (u64)(symbols[i + z] >= 15) << z;
        for (; large; large &= large - 1) {
            u64 z = i + (u32)__builtin_ctzll(large);
            u32 symbol = symbols[z], size = values[z] < 0 ? -(u32)values[z] : (u32)values[z];
            held |= (u64)(size - BASES[symbol]) << bits;
            bits += RAW_BITS[symbol];
            memcpy(p, &held, 8);
            p += bits >> 3;
            held >>= bits & ~7u;
            bits &= 7;
        }
    }
    return (u64)(p - out) + (bits > 0);
}

/* Read *count* raw fields of *width* bits (at most 25) from bit *at* of *raw*. */
INLINE void NAME(fields)(const u8 *raw, u64 at, u32 width, u64 count, u32 *values) {
    u64 i = 0;
    const u32 mask = (u32)((1ull << width) - 1);
#if defined(AVX512)
    if (width <= 8 && width) {
        /* Sixty-four fields are 8 * width bytes: eight to a quadword, each shifted to its byte. */
        u8 bytes[64] __attribute__((aligned(64))), shifts[64] __attribute__((aligned(64)));
        for (u32 k = 0; k < 64; k++) {
            u32 from = (k & 7) + (k >> 3) * width;
            bytes[k] = (u8)(from > 63 ? 63 : from);
            shifts[k] = (u8)((k & 7) * width);
        }
        const __m512i place = _mm512_load_si512(bytes), shift = _mm512_load_si512(shifts);
        const __m512i keep = _mm512_set1_epi8((char)mask);
        for (; (at & 7) == 0 && i + 64 <= count; i += 64, at += 64 * width) {
            __m512i w = _mm512_permutexvar_epi8(place, _mm512_loadu_si512(raw + (at >> 3)));
            w = _mm512_and_si512(_mm512_multishift_epi64_epi8(shift, w), keep);
            _mm512_storeu_si512(values + i, _mm512_cvtepu8_epi32(_mm512_castsi512_si128(w)));
            _mm512_storeu_si512(values + i + 16, _mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32(w, 1)));
            _mm512_storeu_si512(values + i + 32, _mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32(w, 2)));
            _mm512_storeu_si512(values + i + 48, _mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32(w, 3)));
        }
    }
#endif
#if defined(AVX2) || defined(AVX512)
    __m256i step = _mm256_mullo_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), _mm256_set1_epi32((int)width));
    for (; i + 8 <= count; i += 8, at += 8 * width) {
        __m256i from = _mm256_add_epi32(step, _mm256_set1_epi32((int)(at & 7)));
        __m256i w = _mm256_i32gather_epi32((const int *)(const void *)(raw + (at >> 3)), _mm256_srli_epi32(from, 3), 1);
        w = _mm256_and_si256(_mm256_srlv_epi32(w, _mm256_and_si256(from, _mm256_set1_epi32(7))), _mm256_set1_epi32((int)mask));
        _mm256_storeu_si256((void *)(values + i), w);
    }
#endif
    for (; i < count; i++, at += width) values[i] = (load32(raw + (at >> 3)) >> (at & 7)) & mask;
}

/* Replace contexts by their clusters. */
INLINE void NAME(cluster)(const u8 *clusters, u8 *ctx, u64 count) {
    u64 i = 0;
#if defined(AVX512)
    const __m512i low = _mm512_loadu_si512(clusters), high = _mm512_loadu_si512(clusters + 64);
    __m512i top = _mm512_set1_epi8((char)0x80);
    for (; i + 64 <= count; i += 64) {
        __m512i c = _mm512_loadu_si512(ctx + i);
        if (_mm512_test_epi8_mask(c, top)) break;
        _mm512_storeu_si512(ctx + i, _mm512_permutex2var_epi8(low, c, high));
    }
#endif
    for (; i < count; i++) ctx[i] = clusters[ctx[i]];
}

static int NAME(decode_integers)(const stream *s, const u8 *contexts, i32 *values) {
    u8 ctx[BLOCK], symbols[BLOCK + LANES], room[ROOM];
    u32 x[LANES], raw[BLOCK];
    for (u64 chunk = 0, from = 0; from < s->count; chunk++, from += CHUNK) {
        u64 size = s->count - from < CHUNK ? s->count - from : CHUNK;
        const u64 *at = s->offsets + 3 * chunk;
        u64 words = at[1], bit = 8 * at[2], limit = 8 * at[3];
        memcpy(x, s->bytes + at[0], 4 * s->lanes);
        for (u64 done = 0; done < size; done += BLOCK) {
            u64 n = size - done < BLOCK ? size - done : BLOCK;
            memcpy(ctx, contexts + from + done, n);
            NAME(cluster)(s->clusters, ctx, n);
            words = NAME(block)(s, ctx, n, x, words, at[2], symbols);
            if (!words) return 1;
            i32 *v = values + from + done;
            if (s->split == 255) {
                const u8 *bits = within(s, bit >> 3, ROOM, room);
                bit = (bit & ~7ull) + NAME(buckets)(symbols, n, bits, bit & 7, v);
                if (bit > limit) return 2;
            } else {
                if (bit + n * s->split > limit) return 2;
                const u8 *bits = within(s, bit >> 3, n * s->split / 8 + 64, room);
                NAME(fields)(bits, bit & 7, s->split, n, raw);
                bit += n * s->split;
                for (u64 i = 0; i < n; i++) v[i] = (i32)(((u32)symbols[i] << s->split) | raw[i]);
            }
        }
    }
    return 0;
}

/* Encode one chunk backwards from *words_end*; return the number of words. *codes* holds for each
 * (context, symbol) frequency - 1 and start: (frequency - 1) << 12 | start. */
static u64 NAME(encode_chunk)(const u8 *symbols, const u8 *contexts, u64 count, u32 lanes,
                              const u32 *codes, u32 *states, u16 *words_end) {
    u32 x[LANES];
    u16 *p = words_end;
    for (u32 l = 0; l < lanes; l++) x[l] = 1u << 16;
    u64 i = count, whole = count - count % lanes;
    while (i > whole) {
        i--;
        u32 *v = x + (i - whole), code = codes[((u32)contexts[i] << 8) + symbols[i]];
        u32 f = (code >> 12) + 1;
        if (*v >= (u64)f << 20) *--p = (u16)*v, *v >>= 16;
        *v = ((*v / f) << BITS) + *v % f + (code & (SLOTS - 1));
    }
#if defined(AVX512)
    if (lanes == LANES) {
        __m512i v[4];
        for (int k = 0; k < 4; k++) v[k] = _mm512_loadu_si512(x + 16 * k);
        const __m512i one = _mm512_set1_epi32(1), slot = _mm512_set1_epi32(SLOTS - 1);
        while (i) {
            i -= LANES;
            for (int k = 3; k >= 0; k--) {
                __m512i c = _mm512_cvtepu8_epi32(_mm_loadu_si128((const void *)(contexts + i + 16 * k)));
                __m512i y = _mm512_cvtepu8_epi32(_mm_loadu_si128((const void *)(symbols + i + 16 * k)));
                __m512i code = _mm512_i32gather_epi32(_mm512_or_si512(_mm512_slli_epi32(c, 8), y), codes, 4);
                __m512i f = _mm512_add_epi32(_mm512_srli_epi32(code, 12), one);
                /* v >= f << 20, with f << 20 of f = 4096 beyond 32 bits: compare v >> 20 >= f. */
                __mmask16 emit = _mm512_cmpge_epu32_mask(_mm512_srli_epi32(v[k], 20), f);
                __m256i w = _mm512_cvtepi32_epi16(_mm512_maskz_compress_epi32(emit, v[k]));
                u32 n = (u32)__builtin_popcount(emit);
                p -= n;
                _mm256_mask_storeu_epi16(p, (__mmask16)((1u << n) - 1), w);
                v[k] = _mm512_mask_srli_epi32(v[k], emit, v[k], 16);
                /* The quotient in doubles is exact: it is never within 2^-12 of the next integer. */
                __m256i a = _mm512_castsi512_si256(v[k]), b = _mm512_extracti64x4_epi64(v[k], 1);
                __m256i fa = _mm512_castsi512_si256(f), fb = _mm512_extracti64x4_epi64(f, 1);
                __m256i qa = _mm512_cvttpd_epu32(_mm512_div_pd(_mm512_cvtepu32_pd(a), _mm512_cvtepu32_pd(fa)));
                __m256i qb = _mm512_cvttpd_epu32(_mm512_div_pd(_mm512_cvtepu32_pd(b), _mm512_cvtepu32_pd(fb)));
                __m512i q = _mm512_inserti64x4(_mm512_castsi256_si512(qa), qb, 1);
                __m512i rest = _mm512_sub_epi32(v[k], _mm512_mullo_epi32(q, f));
                v[k] = _mm512_add_epi32(_mm512_add_epi32(_mm512_slli_epi32(q, BITS), rest), _mm512_and_si512(code, slot));
            }
        }
        for (int k = 0; k < 4; k++) _mm512_storeu_si512(x + 16 * k, v[k]);
    }
#endif
    while (i) {
        i -= lanes;
        for (u32 l = lanes; l-- > 0;) {
            u32 v = x[l], code = codes[((u32)contexts[i + l] << 8) + symbols[i + l]];
            u32 f = (code >> 12) + 1, emit = (v >> 20) >= f;
            p[-1] = (u16)v;
            p -= emit;
            v >>= emit << 4;
            u32 q = v / f;
            x[l] = (q << BITS) + (v - q * f) + (code & (SLOTS - 1));
        }
    }
    memcpy(states, x, 4 * lanes);
    return (u64)(words_end - p);
}

/* Add to each row of *values* the row of ``up @ down``, summed in doubles, one rank after the other. */
static void NAME(merge)(float *values, const double *up, const double *down, u64 rows, u64 row, u64 rank) {
    double sum[64];
    for (u64 r = 0; r < rows; r++, values += row, up += rank)
        for (u64 from = 0; from < row; from += 64) {
            u64 n = row - from < 64 ? row - from : 64;
            for (u64 i = 0; i < n; i++) sum[i] = 0;
            for (u64 k = 0; k < rank; k++)
                for (u64 i = 0; i < n; i++) sum[i] += up[k] * down[k * row + from + i];
            for (u64 i = 0; i < n; i++) values[from + i] = (float)((double)values[from + i] + sum[i]);
        }
}

/* Round F32 to BF16, ties to even, as integers. */
static void NAME(shorten)(const u32 *values, u16 *out, u64 count) {
    for (u64 i = 0; i < count; i++) out[i] = (u16)((values[i] + 0x7FFF + (values[i] >> 16 & 1)) >> 16);
}

#define W 8
#include "widths.h"
#undef W
#define W 16
#include "widths.h"
#undef W
#define W 32
#include "widths.h"
#undef W
