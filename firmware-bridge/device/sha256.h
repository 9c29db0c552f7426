/* SHA-256 (FIPS 180-4), so that a firmware image is whole or refused. It shows accidents, not forgers: images are not signed. */
#ifndef ROBOTICS_SHA256_H
#define ROBOTICS_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_BYTES 32U

struct sha256 {
    uint32_t state[8];
    uint64_t count;
    uint8_t block[64];
};

void sha256_init(struct sha256 *sha);
void sha256_add(struct sha256 *sha, const uint8_t *bytes, size_t count);
void sha256_end(struct sha256 *sha, uint8_t digest[SHA256_BYTES]);

#endif
