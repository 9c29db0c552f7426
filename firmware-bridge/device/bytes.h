/* Little-endian numbers in byte buffers, the same on every processor. */
#ifndef ROBOTICS_BYTES_H
#define ROBOTICS_BYTES_H

#include <stddef.h>
#include <stdint.h>

/* The one library call of this code. Declared here because a compiler for a bare processor may come without string.h. */
extern void *memcpy(void *restrict into, const void *restrict from, size_t count);

static inline void put_u16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)(value & 0xFFU);
    at[1] = (uint8_t)(value >> 8);
}

static inline void put_u32(uint8_t *at, uint32_t value)
{
    put_u16(at, (uint16_t)(value & 0xFFFFU));
    put_u16(at + 2, (uint16_t)(value >> 16));
}

static inline void put_u64(uint8_t *at, uint64_t value)
{
    put_u32(at, (uint32_t)(value & 0xFFFFFFFFU));
    put_u32(at + 4, (uint32_t)(value >> 32));
}

static inline void put_f32(uint8_t *at, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_u32(at, bits);
}

static inline uint16_t get_u16(const uint8_t *at)
{
    return (uint16_t)(at[0] | ((unsigned)at[1] << 8));
}

static inline uint32_t get_u32(const uint8_t *at)
{
    return get_u16(at) | ((uint32_t)get_u16(at + 2) << 16);
}

static inline int16_t get_i16(const uint8_t *at)
{
    int32_t value = get_u16(at);
    return (int16_t)(value < 0x8000 ? value : value - 0x10000);
}

static inline float get_f32(const uint8_t *at)
{
    uint32_t bits = get_u32(at);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Every bit of the exponent set: NaN or infinity. Written with bits because it needs no library. */
static inline int is_finite(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (bits & 0x7F800000U) != 0x7F800000U;
}

#endif
