#include "sha256.h"

/* Fractional parts of the cube roots of the first 64 primes. */
static const uint32_t constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
    0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
    0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
    0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
    0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
    0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t turn(uint32_t value, unsigned by)
{
    return (value >> by) | (value << (32U - by));
}

static void compress(struct sha256 *sha)
{
    uint32_t w[64];
    for (unsigned i = 0; i < 16U; i++) {
        const uint8_t *at = sha->block + ((size_t)4U * i);
        w[i] = ((uint32_t)at[0] << 24) | ((uint32_t)at[1] << 16) | ((uint32_t)at[2] << 8) | at[3];
    }

    for (unsigned i = 16U; i < 64U; i++) {
        uint32_t s0 = turn(w[i - 15U], 7) ^ turn(w[i - 15U], 18) ^ (w[i - 15U] >> 3);
        uint32_t s1 = turn(w[i - 2U], 17) ^ turn(w[i - 2U], 19) ^ (w[i - 2U] >> 10);
        w[i] = w[i - 16U] + s0 + w[i - 7U] + s1;
    }

    /* v[0..7] are a to h of the standard. */
    uint32_t v[8];
    for (unsigned i = 0; i < 8U; i++) {
        v[i] = sha->state[i];
    }

    for (unsigned i = 0; i < 64U; i++) {
        uint32_t choice = (v[4] & v[5]) ^ (~v[4] & v[6]);
        uint32_t majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
        uint32_t t1 = v[7] + (turn(v[4], 6) ^ turn(v[4], 11) ^ turn(v[4], 25)) + choice + constants[i] + w[i];
        uint32_t t2 = (turn(v[0], 2) ^ turn(v[0], 13) ^ turn(v[0], 22)) + majority;
        for (unsigned k = 7U; k > 0; k--) {
            v[k] = v[k - 1U];
        }

        v[4] += t1;
        v[0] = t1 + t2;
    }

    for (unsigned i = 0; i < 8U; i++) {
        sha->state[i] += v[i];
    }
}

void sha256_init(struct sha256 *sha)
{
    /* Fractional parts of the square roots of the first eight primes. */
    static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    for (unsigned i = 0; i < 8U; i++) {
        sha->state[i] = start[i];
    }

    sha->count = 0;
}

void sha256_add(struct sha256 *sha, const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        sha->block[sha->count % 64U] = bytes[i];
        sha->count++;
        if (sha->count % 64U == 0) {
            compress(sha);
        }
    }
}

void sha256_end(struct sha256 *sha, uint8_t digest[SHA256_BYTES])
{
    static const uint8_t one = 0x80;
    static const uint8_t zero = 0;
    uint64_t bits = sha->count * 8U;
    uint8_t length[8];
    for (unsigned i = 0; i < 8U; i++) {
        length[i] = (uint8_t)((bits >> (56U - (8U * i))) & 0xFFU);
    }

    sha256_add(sha, &one, 1);
    while (sha->count % 64U != 56U) {
        sha256_add(sha, &zero, 1);
    }

    sha256_add(sha, length, sizeof length);
    for (unsigned i = 0; i < SHA256_BYTES; i++) {
        digest[i] = (uint8_t)((sha->state[i / 4U] >> (24U - (8U * (i % 4U)))) & 0xFFU);
    }
}
