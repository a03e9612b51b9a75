/* Runs the kernel's loops on a case from a file, for processors that the tests emulate.
 * Case: nine u64 (rows, row, width, origin + 2^31, mantissa, clusters, count, lanes, bytes), then
 * base, data, classes, table, lookup, offsets, chunks, codes of the encoder, symbols, contexts.
 * Answer: what the delta decoder made, then the words that the encoder made of the first chunk. */
#include "kernel.c"

#include <stdio.h>
#include <stdlib.h>

static void *take(FILE *file, size_t size) {
    u8 *data = calloc(1, size + 512);
    if (!data || fread(data, 1, size, file) != size) exit(3);
    return data;
}

int main(int count, char **names) {
    FILE *in = count == 3 ? fopen(names[1], "rb") : NULL, *out = count == 3 ? fopen(names[2], "wb") : NULL;
    if (!in || !out) return 2;
    u64 *head = take(in, 9 * 8);
    u64 rows = head[0], row = head[1], width = head[2], clusters = head[5], symbols = head[6];
    u64 chunks = (symbols + CHUNK - 1) / CHUNK, first = symbols < CHUNK ? symbols : CHUNK;
    void *base = take(in, rows * row * width), *data = take(in, rows * row * width);
    u8 *classes = take(in, rows);
    stream s = {.table = take(in, clusters * SLOTS * 4), .clusters = take(in, 256)};
    s.offsets = take(in, (3 * chunks + 1) * 8);
    s.bytes = take(in, head[8]);
    s.size = head[8];
    s.count = symbols, s.lanes = (u32)head[7], s.split = 255;
    u32 *codes = take(in, clusters ? 64 * SYMBOLS * 4 : 0), states[LANES];
    u8 *made = take(in, symbols), *contexts = take(in, symbols), *again = calloc(1, rows * row * width);
    i32 origin = (i32)((long long)head[3] - (1ll << 31));
    int level = otium_level();
    if (otium_delta_decode(level, (int)width, &s, base, again, rows, row, classes, origin, (int)head[4])) return 4;
    if (memcmp(again, data, rows * row * width)) return 5;
    u16 *words = calloc(first + 64, 2);
    u64 used = otium_encode(level, made, contexts, first, s.lanes, codes, states, words + first);
    fwrite(again, 1, rows * row * width, out);
    fwrite(states, 4, s.lanes, out);
    fwrite(words + first - used, 2, used, out);
    return fclose(out) ? 6 : 0;
}
