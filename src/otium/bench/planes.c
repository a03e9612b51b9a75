/* BitX's transform (Wang et al., ZipLLM, NSDI 2026), so that the peer is measured at its best:
 * XOR with the base, split into a plane of exponents and a plane of signs and mantissas. */
#include <stddef.h>
#include <stdint.h>

void split(const uint16_t *restrict a, const uint16_t *restrict b, size_t n,
           uint8_t *restrict high, uint8_t *restrict low) {
  for (size_t i = 0; i < n; i++) {
    uint16_t x = a[i] ^ b[i];
    high[i] = (uint8_t)(x >> 7);
    low[i] = (uint8_t)((x >> 8 & 0x80) | (x & 0x7f));
  }
}

void join(const uint8_t *restrict high, const uint8_t *restrict low,
          const uint16_t *restrict b, size_t n, uint16_t *restrict a) {
  for (size_t i = 0; i < n; i++)
    a[i] = (uint16_t)(b[i] ^ (high[i] << 7 | (low[i] & 0x80) << 8 | (low[i] & 0x7f)));
}
